import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { run, temporaryFolder } from './support/capstan.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

// Below a file there can be no folder, not even for root.
const nowhere = '/etc/hostname/capstan';
const cluster = ['cluster', '--listen', '127.0.0.1:0'];
const kubeconfig = ['--kubeconfig', join(folder.path, 'kubeconfig')];

test.each([
  [['vault', 'server', '-dev', '-dev-listen-address=127.0.0.1:0', `-data=${nowhere}`]],
  [[...cluster, ...kubeconfig, '--data', nowhere]],
  [[...cluster, '--kubeconfig', `${nowhere}/kubeconfig`]],
  [['apiserver', '--listen', '127.0.0.1:0', ...kubeconfig, '--data', nowhere]],
])('a folder that cannot be written ends the start with one clear line: capstan %j', async (args) => {
  const { status, stdout, stderr } = await run(args);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(
    /^capstan: the folder \/etc\/hostname\/capstan cannot be written: .*not a directory.*; choose another\n$/,
  );
});

test('a cluster that cannot start whole ends, and leaves nothing of it running', async () => {
  const busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(busy.address() as { port: number }).port}`;
  const { status, stdout, stderr } = await run([...cluster, ...kubeconfig, '--identity-listen', address]);
  busy.close();
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain(`capstan: ${address} is already in use; stop what listens there`);
});
