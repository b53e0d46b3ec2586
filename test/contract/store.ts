import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compareKeys } from '../../src/store/keys.ts';
import type { Batch, Entry, Store } from '../../src/store/store.ts';
import { storeChangesContract } from './store-changes.ts';

const bytes = (text: string) => Buffer.from(text);
const code = (value: string) => expect.objectContaining({ code: value });

/** What every store must do, whatever it is made of. `open` gives a new, empty one. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  storeChangesContract(name, open);
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    test('a new store is empty, at revision 0', async () => {
      expect(await store.revision()).toBe(0);
      expect(await store.list({ prefix: '' })).toEqual([]);
      expect(await store.get('a')).toBeUndefined();
    });

    test('a commit is seen by every later read, with its revision', async () => {
      const first = await store.commit({ puts: [{ key: 'a', value: bytes('1') }] });
      const second = await store.commit({ puts: [{ key: 'b', value: bytes('') }] });
      expect(second).toBeGreaterThan(first);
      expect(await store.get('a')).toEqual({ key: 'a', value: bytes('1'), revision: first });
      expect(await store.get('b')).toEqual({ key: 'b', value: bytes(''), revision: second });
      expect(await store.revision()).toBe(second);
    });

    test('a batch writes and deletes together', async () => {
      await store.commit({ puts: [{ key: 'a', value: bytes('1') }] });
      const revision = await store.commit({
        puts: [{ key: 'b', value: bytes('2') }],
        deletes: ['a', 'absent'],
      });
      expect(await store.list({ prefix: '' })).toEqual([{ key: 'b', value: bytes('2'), revision }]);
    });

    test('an expectation that fails leaves nothing of its batch', async () => {
      const revision = await store.commit({ puts: [{ key: 'a', value: bytes('1') }] });
      const attempts: Batch[] = [
        { expect: [{ key: 'a', revision: 0 }] },
        { expect: [{ key: 'a', revision: revision + 1 }] },
        { expect: [{ key: 'b', revision }] },
        {
          expect: [
            { key: 'a', revision },
            { key: 'b', revision: 7 },
          ],
        },
      ];
      for (const { expect: expected } of attempts) {
        const batch = { expect: expected!, puts: [{ key: 'c', value: bytes('3') }], deletes: ['a'] };
        await expect(store.commit(batch)).rejects.toEqual(code('store.conflict'));
      }
      expect((await store.list({ prefix: '' })).map(({ key }) => key)).toEqual(['a']);
      expect(await store.revision()).toBe(revision);
    });

    test('expectations that hold let it through', async () => {
      const revision = await store.commit({
        expect: [{ key: 'a', revision: 0 }],
        puts: [{ key: 'a', value: bytes('1') }],
      });
      await store.commit({ expect: [{ key: 'a', revision }], deletes: ['a'] });
      expect(await store.get('a')).toBeUndefined();
    });

    test('of many concurrent commits on one expectation exactly one wins', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, (_, n) =>
          store.commit({
            expect: [{ key: 'lock', revision: 0 }],
            puts: [
              { key: 'lock', value: bytes(`${n}`) },
              { key: `owner/${n}`, value: bytes('') },
            ],
          }),
        ),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const owners = await store.list({ prefix: 'owner/' });
      expect(owners.map(({ key }) => key)).toEqual([`owner/${(await store.get('lock'))!.value.toString()}`]);
    });

    test('concurrent commits have revisions of their own, in the order of the calls', async () => {
      const revisions = await Promise.all(
        Array.from({ length: 40 }, (_, n) => store.commit({ puts: [{ key: 'k', value: bytes(`${n}`) }] })),
      );
      expect(revisions).toEqual([...new Set(revisions)].toSorted((a, b) => a - b));
      expect(await store.get('k')).toEqual({ key: 'k', value: bytes('39'), revision: revisions.at(-1) });
    });

    test('lists by prefix, after a key and up to a limit', async () => {
      const keys = ['a', 'b/1', 'b/2', 'b/3', 'b0', 'c'];
      await store.commit({ puts: keys.toReversed().map((key) => ({ key, value: bytes(key) })) });
      const listed = async (options: Parameters<Store['list']>[0]) =>
        (await store.list(options)).map(({ key }) => key);
      expect(await listed({ prefix: '' })).toEqual(keys);
      expect(await listed({ prefix: 'b/' })).toEqual(['b/1', 'b/2', 'b/3']);
      expect(await listed({ prefix: 'b/', after: 'b/1' })).toEqual(['b/2', 'b/3']);
      expect(await listed({ prefix: 'b/', after: 'b/1a', limit: 1 })).toEqual(['b/2']);
      expect(await listed({ prefix: 'b/', after: 'b/1a', keysOnly: true })).toEqual(['b/2', 'b/3']);
      expect(await listed({ prefix: 'b/', reverse: true, keysOnly: true, limit: 1 })).toEqual(['b/3']);
      expect(await listed({ prefix: 'b/', after: 'a' })).toEqual(['b/1', 'b/2', 'b/3']);
      expect(await listed({ prefix: 'b/', after: 'c' })).toEqual([]);
      expect(await listed({ prefix: 'b', limit: 0 })).toEqual([]);
      expect(await listed({ prefix: '', reverse: true })).toEqual(keys.toReversed());
      expect(await listed({ prefix: 'b/', reverse: true, limit: 1 })).toEqual(['b/3']);
      expect(await listed({ prefix: 'b/', reverse: true, after: 'b/3' })).toEqual(['b/2', 'b/1']);
      expect(await listed({ prefix: 'b/', reverse: true, after: 'c' })).toEqual(['b/3', 'b/2', 'b/1']);
      expect(await listed({ prefix: 'b/', reverse: true, after: 'b' })).toEqual([]);
    });

    test('bytes given and taken are nobody else’s', async () => {
      const given = bytes('safe');
      await store.commit({ puts: [{ key: 'a', value: given }] });
      given.fill(0);
      (await store.get('a'))!.value.fill(0);
      (await store.list({ prefix: 'a' }))[0]!.value.fill(0);
      expect((await store.get('a'))!.value).toEqual(bytes('safe'));
    });

    test('refuses keys and values that not every store could keep', async () => {
      const value = bytes('');
      for (const key of ['', 'k'.repeat(1_025), 'é'.repeat(513), 'nul\0', 'lone\ud800']) {
        await expect(store.commit({ puts: [{ key, value }] })).rejects.toEqual(code('store.key'));
      }
      const large = Buffer.alloc(4 * 1_024 * 1_024 + 1);
      await expect(store.commit({ puts: [{ key: 'a', value: large }] })).rejects.toEqual(code('store.value'));
      await store.commit({ puts: [{ key: 'k'.repeat(1_024), value }] });
      expect(await store.list({ prefix: '' })).toHaveLength(1);
    });

    test('answers nothing once closed', async () => {
      await store.close();
      await expect(store.get('a')).rejects.toEqual(code('store.unavailable'));
      await expect(store.commit({})).rejects.toEqual(code('store.unavailable'));
      await store.close();
    });

    test('agrees with a plain model', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(batchOf(keys), { maxLength: 12 }),
          fc.array(rangeOf(keys)),
          async (batches, ranges) => {
            const fresh = await open();
            try {
              const model = new Map<string, Entry>();
              for (const batch of batches) await step(fresh, model, batch);
              for (const options of ranges)
                expect(await fresh.list(options)).toEqual(modelList(model, options));
            } finally {
              await fresh.close();
            }
          },
        ),
        { numRuns: 25 },
      );
    });
  });
}

/** Few distinct keys, so that batches meet; some above U+FFFF, where orders of text differ. */
const keys = fc.constantFrom(
  'a',
  'a/',
  'a/b',
  'ab',
  'b',
  'é',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
);

function batchOf(key: fc.Arbitrary<string>) {
  return fc.record({
    stale: fc.boolean(),
    expected: fc.uniqueArray(key, { maxLength: 2 }),
    puts: fc.uniqueArray(fc.record({ key, value: fc.string().map(bytes) }), {
      maxLength: 4,
      selector: (p) => p.key,
    }),
    deletes: fc.uniqueArray(key, { maxLength: 2 }),
  });
}

function rangeOf(key: fc.Arbitrary<string>) {
  return fc.record(
    {
      prefix: fc.oneof(fc.constant(''), key),
      after: key,
      limit: fc.nat(5),
      reverse: fc.constant(true as const),
    },
    { requiredKeys: ['prefix'] },
  );
}

type GeneratedBatch = ReturnType<typeof batchOf> extends fc.Arbitrary<infer T> ? T : never;

async function step(store: Store, model: Map<string, Entry>, generated: GeneratedBatch): Promise<void> {
  const { stale, expected, puts } = generated;
  const deletes = generated.deletes.filter((key) => !puts.some((put) => put.key === key));
  const expectations = expected.map((key) => ({
    key,
    revision: (model.get(key)?.revision ?? 0) + (stale ? 1 : 0),
  }));
  const done = store.commit({ expect: expectations, puts, deletes });
  if (stale && expected.length > 0) return expect(done).rejects.toEqual(code('store.conflict'));
  const revision = await done;
  for (const { key, value } of puts) model.set(key, { key, value, revision });
  for (const key of deletes) model.delete(key);
}

function modelList(model: Map<string, Entry>, options: Parameters<Store['list']>[0]): Entry[] {
  const { prefix, after, limit, reverse } = options;
  const sign = reverse ? -1 : 1;
  return [...model.values()]
    .toSorted((a, b) => sign * Buffer.compare(bytes(a.key), bytes(b.key)))
    .filter(
      ({ key }) => key.startsWith(prefix) && (after === undefined || sign * compareKeys(key, after) > 0),
    )
    .slice(0, limit);
}
