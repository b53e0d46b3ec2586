import type { Fault } from '../base/fault.ts';
import { conflictFault } from './expectations.ts';
import type { Batch } from './store.ts';

const groupLimit = 512;
const groupLimitBytes = 8 * 1_024 * 1_024;

/**
 * How many of the batches that wait go into one transaction: enough to share its sync, few enough that no transaction
 * is long. Never none.
 */
export function groupSize(waiting: readonly Batch[]): number {
  let bytes = 0;
  let size = 0;
  for (const { puts = [] } of waiting) {
    for (const { value } of puts) bytes += value.byteLength;
    if (size > 0 && (size >= groupLimit || bytes > groupLimitBytes)) break;
    size += 1;
  }
  return size;
}

/**
 * The round of each batch, from 1, never falling: a round ends before the first batch that expects, puts or deletes
 * what an earlier batch of the round writes. Judging and writing round after round, each as a set, then gives what
 * one batch after the other would, revisions in the same order included.
 */
export function roundsOf(batches: readonly Batch[]): number[] {
  let round = 1;
  let written = new Set<string>();
  return batches.map((batch) => {
    const writes = [...(batch.puts ?? []).map(({ key }) => key), ...(batch.deletes ?? [])];
    const touches = [...(batch.expect ?? []).map(({ key }) => key), ...writes];
    if (touches.some((key) => written.has(key))) {
      round += 1;
      written = new Set();
    }
    for (const key of writes) written.add(key);
    return round;
  });
}

/** The parameters of `commit_batches`, in their order: arrays side by side, each row with its batch's place from 1. */
export function groupParameters(batches: readonly Batch[], needsFsync: boolean): unknown[] {
  const expected = rows(batches, ({ expect = [] }) => expect);
  const puts = rows(batches, lastPuts);
  const deletes = rows(batches, ({ deletes: keys = [] }) => [...new Set(keys)].map((key) => ({ key })));
  return [
    roundsOf(batches),
    expected.map(({ batch }) => batch),
    expected.map(({ key }) => Buffer.from(key)),
    expected.map(({ revision }) => revision),
    puts.map(({ batch }) => batch),
    puts.map(({ key }) => Buffer.from(key)),
    puts.map(({ value }) => value),
    deletes.map(({ batch }) => batch),
    deletes.map(({ key }) => Buffer.from(key)),
    needsFsync,
  ];
}

/** A statement may write a row once: of two puts of a key the later one counts, and a delete counts over both. */
function lastPuts({ puts = [], deletes = [] }: Batch): Iterable<{ key: string; value: Uint8Array }> {
  const last = new Map(puts.map((put) => [put.key, put]));
  for (const key of deletes) last.delete(key);
  return last.values();
}

function rows<Row extends object>(
  batches: readonly Batch[],
  of: (batch: Batch) => Iterable<Row>,
): (Row & { batch: number })[] {
  return batches.flatMap((batch, at) => Array.from(of(batch), (row) => ({ ...row, batch: at + 1 })));
}

/** What `commit_batches` says of one batch; bigint columns arrive as text. */
export interface GroupRow {
  new_revision: string;
  conflict_key: Buffer | null;
  actual_revision: string | null;
}

/** The revision that a batch got, or the conflict that kept it out. */
export function outcomeOf(batch: Batch, row: GroupRow): number | Fault {
  if (row.conflict_key === null) return Number(row.new_revision);
  const key = row.conflict_key.toString();
  const actual = Number(row.actual_revision);
  const { revision } = batch.expect!.find((one) => one.key === key && one.revision !== actual)!;
  return conflictFault({ key, actual, expected: revision });
}
