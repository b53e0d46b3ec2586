import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { program, type Running, root, start, startProgram, temporaryFolder } from './support/capstan.ts';
import { type KubectlRelease, kubectlPath, kubectlReleases } from './support/kubectl.ts';

const running: Running[] = [];
const removals: (() => void)[] = [];

afterEach(async () => {
  for (const { child } of running) child.kill('SIGTERM');
  await Promise.all(running.splice(0).map(({ finished }) => finished));
  for (const remove of removals.splice(0)) remove();
});

/** The outputs under each `## heading` that the script prints. */
function sections(stdout: string): Map<string, string> {
  const parts = stdout.split(/^## /m).slice(1);
  return new Map(
    parts.map((part) => {
      const [heading, ...lines] = part.split('\n');
      return [heading!, lines.join('\n').trimEnd()];
    }),
  );
}

async function runTutorial(release: KubectlRelease): Promise<Map<string, string>> {
  const folder = temporaryFolder();
  removals.push(folder.remove);
  // A PATH with this kubectl and a `capstan`, and without a `vault` or `step` of the machine's.
  const bin = join(folder.path, 'bin');
  mkdirSync(bin);
  symlinkSync(kubectlPath(release), join(bin, 'kubectl'));
  writeFileSync(
    join(bin, 'capstan'),
    `#!/bin/sh\nexec ${program.map((part) => `'${part}'`).join(' ')} "$@"\n`,
  );
  chmodSync(join(bin, 'capstan'), 0o755);
  const ca = start([
    'vault',
    'server',
    '-dev',
    '-dev-listen-address=127.0.0.1:0',
    '-dev-root-token-id=my-token',
  ]);
  const kubeconfig = join(folder.path, 'kubeconfig');
  const cluster = start(['cluster', '--listen', '127.0.0.1:0', '--kubeconfig', kubeconfig]);
  running.push(ca, cluster);
  const [, address] = await ca.printed(/Api Address: (\S+)/);
  await cluster.printed(/"event":"ready"/);
  const script = startProgram(['bash', join(root, 'examples', 'tutorial', 'run.sh')], {
    env: {
      PATH: `${bin}:/usr/bin:/bin`,
      HOME: folder.path,
      KUBECONFIG: kubeconfig,
      VAULT_ADDR: `${address}/`,
      CAPSTAN: join(bin, 'capstan'),
    },
    stdin: '',
  });
  const { status, stdout, stderr } = await script.finished;
  expect(stderr).toBe('');
  expect({ status, stdout }).toMatchObject({ status: 0 });
  return sections(stdout);
}

test.each(kubectlReleases)('every line of the walk-through, with kubectl %s', async (release) => {
  const out = await runTutorial(release);
  const said = (heading: string) => out.get(heading) ?? '';

  expect(said('vault status')).toMatch(
    /^Key +Value\n--- +-----\nSeal Type +shamir\nInitialized +true\nSealed +false\n/,
  );
  expect(said('vault login')).toContain('Success! You are now authenticated.');
  expect(said('vault login')).toMatch(/^token +my-token$/m);
  expect(said('vault login')).toMatch(/^token_duration +∞$/m);
  expect(said('enable and tune pki')).toBe(
    'Success! Enabled the pki secrets engine at: pki/\nSuccess! Tuned the secrets engine at: pki/',
  );
  expect(said('config/urls')).toMatch(
    /^crl_distribution_points +\[http:\/\/127\.0\.0\.1:8200\/v1\/pki\/crl\]$/m,
  );
  expect(said('policy')).toBe('Success! Uploaded policy: pki_policy');
  expect(said('token')).toMatch(/^a token of \d+ bytes$/);

  const root = said('root');
  expect(root).toMatch(/^ {8}Issuer: CN=root\.linkerd\.cluster\.local$/m);
  expect(root).toMatch(/^ {8}Subject: CN=root\.linkerd\.cluster\.local$/m);
  expect(root).toContain('X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign');
  expect(root).toContain('CA:TRUE');
  expect(root).toContain('CA Issuers - URI:http://127.0.0.1:8200/v1/pki/ca');
  expect(root).toContain('URI:http://127.0.0.1:8200/v1/pki/crl');
  expect(root).toContain('DNS:root.linkerd.cluster.local');
  expect(root).toMatch(/Signature Algorithm: ECDSA-SHA256/);

  expect(said('namespaces')).toBe('namespace/cert-manager created\nnamespace/linkerd created');
  expect(said('secret')).toMatch(
    /^secret\/my-secret-token created\nName: {9}my-secret-token\nNamespace: {4}cert-manager\nLabels: {7}<none>\nAnnotations: {2}<none>\n\nType: {2}Opaque\n\nData\n====\ntoken: {2}\d+ bytes$/,
  );
  expect(said('issuer')).toMatch(/^clusterissuer\.cert-manager\.io\/vault-issuer created$/m);
  expect(said('issuer')).toMatch(/^NAME +READY +STATUS +AGE\nvault-issuer +True +Vault verified +\d+s$/m);
  expect(said('certificate')).toMatch(
    /^NAME +READY +SECRET +AGE\nlinkerd-identity-issuer +True +linkerd-identity-issuer +\d+s$/m,
  );
  const secret = said('certificate');
  expect(secret).toMatch(/^Labels: +controller\.cert-manager\.io\/fao=true$/m);
  for (const line of [
    'cert-manager.io/alt-names: identity.linkerd.cluster.local',
    'cert-manager.io/certificate-name: linkerd-identity-issuer',
    'cert-manager.io/common-name: identity.linkerd.cluster.local',
    'cert-manager.io/ip-sans: ',
    'cert-manager.io/issuer-kind: ClusterIssuer',
    'cert-manager.io/issuer-name: vault-issuer',
    'cert-manager.io/uri-sans: ',
  ]) {
    expect(secret).toContain(line);
  }
  expect(secret).toMatch(/^Type: {2}kubernetes\.io\/tls\n\nData\n====\n/m);
  for (const key of ['ca.crt', 'tls.crt', 'tls.key']) {
    expect(secret).toMatch(new RegExp(`^${key}: +\\d+ bytes$`, 'm'));
  }
  expect(said('bundle')).toMatch(/^NAME +CONFIGMAP TARGET +SECRET TARGET +SYNCED +REASON +AGE$/m);
  expect(said('bundle')).toMatch(/^linkerd-identity-trust-roots +ca-bundle\.crt +True +Synced +\d+s$/m);
  expect(said('bundle')).toContain('-----BEGIN CERTIFICATE-----');
  expect(said('check')).toContain('‼ issuer cert is valid for at least 60 days');
  expect(said('check')).toMatch(/Status check results are √$/);
});
