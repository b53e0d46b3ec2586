import { afterEach, expect, test } from 'vitest';
import {
  alteredShare,
  type SealedServer,
  type SealedServerSettings,
  sealedServer,
  unseal,
  unsealed,
} from '../../../test/support/sealed-server.ts';
import { seededEntropy } from '../../base/entropy.ts';
import type { AutoSeal } from './auto-seal.ts';
import { staticSeal } from './static-seal.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function start(settings: SealedServerSettings): Promise<SealedServer> {
  const server = await sealedServer(settings);
  closing.push(() => server.close());
  return server;
}

const entropy = seededEntropy('migration');
const kept = (): AutoSeal =>
  staticSeal({ current: { id: 'one', key: seededEntropy('kept').bytes(32) } }, entropy);
/** Another kind, as far as anyone can tell. */
const other = (): AutoSeal => ({
  ...staticSeal({ current: { id: 'two', key: seededEntropy('other').bytes(32) } }, entropy),
  type: 'other',
});

const migrate = (server: SealedServer, key: string) =>
  server.call('PUT', 'sys/unseal', { key, migrate: true });

/** Gives shares until they are enough. */
async function migrated(server: SealedServer, keys: readonly string[]) {
  let reply = await server.call('GET', 'sys/seal-status');
  for (const key of keys) reply = await migrate(server, key);
  return reply;
}

async function health(server: SealedServer): Promise<number> {
  return (await server.call('GET', 'sys/health')).status;
}

test('from shares to a seal that unseals by itself: the same people hold the recovery keys', async () => {
  const before = await start({});
  const { keys, root } = await unsealed(before);
  await before.call('PUT', 'sys/seal', undefined, root);
  const { store } = before;

  const server = await start({ store, autoSeal: kept() });
  expect((await server.call('GET', 'sys/seal-status')).body).toMatchObject({
    ...{ sealed: true, migration: true, type: 'static', recovery_seal: true, t: 2, n: 3 },
  });
  expect(await health(server)).toBe(503);
  expect((await server.call('PUT', 'sys/unseal', { key: keys[0] })).errors).toEqual([
    'migrate option not provided and seal migration is pending',
  ]);
  // Wrong shares change nothing.
  const revision = await store.revision();
  expect((await migrated(server, [keys[0]!, alteredShare(keys[1]!)])).status).toBe(400);
  expect(await store.revision()).toBe(revision);
  expect((await migrated(server, keys.slice(1))).body).toMatchObject({
    sealed: false,
    migration: false,
    type: 'static',
  });
  expect((await server.call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);

  const again = await start({ store, autoSeal: kept() });
  expect(await health(again)).toBe(200);
  await again.call('PUT', 'sys/seal', undefined, root);
  expect((await migrate(again, keys[0]!)).errors).toEqual([
    "can't perform a seal migration, no migration seal found",
  ]);
  expect((await unseal(again, keys.slice(0, 2))).body).toMatchObject({ sealed: false });
});

test('and back: the recovery keys unseal, and the seal opens nothing any more', async () => {
  const before = await start({ autoSeal: kept() });
  const { keys, root } = await unsealed(before);
  const { store } = before;
  const server = await start({ store, formerSeal: kept() });
  expect((await server.call('GET', 'sys/seal-status')).body).toMatchObject({
    ...{ sealed: true, migration: true, type: 'shamir', recovery_seal: false },
  });
  const wrong = await migrated(server, [keys[0]!, alteredShare(keys[1]!)]);
  expect([wrong.status, wrong.errors]).toEqual([
    400,
    ['recovery key verification failed: recovery key does not match submitted values'],
  ]);
  expect((await migrated(server, keys.slice(0, 2))).body).toMatchObject({
    sealed: false,
    type: 'shamir',
    migration: false,
  });
  expect(await store.get('seal/recovery-key')).toBeUndefined();

  const again = await start({ store });
  expect(await health(again)).toBe(503);
  expect((await unseal(again, keys.slice(1))).body).toMatchObject({ sealed: false });
  expect((await again.call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);
  // What is left in the configuration does no harm.
  expect(
    (await (await start({ store, formerSeal: kept() })).call('GET', 'sys/seal-status')).body.migration,
  ).toBe(false);
});

test('from one seal to another, with the recovery keys of the first', async () => {
  const before = await start({ autoSeal: kept() });
  const { keys } = await unsealed(before);
  const { store } = before;
  await expect(sealedServer({ store, autoSeal: other() })).rejects.toMatchObject({
    code: 'vault.seal.type',
    message: 'this server was sealed by seal "static", and seal "other" is configured',
  });
  const server = await start({ store, autoSeal: other(), formerSeal: kept() });
  expect((await migrated(server, keys.slice(1))).body).toMatchObject({ sealed: false, type: 'other' });
  expect(await health(await start({ store, autoSeal: other() }))).toBe(200);
  await expect(sealedServer({ store, autoSeal: kept() })).rejects.toMatchObject({ code: 'vault.seal.type' });
});

test('a node that was open meanwhile goes on, and can rotate', async () => {
  const open = await start({});
  const { keys, root } = await unsealed(open);
  const server = await start({ store: open.store, autoSeal: kept() });
  await migrated(server, keys.slice(1));
  expect((await open.call('PUT', 'sys/rotate', undefined, root)).status).toBe(204);
  const term = async (node: SealedServer) =>
    (await node.call('GET', 'sys/key-status', undefined, root)).data.term;
  expect([await term(open), await term(server)]).toEqual([2, 2]);
});
