import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dayMs, hourMs } from '../src/base/duration.ts';
import { systemEntropy } from '../src/base/entropy.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { run } from '../src/cli/main.ts';
import type { KubeClient } from '../src/kube/kube-client.ts';
import { type ConfigMap, configMaps, namespaces, type Secret, secrets } from '../src/kube/resource.ts';
import { type TestCluster, testCluster } from './support/api-server.ts';
import { issuance } from './support/certificates.ts';

const epochMs = Date.UTC(2026, 0, 1);
const issue = issuance('check-command', epochMs);
const root = await issue({ commonName: 'root.linkerd.cluster.local' });
const issuer = await issue({
  commonName: 'identity.linkerd.cluster.local',
  by: root,
  ca: true,
  lifetimeMs: 48 * hourMs,
});

let cluster: TestCluster;
let admin: KubeClient;

beforeAll(async () => {
  cluster = await testCluster();
  admin = cluster.client('kubectl');
  await admin.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'linkerd' } });
});

afterAll(async () => {
  await cluster?.close();
});

/** Runs one command line in the folder of the kubeconfig, an hour into the certificates' life. */
async function capstan(args: readonly string[], env: Record<string, string> = { KUBECONFIG: 'kubeconfig' }) {
  const printed = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof printed) =>
    new Writable({
      write(chunk, _, done) {
        printed[name] += String(chunk);
        done();
      },
    });
  const status = await run(args, {
    stdin: new PassThrough(),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env,
    program: ['node', 'capstan'],
    cwd: cluster.home,
    clock: new ManualClock(epochMs + hourMs),
    entropy: systemEntropy,
    signal: new AbortController().signal,
  });
  return { status, ...printed };
}

test('an empty cluster fails at the first check, with status 1', async () => {
  const { status, stdout } = await capstan(['check']);
  expect(status).toBe(1);
  expect(stdout).toBe(`linkerd-identity
----------------
× certificate config is valid
    secrets "linkerd-identity-issuer" not found
    see https://linkerd.io/2/checks/#l5d-identity-cert-config-valid for hints

capstan-trust
-------------
× workloads are given trust anchors
    ConfigMap linkerd/linkerd-identity-trust-roots does not exist

Status check results are ×
`);
});

test('a mesh in order passes, with the warning that 48 hours bring', async () => {
  const issuerSecret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'linkerd-identity-issuer', namespace: 'linkerd' },
    type: 'kubernetes.io/tls',
    data: { 'ca.crt': btoa(root.pem), 'tls.crt': btoa(issuer.pem), 'tls.key': btoa(issuer.keyPem) },
  };
  const trustRoots: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'linkerd-identity-trust-roots', namespace: 'linkerd' },
    data: { 'ca-bundle.crt': root.pem.trim() },
  };
  await admin.create(secrets, issuerSecret);
  await admin.create(configMaps, trustRoots);

  const short = await capstan(['check', '-o', 'short', '-n', 'linkerd', '--wait=10s']);
  expect(short).toEqual({
    status: 0,
    stdout: `linkerd-identity
----------------
‼ issuer cert is valid for at least 60 days
    issuer certificate will expire on 2026-01-03T00:00:00Z
    see https://linkerd.io/2/checks/#l5d-identity-issuer-cert-not-expiring-soon for hints

Status check results are √
`,
    stderr: '',
  });
  const json = await capstan(['check', '--output=json']);
  expect(JSON.parse(json.stdout)).toMatchObject({
    success: true,
    categories: [{ categoryName: 'linkerd-identity' }, {}],
  });
  const tree = await capstan(['check', '-o', 'tree']);
  expect(tree.stdout).toContain(
    '└── identity.linkerd.cluster.local  CA  expires 2026-01-03T00:00:00Z (in 47 hours)',
  );
});

test('the judgement may be asked for as of another time', async () => {
  const { status, stdout } = await capstan(['check', '--at', new Date(epochMs + 3 * dayMs).toISOString()]);
  expect(status).toBe(1);
  expect(stdout).toContain('issuer certificate is not valid anymore. Expired on 2026-01-03T00:00:00Z');
});

test.each([
  [['check', '-o', 'yaml'], {}, "Invalid output type 'yaml'"],
  [['check', '--at', 'tomorrow'], {}, '--at "tomorrow" is not a time'],
  [['check', '--wait', '5'], {}, '"5" is not a duration'],
  [['check', '--clock-speed=-1'], { KUBECONFIG: 'kubeconfig' }, '--clock-speed a positive number'],
  [['check', '--wait', '-1'], {}, "Option '--wait' argument is ambiguous"],
  [['check', 'web'], {}, "Unexpected argument 'web'"],
  [['check', '--proxies'], {}, "Unknown option '--proxies'"],
  [['check', '--kubeconfig', 'nowhere'], {}, 'cannot read the kubeconfig'],
  [
    ['check', '--context', 'other'],
    { KUBECONFIG: 'absent:kubeconfig' },
    'the kubeconfig has no context "other"',
  ],
])('%j is answered with one line and status 1', async (args, env, line) => {
  const { status, stdout, stderr } = await capstan(args, env);
  expect(status).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toContain(line);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

test('a server that is away is named', async () => {
  const away = cluster.kubeconfig.replace(/server: .*/, 'server: https://127.0.0.1:1');
  writeFileSync(join(cluster.home, 'away'), away);
  const { status, stderr } = await capstan(['check', '--kubeconfig', 'away']);
  expect(status).toBe(1);
  expect(stderr).toMatch(/nothing listens on 127\.0\.0\.1:1/);
});
