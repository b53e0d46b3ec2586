import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Finished, run, start, temporaryFolder } from './support/capstan.ts';
import { postgresMissing, startPostgres, type TestPostgres } from './support/postgres.ts';
import { callVault } from './support/vault.ts';
import { initialise, type Secrets, startNode, unseal, type VaultNode } from './support/vault-nodes.ts';

const cleaning: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

function folder(): string {
  const { path, remove } = temporaryFolder();
  cleaning.push(remove);
  return path;
}

/** A sealed server in `path`, over the storage that the stanza names. */
async function serve(path: string, storage = 'storage "file" { path = "data" }'): Promise<VaultNode> {
  const listener = 'listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\n';
  writeFileSync(join(path, 'vault.hcl'), `${listener}${storage}\n`);
  const running = start(['vault', 'server', '-config=vault.hcl'], { cwd: path });
  const [, address] = await running.printed(/Api Address: (\S+)\n[\s\S]*server started!/);
  const kill = async () => {
    running.child.kill('SIGKILL');
    await running.finished;
  };
  cleaning.push(kill);
  const call: VaultNode['call'] = (method, route, body, token = '') =>
    callVault(address!, { method, path: route, body, token });
  return { running, address: address!, call, kill };
}

function command(node: VaultNode, { root }: Secrets, ...args: string[]): Promise<Finished> {
  return run(['vault', 'operator', ...args], { env: { VAULT_ADDR: node.address, VAULT_TOKEN: root } });
}

/** A root of that name at its own mount; answers its certificate. */
async function addRoot(node: VaultNode, { root }: Secrets, name: string): Promise<string> {
  await node.call('POST', `sys/mounts/${name}`, { type: 'pki' }, root);
  const body = { common_name: name, key_type: 'ec' };
  const made = await node.call('POST', `${name}/root/generate/internal`, body, root);
  expect([made.status, made.errors]).toEqual([200, []]);
  return made.data.certificate as string;
}

const fine = expect.objectContaining({ status: 0, stderr: '' });

test('a snapshot brings back what was, without a new unsealing, and is encrypted', async () => {
  const path = folder();
  const node = await serve(path);
  const secrets = await initialise(node);
  await unseal(node, secrets);
  const kept = await addRoot(node, secrets, 'kept');
  const file = join(path, 'first.snap');
  expect(await command(node, secrets, 'raft', 'snapshot', 'save', file)).toEqual(fine);
  const content = readFileSync(file);
  expect(content.includes(secrets.root) || content.includes('CERTIFICATE')).toBe(false);
  const again = await command(node, secrets, 'raft', 'snapshot', 'save', file);
  expect([again.status, again.stderr]).toEqual([2, expect.stringContaining('Error opening output file')]);

  await addRoot(node, secrets, 'later');
  await node.call('POST', 'sys/rotate', undefined, secrets.root);
  await node.call('DELETE', 'sys/mounts/kept', undefined, secrets.root);
  const token = (await node.call('POST', 'auth/token/create', {}, secrets.root)).auth.client_token as string;
  expect(await command(node, secrets, 'raft', 'snapshot', 'restore', file)).toEqual(fine);

  expect((await node.call('GET', 'kept/ca/pem')).text).toBe(kept);
  expect((await node.call('GET', 'later/ca/pem', undefined, secrets.root)).status).toBe(404);
  expect((await node.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(403);
  expect((await node.call('GET', 'sys/key-status', undefined, secrets.root)).data.term).toBe(1);
  await addRoot(node, secrets, 'next');
  // It is durable, too.
  await node.kill();
  const restarted = await serve(path);
  await unseal(restarted, secrets);
  expect((await restarted.call('GET', 'kept/ca/pem')).text).toBe(kept);
  expect((await restarted.call('GET', 'next/ca/pem')).status).toBe(200);
});

test('a snapshot of other keys needs force, and then the shares of its own time', async () => {
  const [first, second] = [await serve(folder()), await serve(folder())];
  const secrets = await initialise(first);
  await unseal(first, secrets);
  const kept = await addRoot(first, secrets, 'kept');
  const file = join(folder(), 'first.snap');
  expect(await command(first, secrets, 'raft', 'snapshot', 'save', file)).toEqual(fine);

  const others = await initialise(second);
  await unseal(second, others);
  const refused = await command(second, others, 'raft', 'snapshot', 'restore', file);
  expect([refused.status, refused.stderr]).toEqual([
    2,
    expect.stringContaining('use the snapshot-force API'),
  ]);
  const own = await addRoot(second, others, 'own');
  for (const cut of [readFileSync(file).subarray(0, -40), Buffer.from('nothing')]) {
    const broken = join(folder(), 'broken.snap');
    writeFileSync(broken, cut);
    const told = await command(second, others, 'raft', 'snapshot', 'restore', '-force', broken);
    expect([told.status, told.stderr]).toEqual([2, expect.stringContaining('no whole snapshot')]);
  }
  expect((await second.call('GET', 'own/ca/pem')).text).toBe(own);

  const forced = await command(second, others, 'raft', 'snapshot', 'restore', '-force', file);
  expect(forced).toEqual(fine);
  expect((await second.call('GET', 'sys/seal-status')).body).toMatchObject({ sealed: true });
  await unseal(second, others).catch(() => {});
  expect((await second.call('GET', 'sys/seal-status')).body).toMatchObject({ sealed: true });
  await unseal(second, secrets);
  expect((await second.call('GET', 'kept/ca/pem')).text).toBe(kept);
  expect((await second.call('GET', 'sys/mounts', undefined, others.root)).status).toBe(403);
  expect((await second.call('GET', 'sys/mounts', undefined, secrets.root)).status).toBe(200);
});

test('a snapshot is for those who may, and nobody else’s body is read', async () => {
  const node = await serve(folder());
  const secrets = await initialise(node);
  await unseal(node, secrets);
  const { auth } = await node.call('POST', 'auth/token/create', { policies: ['default'] }, secrets.root);
  for (const token of ['', auth.client_token as string]) {
    expect((await node.call('GET', 'sys/storage/raft/snapshot', undefined, token)).status).toBe(403);
    expect((await node.call('POST', 'sys/storage/raft/snapshot', 'x', token)).status).toBe(403);
    expect((await node.call('POST', 'sys/storage/raft/snapshot-force', 'x', token)).status).toBe(403);
  }
});

test('whoever stops half-way, on either side, leaves nothing behind', async () => {
  const node = await serve(folder());
  const secrets = await initialise(node);
  await unseal(node, secrets);
  for (let n = 0; n < 40; n++) {
    const policy = `# ${'x'.repeat(100_000)}\npath "a${n}" { capabilities = ["read"] }`;
    await node.call('PUT', `sys/policies/acl/p${n}`, { policy }, secrets.root);
  }
  const headers = { 'x-vault-token': secrets.root };
  const url = `${node.address}/v1/sys/storage/raft/snapshot`;
  const whole = Buffer.from(await (await fetch(url, { headers })).arrayBuffer());
  const leaving = new AbortController();
  const answer = await fetch(url, { headers, signal: leaving.signal });
  await answer.body!.getReader().read();
  leaving.abort();

  // A refusal that comes before all of it was sent is still read.
  const long = Buffer.concat([gzipSync('no tar at all'.repeat(1_000)), Buffer.alloc(8_000_000)]);
  const refused = await fetch(url, { method: 'POST', headers, body: long });
  expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('no whole snapshot')]);
  // It waits until nobody reads any more.
  await vi.waitFor(async () => {
    const restored = await fetch(url, { method: 'POST', headers, body: whole });
    expect([restored.status, await restored.text()]).toEqual([204, '']);
  }, 30_000);
});

describe.skipIf(postgresMissing)(postgresMissing ?? 'on PostgreSQL', () => {
  async function withDatabase(act: (database: TestPostgres) => Promise<void>): Promise<void> {
    const database = await startPostgres();
    cleaning.push(() => database.remove());
    await act(database);
  }

  test('what one node restored, the other serves at once', () =>
    withDatabase(async (database) => {
      const path = folder();
      const nodes = [await startNode(database, join(path, 'a')), await startNode(database, join(path, 'b'))];
      cleaning.push(async () => void (await Promise.all(nodes.map((node) => node.kill()))));
      const [a, b] = nodes as [VaultNode, VaultNode];
      const secrets = await initialise(a);
      await unseal(a, secrets);
      await unseal(b, secrets);
      const kept = await addRoot(b, secrets, 'kept');
      const file = join(path, 'a.snap');
      expect(await command(a, secrets, 'raft', 'snapshot', 'save', file)).toEqual(fine);
      await addRoot(b, secrets, 'later');
      await b.call('DELETE', 'sys/mounts/kept', undefined, secrets.root);
      expect(await command(a, secrets, 'raft', 'snapshot', 'restore', file)).toEqual(fine);
      expect((await b.call('GET', 'kept/ca/pem')).text).toBe(kept);
      expect((await b.call('GET', 'later/ca/pem', undefined, secrets.root)).status).toBe(404);
    }));

  test('all data move from a file to a database and back, and no server is needed', () =>
    withDatabase(async (database) => {
      const path = folder();
      const node = await serve(path);
      const secrets = await initialise(node);
      await unseal(node, secrets);
      const kept = await addRoot(node, secrets, 'kept');
      const inDatabase = (name: string) =>
        `${name} "postgresql" { connection_url = "${database.url.reveal()}" }\n`;
      const migrate = (source: string, destination: string) => {
        writeFileSync(join(path, 'migrate.hcl'), source + destination);
        return run(['vault', 'operator', 'migrate', '-config=migrate.hcl'], { cwd: path });
      };
      const there = () =>
        migrate('storage_source "file" { path = "data" }\n', inDatabase('storage_destination'));
      const busy = await there();
      expect([busy.status, busy.stderr]).toEqual([2, expect.stringContaining('in use by another process')]);
      await node.kill();
      expect(await there()).toMatchObject({
        status: 0,
        stdout: 'Success! All of the keys have been migrated.\n',
      });
      const twice = await there();
      expect([twice.status, twice.stderr]).toEqual([
        2,
        expect.stringContaining('there is data in it already'),
      ]);

      const moved = await startNode(database, join(path, 'node'));
      cleaning.push(() => moved.kill());
      await unseal(moved, secrets);
      expect((await moved.call('GET', 'kept/ca/pem')).text).toBe(kept);
      const next = await addRoot(moved, secrets, 'next');
      await moved.kill();
      const back = await migrate(
        inDatabase('storage_source'),
        'storage_destination "file" { path = "back" }\n',
      );
      expect(back).toMatchObject({ status: 0 });
      const home = await serve(path, 'storage "file" { path = "back" }');
      await unseal(home, secrets);
      expect((await home.call('GET', 'next/ca/pem')).text).toBe(next);
      const nothing = await migrate(
        'storage_source "file" { path = "none" }\n',
        inDatabase('storage_destination'),
      );
      expect([nothing.status, nothing.stderr]).toEqual([
        2,
        expect.stringContaining('there is no data in none'),
      ]);
    }));
});
