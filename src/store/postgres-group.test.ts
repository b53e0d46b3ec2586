import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupParameters, groupSize, roundsOf } from './postgres-group.ts';
import type { Batch } from './store.ts';

const value = Buffer.from('v');
const put = (...keys: string[]): Batch => ({ puts: keys.map((key) => ({ key, value })) });
const expecting = (key: string): Batch => ({ expect: [{ key, revision: 0 }] });

test('batches that have nothing to do with each other share a round', () => {
  expect(roundsOf([put('a'), put('b'), { deletes: ['c'] }, expecting('d')])).toEqual([1, 1, 1, 1]);
});

test('a round ends before a batch that touches what an earlier one of it writes', () => {
  expect(roundsOf([put('a'), put('a'), put('b')])).toEqual([1, 2, 2]);
  expect(roundsOf([put('a'), expecting('a')])).toEqual([1, 2]);
  expect(roundsOf([{ deletes: ['a'] }, put('a')])).toEqual([1, 2]);
  expect(roundsOf([put('a'), { deletes: ['a'] }])).toEqual([1, 2]);
});

test('what was only expected may be written later in the same round: expectations are judged first', () => {
  expect(roundsOf([expecting('a'), put('a'), put('b')])).toEqual([1, 1, 1]);
});

test('round after round is as one batch after the other', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const batch = fc.record({
    expect: fc.array(fc.record({ key, revision: fc.nat(4) }), { maxLength: 2 }),
    puts: fc.array(
      fc
        .string({ maxLength: 2 })
        .chain((text) => key.map((name) => ({ key: name, value: Buffer.from(text) }))),
      { maxLength: 3 },
    ),
    deletes: fc.array(key, { maxLength: 1 }),
  });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 10 }), (batches) => {
      const apart = simulate(
        batches,
        batches.map((_, at) => at + 1),
      );
      expect(simulate(batches, roundsOf(batches))).toEqual(apart);
    }),
    { numRuns: 1_000 },
  );
});

/** The state after the batches, and each one's revision or 0, where rounds are judged whole and then written whole. */
function simulate(batches: readonly Batch[], rounds: readonly number[]) {
  const state = new Map<string, { text: string; revision: number }>();
  let newest = 0;
  const revisions = batches.map(() => 0);
  for (const round of new Set(rounds)) {
    const members = batches.flatMap((batch, at) => (rounds[at] === round ? [{ batch, at }] : []));
    const passed = members.filter(({ batch }) =>
      batch.expect!.every(({ key, revision }) => (state.get(key)?.revision ?? 0) === revision),
    );
    for (const { at } of passed) revisions[at] = ++newest;
    // Any order within a round must do: the database promises none.
    for (const { batch, at } of passed.toReversed()) {
      for (const one of batch.puts!)
        state.set(one.key, { text: one.value.toString(), revision: revisions[at]! });
      for (const key of batch.deletes!) state.delete(key);
    }
  }
  return { state, revisions };
}

test('a batch is told from the next in the parameters; of its own puts of a key the last counts, and a delete wins', () => {
  const later = Buffer.from('later');
  const twice: Batch = { puts: [...put('a', 'b').puts!, { key: 'a', value: later }], deletes: ['b', 'b'] };
  const parameters = groupParameters([put('x'), twice, expecting('y')], true);
  expect(parameters).toEqual([
    [1, 1, 1],
    [3],
    [Buffer.from('y')],
    [0],
    [1, 2],
    [Buffer.from('x'), Buffer.from('a')],
    [value, later],
    [2],
    [Buffer.from('b')],
    true,
  ]);
});

test('a group is limited by number and by bytes, and is never empty', () => {
  const large = { puts: [{ key: 'a', value: Buffer.alloc(3 * 1_024 * 1_024) }] };
  const huge = { puts: [...large.puts, ...large.puts, ...large.puts] };
  expect(groupSize([put('a'), put('b')])).toBe(2);
  expect(groupSize(Array.from({ length: 1_000 }, () => put('a')))).toBe(512);
  expect(groupSize([large, large, large])).toBe(2);
  expect(groupSize([huge, put('a')])).toBe(1);
});
