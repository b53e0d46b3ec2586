import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from './support/capstan.ts';
import { postgresMissing, startPostgres, type TestPostgres } from './support/postgres.ts';
import { type Secrets, startNode, unseal, type VaultNode } from './support/vault-nodes.ts';

const ok = [200, 204];
const root = { common_name: 'r', key_type: 'ec', ttl: '100h' };

describe.skipIf(postgresMissing)(postgresMissing ?? 'two sealed servers on one PostgreSQL database', () => {
  let database: TestPostgres;
  let a: VaultNode;
  let b: VaultNode;
  let secrets: Secrets;
  const folder = temporaryFolder();

  beforeAll(async () => {
    database = await startPostgres();
    [a, b] = await Promise.all([
      startNode(database, join(folder.path, 'a')),
      startNode(database, join(folder.path, 'b')),
    ]);
  });
  afterAll(async () => {
    await Promise.all([a?.kill(), b?.kill()]);
    await database?.remove();
    folder.remove();
  });

  /** With the root token, and expected to succeed. */
  async function on(node: VaultNode, method: string, path: string, body?: unknown) {
    const reply = await node.call(method, path, body, secrets.root);
    expect([path, reply.status, reply.body.errors]).toEqual([path, expect.toBeOneOf(ok), undefined]);
    return reply;
  }

  test('are initialised once, through either, and each unsealed by the same shares', async () => {
    expect((await b.call('GET', 'sys/init')).body).toEqual({ initialized: false });
    const attempts = await Promise.all([
      a.call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 }),
      b.call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 }),
    ]);
    expect(attempts.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 400]);
    const done = attempts.find(({ status }) => status === 200)!;
    secrets = { keys: done.body.keys as string[], root: done.body.root_token as string };
    for (const node of [a, b]) {
      expect((await node.call('GET', 'sys/seal-status')).body).toMatchObject({
        initialized: true,
        sealed: true,
        t: 1,
      });
      expect((await node.call('GET', 'sys/health')).status).toBe(503);
    }
    await Promise.all([unseal(a, secrets), unseal(b, secrets)]);
    const clusters = [await a.call('GET', 'sys/seal-status'), await b.call('GET', 'sys/seal-status')];
    expect(clusters[0]!.body.cluster_id).toBe(clusters[1]!.body.cluster_id);
    const mounts = await Promise.all([a, b].map((node) => on(node, 'GET', 'sys/mounts')));
    expect(mounts[0]!.data).toEqual(mounts[1]!.data);
  });

  test('what one answered is in force on the other at once', async () => {
    for (let round = 0; round < 5; round++) {
      const [here, there] = round % 2 === 0 ? [a, b] : [b, a];
      const at = `pki-${round}`;
      await on(here, 'POST', `sys/mounts/${at}`, { type: 'pki' });
      await on(there, 'POST', `${at}/root/generate/internal`, { ...root, issuer_name: 'first' });
      const { data } = await on(here, 'GET', `${at}/issuer/first`);
      expect(data.issuer_name).toBe('first');
      await on(here, 'POST', `${at}/config/urls`, { issuing_certificates: 'http://x/ca' });
      expect((await on(there, 'GET', `${at}/config/urls`)).data.issuing_certificates).toEqual([
        'http://x/ca',
      ]);
      await on(there, 'POST', `sys/mounts/${at}/tune`, { max_lease_ttl: '87600h' });
      // The guard of the mount that was tuned elsewhere.
      await on(here, 'POST', `${at}/root/generate/internal`, { ...root, issuer_name: 'second' });
      expect((await on(there, 'LIST', `${at}/issuers`)).data.keys).toHaveLength(2);

      await on(here, 'PUT', `sys/policies/acl/p-${round}`, {
        policy: `path "${at}/*" { capabilities = ["read"] }`,
      });
      const made = await on(there, 'POST', 'auth/token/create', { policies: [`p-${round}`], num_uses: 3 });
      const token = made.auth.client_token as string;
      const read = (node: VaultNode) => node.call('GET', `${at}/config/urls`, undefined, token);
      expect([(await read(here)).status, (await read(there)).status]).toEqual([200, 200]);
      await on(there, 'DELETE', `sys/policies/acl/p-${round}`);
      expect((await read(here)).status).toBe(403);
      const other = await on(here, 'POST', 'auth/token/create', { policies: ['default'] });
      const self = (node: VaultNode) =>
        node.call('GET', 'auth/token/lookup-self', undefined, other.auth.client_token as string);
      expect((await self(there)).status).toBe(200);
      await on(there, 'POST', 'auth/token/revoke', { token: other.auth.client_token });
      expect((await self(here)).status).toBe(403);

      await on(here, 'DELETE', `sys/mounts/${at}`);
      expect((await there.call('GET', `${at}/config/urls`, undefined, secrets.root)).status).toBe(404);
    }
  });

  test('a path is mounted once, however many ask for it at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const paths = [`both-${round}`, `both-${round}/below`, `both-${round}`];
      const replies = await Promise.all(
        paths.flatMap((path) =>
          [a, b].map((node) => node.call('POST', `sys/mounts/${path}`, { type: 'pki' }, secrets.root)),
        ),
      );
      expect(replies.filter(({ status }) => status === 204)).toHaveLength(1);
      expect(replies.filter(({ status }) => status === 400)).toHaveLength(5);
      const listed = await Promise.all([a, b].map((node) => on(node, 'GET', 'sys/mounts')));
      expect(listed[0]!.data).toEqual(listed[1]!.data);
      expect(Object.keys(listed[0]!.data).filter((path) => path.startsWith(`both-${round}`))).toHaveLength(1);
    }
  });

  test('a key taken by one is the one that the other writes with', async () => {
    const status = async (node: VaultNode) => (await on(node, 'GET', 'sys/key-status')).data.term;
    await on(a, 'POST', 'sys/mounts/rotated', { type: 'pki' });
    const [before] = await Promise.all([status(a), status(b)]);
    await on(a, 'POST', 'sys/rotate');
    expect([await status(b), await status(a)]).toEqual([Number(before) + 1, Number(before) + 1]);
    const { data } = await on(b, 'POST', 'rotated/root/generate/internal', root);
    expect((await a.call('GET', 'rotated/ca/pem')).text).toBe(data.certificate);
    await on(b, 'POST', 'sys/rotate');
    await on(a, 'POST', 'rotated/root/generate/internal', root);
    expect((await on(b, 'LIST', 'rotated/issuers')).data.keys).toHaveLength(2);
  });

  test('shares drawn anew through one are the shares of the other', async () => {
    await on(a, 'POST', 'sys/mounts/rekeyed', { type: 'pki' });
    const init = await on(a, 'PUT', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 });
    const { nonce } = init.body;
    const done = await on(a, 'PUT', 'sys/rekey/update', { key: secrets.keys[0], nonce });
    expect(done.body.complete).toBe(true);
    // The other goes on, and takes a new key below the root key that it was never told.
    await on(b, 'POST', 'sys/rotate');
    const { data } = await on(b, 'POST', 'rekeyed/root/generate/internal', root);
    expect((await a.call('GET', 'rekeyed/ca/pem')).text).toBe(data.certificate);
    await on(b, 'PUT', 'sys/seal');
    await expect(unseal(b, secrets)).rejects.toThrow('invalid key');
    secrets = { ...secrets, keys: done.body.keys as string[] };
    await unseal(b, secrets);
    expect((await b.call('GET', 'rekeyed/ca/pem')).text).toBe(data.certificate);
  });

  test('sealing one leaves the other alone', async () => {
    await on(a, 'PUT', 'sys/seal');
    expect((await a.call('GET', 'sys/health')).status).toBe(503);
    await on(b, 'POST', 'sys/mounts/meanwhile', { type: 'pki' });
    await unseal(a, secrets);
    expect(Object.keys((await on(a, 'GET', 'sys/mounts')).data)).toContain('meanwhile/');
  });

  test('a database that is away answers 503 with Retry-After, and all goes on once it is back', async () => {
    await on(a, 'POST', 'sys/mounts/lasting', { type: 'pki' });
    await database.stop('immediate');
    for (const node of [a, b]) {
      const reply = await node.call('GET', 'sys/mounts', undefined, secrets.root);
      expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '1']);
      const written = await node.call('POST', 'lasting/root/generate/internal', root, secrets.root);
      expect([written.status, written.headers.get('retry-after')]).toEqual([503, '1']);
      expect(written.text).not.toContain('postgres');
      // It still says how it is: whoever watches it must not take it for dead.
      expect((await node.call('GET', 'sys/health')).status).toBe(200);
    }
    await database.start();
    const { data } = await on(b, 'POST', 'lasting/root/generate/internal', root);
    expect((await a.call('GET', 'lasting/ca/pem')).text).toBe(data.certificate);
  });
});
