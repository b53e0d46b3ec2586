import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hourMs } from '../src/base/duration.ts';
import { type Running, run, start, temporaryFolder } from './support/capstan.ts';
import { type Hierarchy, hierarchy, identityService, webIdentity } from './support/identity-fixture.ts';
import { type MeshCluster, meshCluster } from './support/mesh-cluster.ts';

const votingIdentity = 'voting.emojivoto.serviceaccount.identity.linkerd.cluster.local';

let cluster: MeshCluster;
let mesh: Hierarchy;
const folder = temporaryFolder();
const file = (name: string) => join(folder.path, name);
const running: Running[] = [];

beforeAll(async () => {
  cluster = await meshCluster(['web', 'voting']);
  mesh = await hierarchy('commands', { notBefore: Date.now() - hourMs });
  await cluster.putRoots(mesh.root.pem);
  await cluster.putIssuer(mesh.issuer);
  writeFileSync(file('kubeconfig'), cluster.identityKubeconfig, { mode: 0o600 });
  writeFileSync(file('roots.pem'), mesh.root.pem);
  for (const name of ['web', 'voting'])
    writeFileSync(file(name), `${await cluster.token(name)}\n`, { mode: 0o600 });
});
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ finished }) => finished));
  await cluster.close();
  folder.remove();
});

function background(args: readonly string[]): Running {
  const started = start(args, { cwd: folder.path });
  running.push(started);
  return started;
}

async function event(process: Running, name: string, more = ''): Promise<Record<string, unknown>> {
  const [line] = await process.printed(new RegExp(`^\\{"event":"${name}".*${more}.*\\}$`, 'm'));
  return JSON.parse(line) as Record<string, unknown>;
}

async function ends(process: Running): Promise<number | null> {
  process.child.kill('SIGTERM');
  return (await process.finished).status;
}

test('identity and workloads as processes: certified, meshed, strangers refused, ended cleanly', async () => {
  const identity = background([
    ...['identity', '--kubeconfig', 'kubeconfig', '--listen', '127.0.0.1:0', '--tls'],
    ...['--admin-listen', '127.0.0.1:0'],
  ]);
  const ready = await event(identity, 'ready');
  expect(ready.identityName).toBe(identityService);
  expect(await (await fetch(`http://${String(ready.admin)}/ready`)).text()).toBe('ok\n');
  const workload = (name: string, ...args: string[]) =>
    background([
      ...['workload', '--name', name, '--namespace', 'emojivoto', '--trust-anchors', 'roots.pem'],
      ...[
        '--token-file',
        name,
        '--identity-address',
        String(ready.identity),
        '--identity-name',
        identityService,
      ],
      ...args,
    ]);
  const voting = workload('voting', '--listen', '127.0.0.1:0');
  const { address } = await event(voting, 'listening');
  const dial = ['--connect', String(address), '--peer', votingIdentity, '--interval', '100ms'];
  const web = workload('web', ...dial);
  expect(await event(web, 'certified')).toMatchObject({ identity: webIdentity });
  expect(await event(web, 'exchanged')).toMatchObject({ client: webIdentity, server: votingIdentity });
  const bare = workload('web', ...dial, '--no-certificate');
  expect((await event(bare, 'refused')).reason).toMatch(/no certificate/);
  const impostor = workload('web', ...dial, '--foreign-root');
  expect((await event(impostor, 'refused')).reason).toMatch(/another root/);
  await event(voting, 'refused', 'root.of.nobody');
  // Anchors are followed: a file replaced in one rename, as the kubelet does it.
  const other = await hierarchy('commands-next', { notBefore: Date.now() - hourMs });
  writeFileSync(file('roots.next'), mesh.root.pem + other.root.pem);
  renameSync(file('roots.next'), file('roots.pem'));
  await event(web, 'anchors-reloaded');
  await event(voting, 'anchors-reloaded');
  const residentBytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${web.pid}/status`, 'utf8'))![1]!;
  expect(Number(residentBytes) / 1_024).toBeLessThan(120);
  for (const process of [bare, impostor, web, voting, identity]) expect(await ends(process)).toBe(0);
  expect(web.stdout()).not.toContain('"failed"');
  for (const process of running) expect(process.stdout() + process.stderr()).not.toContain('PRIVATE KEY');
});

test('what is missing or wrong on the command line is told in one line', async () => {
  const cases: [args: string[], message: RegExp][] = [
    [['workload'], /--name, --service-account or --identity/],
    [['workload', '--name', 'x'], /--trust-anchors is missing/],
    [
      ['workload', '--name', 'x', '--trust-anchors', 'roots.pem', '--no-certificate'],
      /--listen or --connect/,
    ],
    [
      [
        'workload',
        '--name',
        'x',
        '--trust-anchors',
        'none.pem',
        '--no-certificate',
        '--listen',
        '127.0.0.1:0',
      ],
      /none\.pem cannot be read/,
    ],
    [['workload', '--name', 'x', '--colour'], /Unknown option '--colour'/],
    [['identity', '--kubeconfig', 'none'], /cannot read the kubeconfig .*none: .*name it with --kubeconfig/s],
    [['identity', '--kubeconfig', 'kubeconfig', '--issuance-lifetime', '1'], /"1" is not a duration/],
    [['identity', '--kubeconfig', 'kubeconfig', '--log-level', 'loud'], /--log-level takes/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr, stdout } = await run(args, { cwd: folder.path });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  }
  for (const name of ['identity', 'workload']) {
    expect((await run([name, '--help'])).stdout).toContain(`Usage: capstan ${name} `);
  }
});
