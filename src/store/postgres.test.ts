import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/support/postgres.ts';
import { SecretText } from '../base/secret.ts';
import { type PostgresOptions, postgresStore } from './postgres.ts';
import type { Store } from './store.ts';

const fault = (code: string, message = /./) =>
  expect.objectContaining({ code, fix: expect.any(String), message: expect.stringMatching(message) });
const put = (key: string) => ({ puts: [{ key, value: Buffer.from(key) }] });

describe.skipIf(postgresMissing)(postgresMissing ?? 'a store in PostgreSQL', () => {
  let server: TestPostgres;
  let schemas = 0;
  let stores: Store[] = [];
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()));
    stores = [];
  });

  /** A store that is closed after the test; in a new schema where none is named. */
  async function open(options: Partial<PostgresOptions> = {}): Promise<Store> {
    const store = await postgresStore({ url: server.url, schema: `s_${schemas++}`, ...options });
    stores.push(store);
    return store;
  }

  describe('its schema', () => {
    test('what was committed is there when it is opened again', async () => {
      const first = await open({ schema: 'again' });
      const revision = await first.commit(put('a'));
      await first.close();
      const second = await open({ schema: 'again' });
      expect(await second.get('a')).toEqual({ key: 'a', value: Buffer.from('a'), revision });
      expect(await second.commit({ deletes: ['a'] })).toBe(revision + 1);
    });

    test('stores in one database are strangers to each other', async () => {
      const [one, other] = await Promise.all([open(), open()]);
      await one.commit(put('a'));
      expect(await other.get('a')).toBeUndefined();
      expect(await other.revision()).toBe(0);
    });

    test('a schema of another program and one of a later format are left alone', async () => {
      await server.sql('CREATE SCHEMA theirs; CREATE TABLE theirs.entry (x integer)');
      await expect(open({ schema: 'theirs' })).rejects.toEqual(
        fault('store.open.version', /another program/),
      );
      await open({ schema: 'later' });
      await server.sql('UPDATE later.format SET version = 99');
      await expect(open({ schema: 'later' })).rejects.toEqual(fault('store.open.version', /newer Capstan/));
    });

    test('a user without the right to make schemas can use one that was made for it', async () => {
      await server.sql(`CREATE ROLE plain LOGIN; CREATE SCHEMA made AUTHORIZATION plain;
                        REVOKE CREATE ON DATABASE postgres FROM PUBLIC`);
      const store = await open({ schema: 'made', user: 'plain' });
      expect(await store.commit(put('a'))).toBe(1);
      await expect(open({ schema: 'unmade', user: 'plain' })).rejects.toEqual(fault('store.open.denied'));
    });

    test('a name that would need quotes is refused before anything is sent', async () => {
      for (const schema of ['', 'a; DROP TABLE x', 'Caps', 'pg_mine', 'a'.repeat(64)]) {
        await expect(open({ schema })).rejects.toEqual(fault('store.postgres.schema'));
      }
    });
  });

  describe('its commits', () => {
    test('batches that wait together share a transaction, and one that conflicts takes no other with it', async () => {
      const store = await open({ schema: 'grouped' });
      const conditional = (key: string, revision: number) =>
        store.commit({ ...put(key), expect: [{ key, revision }] });
      const results = await Promise.allSettled([
        store.commit(put('a')),
        conditional('b', 5),
        conditional('c', 0),
        conditional('a', 1),
      ]);
      expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason))).toEqual(
        [1, fault('store.conflict', /^b is at revision 0, not 5$/), 2, 3],
      );
      expect((await store.list({ prefix: '' })).map(({ key, revision }) => [key, revision])).toEqual([
        ['a', 3],
        ['c', 2],
      ]);
      const written = await server.sql('SELECT DISTINCT xmin::text FROM grouped.entry');
      expect(written).toHaveLength(1);
    });

    test('a batch that is waiting when the store closes is written first', async () => {
      const store = await open({ schema: 'closing' });
      const written = store.commit(put('a'));
      await store.close();
      expect(await written).toBe(1);
      expect(await (await open({ schema: 'closing' })).get('a')).toBeDefined();
    });

    test('values of the largest size come back as they were, many at once too', async () => {
      const store = await open();
      const value = Buffer.alloc(4 * 1_024 * 1_024, 0xa5);
      await Promise.all(['a', 'b', 'c'].map((key) => store.commit({ puts: [{ key, value }] })));
      for (const entry of await store.list({ prefix: '' })) expect(entry.value.equals(value)).toBe(true);
    });

    test('neither the isolation nor the read-only mode that a database defaults to reach the store', async () => {
      await server.sql(`CREATE ROLE strict LOGIN SUPERUSER;
                        ALTER ROLE strict SET default_transaction_isolation = 'serializable';
                        ALTER ROLE strict SET default_transaction_read_only = on`);
      const store = await open({ user: 'strict' });
      const claims = await Promise.allSettled(
        [store, await open({ user: 'strict', schema: `s_${schemas - 1}` })].flatMap((node) =>
          Array.from({ length: 5 }, () => node.commit({ ...put('k'), expect: [{ key: 'k', revision: 0 }] })),
        ),
      );
      expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const claim of claims) {
        if (claim.status === 'rejected') expect(claim.reason).toEqual(fault('store.conflict'));
      }
    });

    test('a statement that takes too long is ended, told as not done, and the store goes on', async () => {
      const store = await open({ schema: 'slow', statementTimeoutMs: 200 });
      const other = await server.connect();
      await other.query('BEGIN; SELECT FROM slow.head FOR UPDATE');
      await expect(store.commit(put('a'))).rejects.toEqual(
        fault('store.unavailable', /cannot be used: .*timeout/),
      );
      await other.end();
      expect(await store.get('a')).toBeUndefined();
      expect(await store.commit(put('a'))).toBe(1);
    });
  });

  describe('who may connect, and how', () => {
    const overTcp = (): Partial<PostgresOptions> => ({
      url: new SecretText(`postgres://postgres@127.0.0.1:${server.port}/postgres`),
    });

    test('with the password; it is in no message', async () => {
      const store = await open({ ...overTcp(), password: server.password });
      expect(await store.commit(put('a'))).toBe(1);
      const wrong = new SecretText('hunter2');
      const refusal: unknown = await open({ ...overTcp(), password: wrong }).catch((error: unknown) => error);
      expect(refusal).toEqual(fault('store.open.denied', /user postgres\) does not let us in/));
      expect(inspect(refusal, { depth: 9 })).not.toContain('hunter2');
      await expect(open(overTcp())).rejects.toEqual(fault('store.unavailable', /password/));
    });

    test('a database that is not there is named, with the mend', async () => {
      await expect(open({ database: 'absent' })).rejects.toEqual(fault('store.open.denied', /absent/));
    });
  });
});

test('a server that accepts and then says nothing is given up', async () => {
  const connections: Socket[] = [];
  const silent = createServer((socket) => connections.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const url = new SecretText(`postgres://u@127.0.0.1:${port}/d`);
  await expect(postgresStore({ url, connectTimeoutMs: 50 })).rejects.toEqual(
    fault('store.unavailable', /connection timeout/),
  );
  for (const connection of connections) connection.destroy();
  silent.close();
});
