import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { postgresStore } from '../src/store/postgres.ts';
import { root, start, temporaryFolder } from './support/capstan.ts';
import { postgresMissing, startPostgres } from './support/postgres.ts';
import { callVault } from './support/vault.ts';

/** What an earlier version wrote, never to be written again: each format that was ever released has its folder. */
const fixtures = join(root, 'test', 'fixtures', 'store-format-1');

interface Facts {
  /** Of the sealed server only. */
  keys?: string[];
  root: string;
  certificate: string;
  serial: string;
  token: string;
}

const facts = (name: string) => JSON.parse(readFileSync(join(fixtures, `${name}.json`), 'utf8')) as Facts;

const cleaning: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

async function serve(name: string, args: readonly string[]) {
  const { path, remove } = temporaryFolder();
  cleaning.push(remove);
  cpSync(join(fixtures, name), join(path, 'data'), { recursive: true });
  cpSync(join(fixtures, 'vault.hcl'), join(path, 'vault.hcl'));
  const running = start(['vault', 'server', ...args], { cwd: path });
  cleaning.push(async () => {
    running.child.kill('SIGKILL');
    await running.finished;
  });
  const [, address] = await running.printed(/Api Address: (\S+)\n[\s\S]*server started!/);
  return (method: string, path: string, token: string, body?: unknown) =>
    callVault(address!, { method, path, token, body });
}

type Call = Awaited<ReturnType<typeof serve>>;

async function everythingIsThere(call: Call, kept: Facts): Promise<void> {
  expect((await call('GET', 'pki/ca/pem', '')).text).toBe(kept.certificate);
  expect((await call('GET', `pki/cert/${kept.serial}`, '')).data.certificate).toBe(kept.certificate);
  expect((await call('GET', 'pki/issuer/kept', kept.token)).data.issuer_name).toBe('kept');
  expect((await call('GET', 'pki/roles/kept', kept.token)).data).toMatchObject({
    allowed_domains: ['example.com'],
    allow_subdomains: true,
  });
  expect((await call('GET', 'sys/policies/acl/kept', kept.root)).data.policy).toContain('path "pki/*"');
  expect((await call('GET', 'sys/mounts', kept.token)).status).toBe(403);
  // And it goes on.
  const next = { common_name: 'next root', key_type: 'ec' };
  const made = await call('POST', 'pki/root/generate/internal', kept.token, next);
  expect([made.status, made.errors]).toEqual([200, []]);
  expect((await call('LIST', 'pki/issuers', kept.token)).data.keys).toHaveLength(2);
}

test('a sealed server’s data of format 1 is unsealed with its shares, and all is there', async () => {
  const kept = facts('sealed');
  const call = await serve('sealed', ['-config=vault.hcl']);
  expect((await call('GET', 'sys/seal-status', '')).body).toMatchObject({ sealed: true, t: 2, n: 3 });
  for (const key of kept.keys!.slice(1)) await call('PUT', 'sys/unseal', '', { key });
  await everythingIsThere(call, kept);
  expect((await call('GET', 'pki/config/urls', kept.root)).data.issuing_certificates).toEqual([
    'http://kept/ca',
  ]);
  expect((await call('GET', 'sys/key-status', kept.root)).data.term).toBe(2);
});

test('a dev server’s data of format 1 is opened with its key file, and all is there', async () => {
  const kept = facts('dev');
  const flags = ['-dev', '-dev-listen-address=127.0.0.1:0', `-dev-root-token-id=${kept.root}`, '-data=data'];
  await everythingIsThere(await serve('dev', flags), kept);
});

describe.skipIf(postgresMissing)(postgresMissing ?? 'a database', () => {
  test('of format 1 is brought up to date by whoever opens it, its data as they were', async () => {
    const database = await startPostgres();
    cleaning.push(() => database.remove());
    await database.sql(readFileSync(join(fixtures, 'postgres.sql'), 'utf8'));
    // Of nodes that start together one does it.
    const stores = await Promise.all([1, 2, 3].map(() => postgresStore({ url: database.url })));
    cleaning.push(async () => void (await Promise.all(stores.map((store) => store.close()))));
    const [store] = stores as [Awaited<ReturnType<typeof postgresStore>>];
    expect(await store.list({ prefix: '' })).toEqual([
      { key: 'a', value: Buffer.from('3'), revision: 2 },
      { key: 'c', value: Buffer.alloc(40, 7), revision: 3 },
    ]);
    // What was deleted before deletions were kept is not known.
    const old = store.changedKeys({ prefixes: [''], after: 1 });
    await expect(old).rejects.toEqual(expect.objectContaining({ code: 'store.watch.compacted' }));
    const revision = await store.commit({ expect: [{ key: 'a', revision: 2 }], deletes: ['a'] });
    expect(await stores[1]!.changedKeys({ prefixes: [''], after: 3 })).toEqual({
      upTo: revision,
      more: false,
      commits: [{ revision, puts: [], deletes: ['a'] }],
    });
  });
});
