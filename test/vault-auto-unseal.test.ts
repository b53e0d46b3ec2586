import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemEntropy } from '../src/base/entropy.ts';
import { start, temporaryFolder } from './support/capstan.ts';
import { transitServer } from './support/transit-server.ts';
import { callVault, type VaultReply } from './support/vault.ts';

const cleaning: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

interface Server {
  call: (method: string, path: string, body?: unknown, token?: string) => Promise<VaultReply>;
  log: () => string;
  kill: () => Promise<void>;
}

async function serve(folder: string, seal: string, env: Record<string, string> = {}): Promise<Server> {
  writeFileSync(
    join(folder, 'vault.hcl'),
    `listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\nstorage "file" {\n  path = "data"\n}\n${seal}\n`,
  );
  const running = start(['vault', 'server', '-config=vault.hcl'], { cwd: folder, env });
  const kill = async () => {
    running.child.kill('SIGKILL');
    await running.finished;
  };
  cleaning.push(kill);
  const [, address] = await running.printed(/Api Address: (\S+)\n[\s\S]*server started!/);
  return {
    call: (method, path, body, token = '') => callVault(address!, { method, path, body, token }),
    log: () => running.stderr(),
    kill,
  };
}

function folder(): string {
  const { path, remove } = temporaryFolder();
  cleaning.push(remove);
  return path;
}

async function initialise(server: Server): Promise<string> {
  const { status, body } = await server.call('PUT', 'sys/init', {
    recovery_shares: 1,
    recovery_threshold: 1,
  });
  expect([status, body.keys, (body.recovery_keys as string[]).length]).toEqual([200, [], 1]);
  return body.root_token as string;
}

test('with a static key it is open again after kill -9, and the data tell neither the key nor what it keeps', async () => {
  const path = folder();
  const key = systemEntropy.bytes(32);
  writeFileSync(join(path, 'unseal.key'), key);
  const seal = 'seal "static" {\n  current_key_id = "one"\n  current_key = "file://unseal.key"\n}';
  let server = await serve(path, seal);
  const root = await initialise(server);
  await server.kill();
  server = await serve(path, seal);
  expect((await server.call('GET', 'sys/health')).status).toBe(200);
  expect((await server.call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);
  await server.kill();
  const files = readdirSync(join(path, 'data')).map((name) => join(path, 'data', name));
  const content = files.map((file) => readFileSync(file, 'latin1')).join('');
  for (const secret of [root, key.toString('latin1'), key.toString('hex'), key.toString('base64')]) {
    expect(content.includes(secret)).toBe(false);
  }

  // The next key from the environment, this one beside it; another kind of seal is refused.
  const next = systemEntropy.bytes(32).toString('base64');
  const both =
    'seal "static" {\n  current_key_id = "two"\n  current_key = "env://NEXT_KEY"\n' +
    '  previous_key_id = "one"\n  previous_key = "file://unseal.key"\n}';
  server = await serve(path, both, { NEXT_KEY: next });
  expect((await server.call('GET', 'sys/health')).status).toBe(200);
  await server.kill();
  const shamir = start(['vault', 'server', '-config=vault.hcl'], { cwd: path });
  expect((await shamir.finished).status).not.toBe(0);
  expect(shamir.stderr()).toContain('NEXT_KEY, which holds the key, is not set');
});

test('with a transit key it waits, sealed, for the other Vault, and opens once that answers', async () => {
  const path = folder();
  const transit = await transitServer();
  cleaning.push(() => transit.close());
  const seal = `seal "transit" {\n  address = "${transit.address}"\n  mount_path = "transit/"\n  key_name = "autounseal"\n}`;
  const env = { VAULT_TOKEN: 'transit-token' };
  let server = await serve(path, seal, env);
  await initialise(server);
  await server.kill();
  transit.seal(true);
  server = await serve(path, seal, env);
  const health = await server.call('GET', 'sys/health');
  expect([health.status, health.body.sealed]).toEqual([503, true]);
  expect((await server.call('GET', 'sys/seal-status')).body).toMatchObject({
    type: 'transit',
    initialized: true,
  });
  expect(server.log()).toContain('vault cannot unseal by itself');
  expect(server.log()).not.toContain('transit-token');
  transit.seal(false);
  while ((await server.call('GET', 'sys/health')).status !== 200) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
});
