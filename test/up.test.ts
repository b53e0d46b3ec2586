import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { StepReport } from '../src/app/step.ts';
import { run, start, temporaryFolder } from './support/capstan.ts';

const anyPorts = ['--vault-address', '127.0.0.1:0', '--api-address', '127.0.0.1:0'];
const folder = temporaryFolder();
afterAll(folder.remove);

const reports = (stdout: string): StepReport[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as StepReport);

const stepIds = [
  ...[
    'ca-start',
    'cluster-start',
    'ca-login',
    'pki-enable',
    'pki-tune',
    'pki-urls',
    'policy',
    'issuer-token',
  ],
  ...['root', 'root-inspect', 'namespaces', 'token-secret', 'cluster-issuer', 'identity-issuer', 'bundle'],
  ...['workloads', 'mutual-tls', 'refusals', 'findings', 'chain'],
];

test('the whole chain, once, in memory', async () => {
  const { status, stdout, stderr } = await run(['up', '--once', '--json', '--dev', ...anyPorts]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const steps = reports(stdout);
  expect(steps.map(({ step }) => step)).toEqual(stepIds);
  const byId = new Map(steps.map((step) => [step.step, step]));
  expect(byId.get('cluster-issuer')).toMatchObject({
    state: 'done',
    saw: expect.stringContaining('Vault verified'),
  });
  expect(byId.get('identity-issuer')).toMatchObject({ details: { keys: ['ca.crt', 'tls.crt', 'tls.key'] } });
  expect(byId.get('mutual-tls')).toMatchObject({
    details: {
      client: 'web.emojivoto.serviceaccount.identity.linkerd.cluster.local',
      server: 'voting.emojivoto.serviceaccount.identity.linkerd.cluster.local',
      protocol: expect.stringContaining('TLSv1.3'),
    },
  });
  expect(byId.get('findings')).toMatchObject({
    text: expect.stringContaining('is valid for at least 60 days'),
  });
});

test('a second run on the same data finds what is done; the first left nothing running', async () => {
  const data = join(folder.path, 'twice');
  const first = await run(['up', '--once', '--json', '--data', data, ...anyPorts]);
  expect(first.status).toBe(0);
  // The kept issuer names the CA's address, so the second run listens where the first did.
  const vault = /"address":"http:\/\/([^"]+)"/.exec(first.stdout)![1]!;
  const again = ['--vault-address', vault, '--api-address', '127.0.0.1:0'];
  const second = await run(['up', '--once', '--json', '--data', data, ...again]);
  expect(second.status).toBe(0);
  const states = reports(second.stdout).map(({ step, state }) => [step, state]);
  const madeAnew = ['ca-start', 'cluster-start', 'workloads', 'mutual-tls', 'refusals', 'findings', 'chain'];
  expect(states.filter(([, state]) => state === 'done').map(([step]) => step)).toEqual(madeAnew);
  expect(processesUsing(data)).toEqual([]);
  // The processes' own logs of both runs lie beside their data.
  expect(readFileSync(join(data, 'ca.log'), 'utf8').match(/vault listens/g)).toHaveLength(2);
});

test('stays up until told to stop, having said how to reach it, then ends cleanly', async () => {
  const up = start(['up', '--dev', ...anyPorts]);
  const [, kubeconfig] = await up.printed(/export KUBECONFIG=(\S+)/);
  await up.printed(/export VAULT_ADDR=http:\/\/127\.0\.0\.1:\d+\n/);
  up.child.kill('SIGTERM');
  expect(await up.finished).toMatchObject({ status: 0, stderr: '' });
  expect(processesUsing(kubeconfig!)).toEqual([]);
});

test('in memory only, a process that is killed ends it all with one clear line', async () => {
  const up = start(['up', '--dev', ...anyPorts]);
  const [, pid] = await up.printed(/start the CA, outside the cluster: \S+ process (\d+)/);
  await up.printed(/export KUBECONFIG=/);
  process.kill(Number(pid), 'SIGKILL');
  expect(await up.finished).toMatchObject({
    status: 1,
    stderr:
      'capstan: the CA was ended by SIGKILL and its state with it; start again, with --data DIR to survive this\n',
  });
});

test('kill -9 of the conductor leaves nothing running', async () => {
  const up = start(['up', '--dev', ...anyPorts]);
  const [, kubeconfig] = await up.printed(/export KUBECONFIG=(\S+)/);
  expect(processesUsing(kubeconfig!)).not.toEqual([]);
  up.child.kill('SIGKILL');
  await up.finished;
  await expect.poll(() => processesUsing(kubeconfig!), { timeout: 20_000 }).toEqual([]);
});

test.each([
  ['--vault-address', '--api-address', 'ca-start'],
  ['--api-address', '--vault-address', 'cluster-start'],
])('a busy port for %s is one clear line with the mend', async (taken, other, step) => {
  const busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  const { port } = busy.address() as { port: number };
  const { status, stdout } = await run([
    ...['up', '--once', '--dev'],
    ...[taken, `127.0.0.1:${port}`, other, '127.0.0.1:0'],
  ]);
  busy.close();
  expect(status).toBe(1);
  const failure = stdout.trim().split('\n').at(-1)!;
  expect(failure).toMatch(/^FAILED /);
  expect(failure).toContain(`127.0.0.1:${port} is already in use; stop what listens there`);
  expect(failure).toContain(`[step ${step}]`);
});

test('a folder that cannot be written is one clear line with the mend', async () => {
  // Below a file there can be no folder, not even for root.
  const { status, stderr } = await run(['up', '--once', '--data', '/etc/hostname/capstan', ...anyPorts]);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^capstan: the folder \/etc\/hostname\/capstan cannot be written: .*; choose another with --data DIR.*\n$/,
  );
});

test.each([
  [['--speed', '0'], '--speed takes a number from 1 to 100000'],
  [['--dev', '--data', 'x'], '--dev and --data exclude each other'],
  [['--vault-address', 'nonsense'], '"nonsense" is not a listen address'],
  [['--sped', '2'], "Unknown option '--sped'"],
])('wrong flags are one clear line: %j', async (args, message) => {
  const { status, stdout, stderr } = await run(['up', ...args]);
  expect(status).not.toBe(0);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

/** Processes whose command line names `word`, this one left out. */
function processesUsing(word: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes(word));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
