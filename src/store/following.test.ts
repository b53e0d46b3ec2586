import { expect, test, vi } from 'vitest';
import { following } from './following.ts';
import { memoryStore } from './memory.ts';
import type { Store } from './store.ts';

const put = (key: string) => ({ puts: [{ key, value: Buffer.from(key) }] });

/** A store whose looks wait until they are let go. */
function held(store: Store) {
  const waiting: (() => void)[] = [];
  const slow: Store = {
    ...store,
    async changedKeys(options) {
      const changed = await store.changedKeys(options);
      await new Promise<void>((resolve) => waiting.push(resolve));
      return changed;
    },
  };
  return { slow, waiting };
}

test('reloads what has changed, and only that, before it is fresh', async () => {
  const store = memoryStore();
  await store.commit(put('a/0'));
  const follow = await following(store);
  const a = vi.fn(async () => {});
  const b = vi.fn(async () => {});
  follow.follow(['a/'], a);
  const end = follow.follow(['b/', 'c'], b);
  await follow.fresh();
  expect([a.mock.calls.length, b.mock.calls.length]).toEqual([0, 0]);
  await store.commit(put('a/1'));
  await follow.fresh();
  await store.commit({ ...put('c'), deletes: ['a/0'] });
  await follow.fresh();
  expect([a.mock.calls.length, b.mock.calls.length]).toEqual([2, 1]);
  end();
  await store.commit(put('b/1'));
  await follow.fresh();
  expect(b).toHaveBeenCalledTimes(1);
});

test('one look serves all that wait for it, and none that came too late for it', async () => {
  const store = memoryStore();
  const { slow, waiting } = held(store);
  const follow = await following(slow);
  const seen: string[] = [];
  follow.follow([''], async () => {
    seen.push(...(await store.list({ prefix: '' })).map(({ key }) => key));
  });
  const first = follow.fresh();
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  // Committed after the look, before those that now ask.
  await store.commit(put('late'));
  const second = [follow.fresh(), follow.fresh(), follow.fresh()];
  waiting[0]!();
  await first;
  expect(seen).toEqual([]);
  await vi.waitFor(() => expect(waiting).toHaveLength(2));
  waiting[1]!();
  await Promise.all(second);
  expect(seen).toEqual(['late']);
  expect(waiting).toHaveLength(2);
});

test('a follower that comes during a look misses nothing', async () => {
  const store = memoryStore();
  const { slow, waiting } = held(store);
  const follow = await following(slow);
  const fresh = follow.fresh();
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  const reload = vi.fn(async () => {});
  follow.follow(['a'], reload);
  waiting[0]!();
  await fresh;
  expect(reload).toHaveBeenCalledTimes(1);
});

test('a reload that failed is done again', async () => {
  const store = memoryStore();
  const follow = await following(store);
  const reload = vi.fn(async () => {});
  follow.follow(['a'], reload);
  await store.commit(put('a'));
  reload.mockRejectedValueOnce(new Error('lost'));
  await expect(follow.fresh()).rejects.toThrow('lost');
  await follow.fresh();
  expect(reload).toHaveBeenCalledTimes(2);
});

test('where the changes are not known any more, everybody reads anew', async () => {
  const store = memoryStore();
  const follow = await following({ ...store, revision: async () => 0 });
  const reload = vi.fn(async () => {});
  follow.follow(['nothing'], reload);
  // More than a process keeps in mind.
  for (let n = 0; n < 30; n++) {
    await store.commit({ puts: Array.from({ length: 5_000 }, (_, at) => put(`k/${at}`).puts[0]!) });
  }
  const behind = await following({ ...store, revision: async () => 1 });
  behind.follow(['nothing'], reload);
  await behind.fresh();
  expect(reload).toHaveBeenCalledTimes(1);
});
