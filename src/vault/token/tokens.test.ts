import { beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../../base/duration.ts';
import { seededEntropy } from '../../base/entropy.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { memoryStore } from '../../store/memory.ts';
import type { Store } from '../../store/store.ts';
import type { NewToken } from './token.ts';
import { openTokens, type Tokens } from './tokens.ts';

let store: Store;
let clock: ManualClock;
let tokens: Tokens;
let opened = 0;
const open = () => openTokens({ store, clock, entropy: seededEntropy(`t${++opened}`), log: silentLog });

beforeEach(async () => {
  store = memoryStore();
  clock = new ManualClock();
  tokens = await open();
});

function plan(changes: Partial<NewToken> = {}): NewToken {
  return {
    policies: ['a'],
    path: 'auth/token/create',
    meta: null,
    displayName: 'token',
    numUses: 0,
    createdMs: clock.now(),
    ttlMs: hourMs,
    explicitMaxTtlMs: 0,
    periodMs: 0,
    renewable: true,
    expiresMs: clock.now() + hourMs,
    ...changes,
  };
}

const alive = async (id: string) => (await tokens.lookup(id)) !== undefined;
const stored = async () =>
  (await store.list({ prefix: 'token/' }))
    .map(({ key }) => key)
    .filter((key) => !['token/salt', 'token/batch-key'].includes(key));

test('a token looks like Vault’s, is found by itself and its accessor, and stands nowhere in the store', async () => {
  const { id, token } = await tokens.create(plan());
  expect(id).toMatch(/^hvs\.[0-9A-Za-z]{91}$/);
  expect(token.accessor).toMatch(/^[0-9A-Za-z]{24}$/);
  expect((await tokens.lookup(id))!.token).toEqual(token);
  expect(await tokens.byAccessor(token.accessor)).toEqual(token);
  expect(await tokens.accessors()).toEqual([token.accessor]);
  const written = (await store.list({ prefix: '' })).flatMap(({ key, value }) => [
    key,
    value.toString('latin1'),
  ]);
  expect(written.filter((text) => text.includes(id) || text.includes(id.slice(4)))).toEqual([]);
  expect(await alive(`${id}x`)).toBe(false);
  expect(await alive('')).toBe(false);
});

test('it ends on the millisecond, and nothing of it stays', async () => {
  const { id } = await tokens.create(plan());
  await clock.advance(hourMs - 1);
  expect(await alive(id)).toBe(true);
  await clock.advance(1);
  expect(await alive(id)).toBe(false);
  await clock.advance(1_000);
  expect(await stored()).toEqual([]);
});

test('what expired while the server was down is removed when it starts', async () => {
  await tokens.create(plan());
  tokens.close();
  await clock.advance(2 * hourMs);
  expect((await stored()).length).toBeGreaterThan(0);
  tokens = await open();
  expect(await stored()).toEqual([]);
});

test('with a token end all that came from it, orphans apart', async () => {
  const parent = await tokens.create(plan());
  const child = await tokens.create(plan({ parent: parent.token.name }));
  const grandchild = await tokens.create(
    plan({ parent: child.token.name, expiresMs: clock.now() + 9 * hourMs }),
  );
  const orphan = await tokens.create(plan());
  await tokens.revoke(parent.token.name);
  for (const { id } of [parent, child, grandchild]) expect(await alive(id)).toBe(false);
  expect(await alive(orphan.id)).toBe(true);
  expect((await stored()).filter((key) => key.startsWith('token/id/'))).toHaveLength(1);
  expect((await stored()).filter((key) => key.startsWith('token/holds/'))).toEqual([]);
});

test('a child is dead with its parent even where it was not cleaned up', async () => {
  const parent = await tokens.create(plan());
  const child = await tokens.create(plan({ parent: parent.token.name, expiresMs: clock.now() + 9 * hourMs }));
  await store.commit({ deletes: [`token/id/${parent.token.name}`] });
  expect(await alive(child.id)).toBe(false);
  await expect(tokens.create(plan({ parent: child.token.name }))).rejects.toThrow('no parent found');
});

test('uses are counted, also when they come at once', async () => {
  const { id } = await tokens.create(plan({ numUses: 3 }));
  const presented = (await tokens.lookup(id))!;
  const used = await Promise.all(Array.from({ length: 10 }, () => tokens.use(presented)));
  expect(used.map((token) => token?.numUses)).toEqual([
    2,
    1,
    -1,
    ...Array.from({ length: 7 }, () => undefined),
  ]);
  expect(await alive(id)).toBe(false);
});

test('an extension moves the end, and the old one does nothing', async () => {
  const { id, token } = await tokens.create(plan());
  await tokens.extend(token, (now) => ({ ...now, expiresMs: clock.now() + 3 * hourMs }));
  await clock.advance(2 * hourMs);
  expect(await alive(id)).toBe(true);
  await clock.advance(hourMs);
  expect(await alive(id)).toBe(false);
  expect(await stored()).toEqual([]);
});

test('an id is used once', async () => {
  await tokens.create(plan(), 'mine');
  await expect(tokens.create(plan(), 'mine')).rejects.toThrow('cannot create a token with a duplicate ID');
});

test('another store salts otherwise', async () => {
  const { token } = await tokens.create(plan(), 'same');
  const other = await openTokens({
    store: memoryStore(),
    clock,
    entropy: seededEntropy('u'),
    log: silentLog,
  });
  expect((await other.create(plan(), 'same')).token.name).not.toBe(token.name);
});

describe('a batch token', () => {
  test('costs no write, is read by whoever has the store, and ends by itself', async () => {
    const before = await stored();
    const { id, token } = await tokens.create(plan({ type: 'batch', meta: { team: 'a' } }));
    expect(id).toMatch(/^hvb\.[\w-]+$/);
    expect(await stored()).toEqual(before);
    const found = await (await open()).lookup(id);
    expect(found?.token).toEqual(token);
    expect(token).toMatchObject({ type: 'batch', accessor: '', meta: { team: 'a' } });
    await clock.advance(hourMs - 1);
    expect(await alive(id)).toBe(true);
    await clock.advance(1);
    expect(await alive(id)).toBe(false);
  });

  test('dies with its parent', async () => {
    const parent = await tokens.create(plan());
    const { id } = await tokens.create(plan({ type: 'batch', parent: parent.token.name }));
    expect(await alive(id)).toBe(true);
    await tokens.revoke(parent.token.name);
    expect(await alive(id)).toBe(false);
    const more = tokens.create(plan({ type: 'batch', parent: parent.token.name }));
    await expect(more).rejects.toThrow('no parent found');
  });

  test('is nothing once a character of it is another, and nothing to another server', async () => {
    const { id } = await tokens.create(plan({ type: 'batch' }));
    for (let at = 'hvb.'.length; at < id.length; at++) {
      const other = id[at] === 'A' ? 'B' : 'A';
      expect(await alive(id.slice(0, at) + other + id.slice(at + 1))).toBe(false);
    }
    for (const wrong of ['hvb.', `${id}A`, `${id}=`, id.slice(0, -1)]) expect(await alive(wrong)).toBe(false);
    store = memoryStore();
    tokens = await open();
    expect(await alive(id)).toBe(false);
  });
});
