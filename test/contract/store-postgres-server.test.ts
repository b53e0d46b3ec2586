import { afterEach, describe, expect, test } from 'vitest';
import { dayMs } from '../../src/base/duration.ts';
import { SecretText } from '../../src/base/secret.ts';
import { type PostgresOptions, postgresStore } from '../../src/store/postgres.ts';
import type { Store } from '../../src/store/store.ts';
import { issuance } from '../support/certificates.ts';
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts';

const unavailable = (message: RegExp) =>
  expect.objectContaining({
    code: 'store.unavailable',
    fix: expect.any(String),
    message: expect.stringMatching(message),
  });
const put = (key: string) => ({ puts: [{ key, value: Buffer.from(key) }] });

describe.skipIf(postgresMissing)(
  postgresMissing ?? 'a store whose PostgreSQL server has a life of its own',
  () => {
    let server: TestPostgres | undefined;
    let store: Store | undefined;
    afterEach(async () => {
      await store?.close();
      await server?.remove();
      store = undefined;
      server = undefined;
    });

    async function begin(settings: string[] = [], options: PostgresOptions = {}) {
      server = await startPostgres(settings);
      store = await postgresStore({ url: server.url, ...options });
      return { server, store };
    }

    test('a crash in the middle loses nothing acknowledged, and the store goes on by itself', async () => {
      const { server, store } = await begin();
      const acknowledged: string[] = [];
      const refusals: unknown[] = [];
      const enough = new AbortController();
      const write = async (lane: number) => {
        for (let n = 0; !enough.signal.aborted; n++) {
          const name = `${lane}-${String(n).padStart(5, '0')}`;
          try {
            await store.commit({ puts: [...put(`first/${name}`).puts, ...put(`second/${name}`).puts] });
            acknowledged.push(name);
          } catch (error) {
            refusals.push(error);
          }
        }
      };
      const writing = Promise.all([0, 1, 2, 3, 4, 5].map(write));
      await until(() => acknowledged.length > 100);
      await server.stop('immediate');
      await until(() => refusals.length > 20);
      await expect(store.get('first/0-00000')).rejects.toEqual(unavailable(/cannot be used/));
      const beforeStart = acknowledged.length;
      await server.start();
      await until(() => acknowledged.length > beforeStart + 100);
      enough.abort();
      await writing;

      for (const refusal of refusals)
        expect(refusal).toEqual(unavailable(/cannot be used|may have happened/));
      // The server was gone for most of them, and that none of those happened is known.
      expect(refusals).toContainEqual(unavailable(/cannot be used/));
      const first = (await store.list({ prefix: 'first/' })).map(({ key }) => key.slice('first/'.length));
      const second = (await store.list({ prefix: 'second/' })).map(({ key }) => key.slice('second/'.length));
      expect(second).toEqual(first);
      expect(acknowledged.filter((name) => !first.includes(name))).toEqual([]);
      expect(await store.revision()).toBe(first.length);
    });

    test('a connection that breaks during a commit leaves it unknown, and only then', async () => {
      const { server, store } = await begin();
      await store.commit(put('a'));
      const other = await server.connect();
      await other.query('BEGIN; SELECT FROM capstan.head FOR UPDATE');
      const commit = store.commit(put('b'));
      const broken = expect(commit).rejects.toEqual(unavailable(/may have happened/));
      const ended = `SELECT count(pg_terminate_backend(pid))::integer AS n FROM pg_stat_activity
                   WHERE application_name = 'capstan' AND wait_event_type = 'Lock'`;
      await until(async () => (await server.sql(ended))[0]!.n === 1);
      await broken;
      await other.end();
      expect(await store.get('b')).toBeUndefined();
      expect(await store.commit(put('b'))).toBe(2);
    });

    test('connections that were cut while idle are replaced in silence', async () => {
      const { server, store } = await begin();
      await Promise.all(['a', 'b', 'c'].map((key) => store.get(key)));
      for (let round = 0; round < 5; round++) {
        await server.sql(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'capstan'`,
        );
        expect(await store.revision()).toBe(0);
      }
    });

    test('synchronous_commit off is overruled: what is acknowledged survives a crash at once', async () => {
      const { server, store } = await begin(['synchronous_commit=off', 'wal_writer_delay=10s']);
      for (const key of ['a', 'b', 'c']) await store.commit(put(key));
      await server.stop('immediate');
      await server.start();
      expect((await store.list({ prefix: '' })).map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    });

    test('a server that does not sync is refused, at the start and as soon as it stops to', async () => {
      const { server, store } = await begin();
      await store.commit(put('a'));
      await server.sql('ALTER SYSTEM SET fsync = off');
      await server.sql('SELECT pg_reload_conf()');
      await until(async () => (await server.sql('SHOW fsync'))[0]!.fsync === 'off');
      // The session that is open learns of it between two statements of its own.
      let refusal: unknown;
      await until(async () => {
        refusal = await store.commit(put('b')).then(
          () => undefined,
          (error: unknown) => error,
        );
        return refusal !== undefined;
      });
      expect(refusal).toEqual(unavailable(/fsync off/));
      // The next one needs a new connection, which is refused at once.
      await expect(store.commit(put('b'))).rejects.toEqual(unavailable(/fsync off/));
      const refused = expect.objectContaining({ code: 'store.open.durability', fix: expect.any(String) });
      await expect(postgresStore({ url: server.url })).rejects.toEqual(refused);

      const careless = await postgresStore({ url: server.url, allowFsyncOff: true });
      await careless.commit(put('c'));
      await careless.close();

      await server.sql('ALTER SYSTEM SET fsync = on');
      await server.sql('SELECT pg_reload_conf()');
      await until(async () => (await server.sql('SHOW fsync'))[0]!.fsync === 'on');
      await store.commit(put('d'));
      expect(await store.get('c')).toBeDefined();
    });

    test('a standby answers nothing, since it may be behind; once promoted it serves', async () => {
      const { server, store } = await begin();
      await store.commit(put('a'));
      await server.stop('fast');
      server.place('standby.signal', '');
      await server.start();
      await expect(store.get('a')).rejects.toEqual(unavailable(/standby/));
      await expect(store.commit(put('b'))).rejects.toEqual(unavailable(/standby/));
      await expect(postgresStore({ url: server.url })).rejects.toEqual(unavailable(/standby/));
      await server.sql('SELECT pg_promote()');
      expect(await store.get('a')).toBeDefined();
      expect(await store.commit(put('b'))).toBe(2);
    });

    test('a server that is not there is told, with its address and without the password', async () => {
      server = await startPostgres();
      await server.stop('fast');
      const url = new SecretText(`postgres://anna:hunter2@127.0.0.1:${server.port}/db`);
      const refusal: unknown = await postgresStore({ url }).catch((error: unknown) => error);
      const where = `127\\.0\\.0\\.1:${server.port} \\(database db, user anna\\) cannot be used: .*ECONNREFUSED`;
      expect(refusal).toEqual(unavailable(new RegExp(where)));
      expect(String(refusal)).not.toContain('hunter2');
    });

    test('over TLS it talks only to a server that proves who it is', async () => {
      // Both ends judge by the machine's clock.
      const issue = issuance('tls', Date.now() - dayMs);
      const ca = await issue({ commonName: 'Database CA' });
      const other = await issue({ commonName: 'Another CA' });
      const leaf = await issue({ commonName: 'db.test', by: ca, dnsNames: ['db.test'] });
      const { server } = await begin();
      await server.stop('fast');
      server.place('server.crt', leaf.pem);
      server.place('server.key', leaf.keyPem);
      await server.start(['ssl=on']);
      const connect = (tls: PostgresOptions['tls']) =>
        postgresStore({
          url: new SecretText(`postgres://postgres@127.0.0.1:${server.port}/postgres`),
          password: server.password,
          tls: tls!,
        });
      const secure = await connect({ ca: ca.pem, servername: 'db.test' });
      await secure.commit(put('a'));
      expect(
        await server.sql(
          `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'capstan'`,
        ),
      ).toEqual([{ ssl: true }]);
      await secure.close();
      await expect(connect({ ca: other.pem, servername: 'db.test' })).rejects.toEqual(
        unavailable(/certificate/),
      );
      await expect(connect({ ca: ca.pem, servername: 'elsewhere.test' })).rejects.toEqual(
        unavailable(/elsewhere\.test/),
      );
    });
  },
);

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
