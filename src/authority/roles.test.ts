import { expect, test } from 'vitest';
import type { Following } from '../store/following.ts';
import { memoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { storedRoles } from './roles.ts';

async function twoNodes(store: Store = memoryStore()) {
  const revision = await store.commit({ puts: [{ key: 'mount', value: Buffer.from('') }] });
  const reloads: (() => Promise<void>)[] = [];
  const following: Following = {
    follow: (_, reload) => {
      reloads.push(reload);
      return () => {};
    },
    fresh: async () => {
      for (const reload of reloads) await reload();
    },
  };
  const node = () =>
    storedRoles({ store, prefix: 'x/', guard: () => ({ key: 'mount', revision }), following });
  return { following, here: node(), there: node() };
}

test('a role is the same object until it changes', async () => {
  const { here } = await twoNodes();
  await here.put('web', { ttl: 1_000 });
  const before = await here.get('web');
  expect(await here.get('web')).toBe(before);
  await here.patch('web', { ttl: 2_000 });
  expect(await here.get('web')).toMatchObject({ ttl: 2_000 });
  await here.delete('web');
  expect(await here.get('web')).toBeUndefined();
});

test('what another node changed is known once the store was looked at', async () => {
  const { here, there, following } = await twoNodes();
  await here.put('web', { ttl: 1_000 });
  await here.get('web');
  await there.put('web', { ttl: 2_000 });
  await following.fresh();
  expect(await here.get('web')).toMatchObject({ ttl: 2_000 });
});

test('a reading that a change overtook is not kept', async () => {
  const store = memoryStore();
  let gate = Promise.resolve();
  const slowStore: Store = {
    ...store,
    get: async (key) => {
      const entry = await store.get(key);
      await gate;
      return entry;
    },
  };
  const { here } = await twoNodes(slowStore);
  await here.put('web', { ttl: 1_000 });
  let release = () => {};
  gate = new Promise((resolve) => {
    release = resolve;
  });
  const slow = here.get('web');
  await here.put('web', { ttl: 2_000 });
  release();
  expect(await slow).toMatchObject({ ttl: 1_000 });
  expect(await here.get('web')).toMatchObject({ ttl: 2_000 });
});
