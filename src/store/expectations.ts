import { Fault } from '../base/fault.ts';
import { checkKey, checkValue } from './keys.ts';
import type { Batch } from './store.ts';

/** Refuses a batch that no implementation may take. @throws Fault `store.key`, `store.value` */
export function checkBatch({ expect = [], puts = [], deletes = [] }: Batch): void {
  for (const { key } of expect) checkKey(key);
  for (const { key, value } of puts) {
    checkKey(key);
    checkValue(key, value);
  }
  for (const key of deletes) checkKey(key);
}

/** @throws Fault `store.conflict` naming the first expectation that does not hold. */
export function checkExpectations(batch: Batch, revisionOf: (key: string) => number): void {
  for (const { key, revision } of batch.expect ?? []) {
    const actual = revisionOf(key);
    if (actual === revision) continue;
    throw conflictFault({ key, actual, expected: revision });
  }
}

export function conflictFault({
  key,
  actual,
  expected,
}: {
  key: string;
  actual: number;
  expected: number;
}): Fault {
  return new Fault(`${key} is at revision ${actual}, not ${expected}`, {
    code: 'store.conflict',
    blame: 'caller',
    fix: 'read it again and decide again',
  });
}

export function closedFault(): Fault {
  return new Fault('the store is closed', { code: 'store.unavailable', blame: 'capstan' });
}
