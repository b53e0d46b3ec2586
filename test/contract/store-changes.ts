import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { compareKeys } from '../../src/store/keys.ts';
import type { Change, Store } from '../../src/store/store.ts';

const bytes = (text: string) => Buffer.from(text);
const put = (key: string, value = key) => ({ puts: [{ key, value: bytes(value) }] });

/** What every store must tell of its changes, whatever it is made of. `open` gives a new, empty one. */
export function storeChangesContract(name: string, open: () => Promise<Store>): void {
  describe(`${name}: changes`, () => {
    let store: Store;
    let ending: AbortController;
    beforeEach(async () => {
      store = await open();
      ending = new AbortController();
    });
    afterEach(async () => {
      ending.abort();
      await store.close();
    });

    /** The next changes of a watch, as many as are asked for. */
    function watch(prefix: string, after: number): (count: number) => Promise<Change[]> {
      const changes = store.watch({ prefix, after, signal: ending.signal })[Symbol.asyncIterator]();
      return async (count) => {
        const taken: Change[] = [];
        while (taken.length < count) taken.push((await changes.next()).value as Change);
        return taken;
      };
    }

    test('tell each commit, whole and once, before and after the watch began', async () => {
      const first = await store.commit({
        puts: [
          { key: 'a/1', value: bytes('1') },
          { key: 'a/2', value: bytes('2') },
        ],
      });
      const next = watch('', 0);
      expect(await next(1)).toEqual([
        {
          revision: first,
          puts: [
            { key: 'a/1', value: bytes('1'), revision: first },
            { key: 'a/2', value: bytes('2'), revision: first },
          ],
          deletes: [],
        },
      ]);
      const coming = next(1);
      const second = await store.commit({ puts: [{ key: 'a/3', value: bytes('3') }], deletes: ['a/1'] });
      expect(await coming).toEqual([
        { revision: second, puts: [{ key: 'a/3', value: bytes('3'), revision: second }], deletes: ['a/1'] },
      ]);
    });

    test('are those below the prefix, after the revision', async () => {
      await store.commit(put('a/old'));
      const after = await store.commit(put('b/old'));
      await store.commit(put('b/1'));
      await store.commit(put('a/1'));
      await store.commit({ ...put('b/2'), deletes: ['b/old', 'b/never'] });
      await store.commit({ puts: [...put('a/2').puts, ...put('b/3').puts] });
      const seen = await watch('a/', after)(2);
      expect(seen.flatMap(({ puts }) => puts.map(({ key }) => key))).toEqual(['a/1', 'a/2']);
      const others = await watch('b/', after)(3);
      expect(others.flatMap(({ deletes }) => deletes)).toEqual(['b/old']);
    });

    test('leave what was written again to the later commit', async () => {
      const start = await store.commit(put('k', '1'));
      await store.commit(put('k', '2'));
      await store.commit({ deletes: ['k'] });
      const third = await store.commit(put('k', '3'));
      const gone = await store.commit({ ...put('x'), deletes: [] });
      const last = await store.commit({ deletes: ['x'] });
      expect(await store.changedKeys({ prefixes: [''], after: start })).toEqual({
        upTo: last,
        more: false,
        commits: [
          { revision: third, puts: ['k'], deletes: [] },
          { revision: last, puts: [], deletes: ['x'] },
        ],
      });
      expect(gone).toBe(last - 1);
      expect(await store.changedKeys({ prefixes: ['y', 'x'], after: last })).toEqual({
        upTo: last,
        more: false,
        commits: [],
      });
    });

    test('are not made up by a commit that failed', async () => {
      const revision = await store.commit(put('a'));
      const refused = store.commit({ expect: [{ key: 'a', revision: 0 }], ...put('b'), deletes: ['a'] });
      await expect(refused).rejects.toEqual(expect.objectContaining({ code: 'store.conflict' }));
      expect(await store.changedKeys({ prefixes: [''], after: revision })).toEqual({
        upTo: revision,
        more: false,
        commits: [],
      });
    });

    test('are refused where they are not known', async () => {
      const compacted = expect.objectContaining({ code: 'store.watch.compacted' });
      const revision = await store.commit(put('a'));
      await expect(store.changedKeys({ prefixes: ['a'], after: revision + 1 })).rejects.toEqual(compacted);
      await expect(watch('a', revision + 1)(1)).rejects.toEqual(compacted);
    });

    test('are not told across a replacement of everything', async () => {
      const compacted = expect.objectContaining({ code: 'store.watch.compacted' });
      await store.commit(put('a', '1'));
      const before = await store.commit(put('b', '2'));
      const coming = watch('', before)(1);
      const outcome = expect(coming).rejects.toEqual(compacted);
      const revision = await store.replace(pagesOf([put('b', '3').puts, [], put('c', '4').puts]));
      expect(revision).toBeGreaterThan(before);
      await outcome;
      expect(await store.list({ prefix: '' })).toEqual([
        { key: 'b', value: bytes('3'), revision },
        { key: 'c', value: bytes('4'), revision },
      ]);
      expect(await store.revision()).toBe(revision);
      await expect(store.changedKeys({ prefixes: [''], after: before })).rejects.toEqual(compacted);
      const next = await store.commit(put('d'));
      expect(await store.changedKeys({ prefixes: [''], after: revision })).toMatchObject({ upTo: next });
    });

    test('a replacement that cannot be read to its end changes nothing', async () => {
      const revision = await store.commit(put('a'));
      async function* broken() {
        yield put('b').puts;
        await store.get('a');
        throw new Error('torn');
      }
      await expect(store.replace(broken())).rejects.toThrow();
      await expect(store.replace(pagesOf([put('nul\0').puts]))).rejects.toEqual(
        expect.objectContaining({ code: 'store.key' }),
      );
      expect((await store.list({ prefix: '' })).map(({ key }) => key)).toEqual(['a']);
      expect(await store.changedKeys({ prefixes: [''], after: 0 })).toMatchObject({ upTo: revision });
    });

    test('a snapshot is of one moment, whatever is committed while it is read', async () => {
      const puts = Array.from({ length: 2_500 }, (_, n) => put(`k/${String(n).padStart(5, '0')}`).puts[0]!);
      await store.commit({ puts });
      let commits = 0;
      const writing = (async () => {
        for (; !ending.signal.aborted; commits++) {
          await store.commit({
            puts: [put('a/twin', `${commits}`).puts[0]!, put('z/twin', `${commits}`).puts[0]!],
          });
        }
      })();
      for (let round = 0; round < 3; round++) {
        const entries = [];
        for await (const page of store.snapshot()) entries.push(...page);
        const twins = entries.filter(({ key }) => key.endsWith('/twin')).map(({ value }) => value.toString());
        expect(new Set(twins).size).toBeLessThanOrEqual(1);
        expect(entries.filter(({ key }) => key.startsWith('k/')).map(({ key }) => key)).toEqual(
          puts.map(({ key }) => key),
        );
        await vi.waitFor(() => expect(commits).toBeGreaterThan(2 * round));
      }
      ending.abort();
      await writing;
    });

    test('end with the signal, and with the store', async () => {
      const controller = new AbortController();
      const idle = store.watch({ prefix: '', after: 0, signal: controller.signal })[Symbol.asyncIterator]();
      const waiting = idle.next();
      controller.abort();
      expect(await waiting).toEqual({ done: true, value: undefined });
      const next = watch('', 0)(1);
      const outcome = expect(next).rejects.toEqual(expect.objectContaining({ code: 'store.unavailable' }));
      await store.close();
      await outcome;
    });

    test('applied to nothing give what a list gives, however the commits fall', async () => {
      const key = fc.constantFrom('a', 'a/b', 'ab', 'b', 'é');
      const batch = fc.record({ puts: fc.uniqueArray(key, { maxLength: 3 }), deletes: fc.uniqueArray(key) });
      await fc.assert(
        fc.asyncProperty(fc.array(batch, { maxLength: 12 }), fc.nat(12), async (batches, cut) => {
          const fresh = await open();
          try {
            const model = new Map<string, { value: Buffer; revision: number }>();
            let after = 0;
            for (const [at, { puts, deletes }] of batches.entries()) {
              await fresh.commit({ puts: puts.map((one) => ({ key: one, value: bytes(`${at}`) })), deletes });
              if (at === cut) after = await follow(fresh, model, after);
            }
            await follow(fresh, model, after);
            const listed = await fresh.list({ prefix: '' });
            expect([...model.keys()].toSorted(compareKeys)).toEqual(listed.map((entry) => entry.key));
            for (const { key, value, revision } of listed) {
              expect(model.get(key)).toMatchObject({ value, revision });
            }
          } finally {
            await fresh.close();
          }
        }),
        { numRuns: 20 },
      );
    });
  });
}

async function* pagesOf<T>(pages: readonly T[]): AsyncGenerator<T> {
  yield* pages;
}

/** Applies what changed to `model`, and answers the revision that it then stands at. */
async function follow(store: Store, model: Map<string, unknown>, after: number): Promise<number> {
  const { upTo, commits } = await store.changedKeys({ prefixes: [''], after });
  expect(commits.map(({ revision }) => revision)).toEqual(
    commits.map(({ revision }) => revision).toSorted((a, b) => a - b),
  );
  if (commits.length === 0) return upTo;
  const controller = new AbortController();
  for await (const change of store.watch({ prefix: '', after, signal: controller.signal })) {
    for (const entry of change.puts) model.set(entry.key, entry);
    for (const key of change.deletes) model.delete(key);
    if (change.revision === commits.at(-1)!.revision) controller.abort();
  }
  return upTo;
}
