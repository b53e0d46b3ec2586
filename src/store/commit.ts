import { Fault } from '../base/fault.ts';
import type { Batch, Store } from './store.ts';

/** Commits `batch`; false where an expectation no longer holds, and it has to be decided anew. */
export async function commitIfUnchanged(store: Pick<Store, 'commit'>, batch: Batch): Promise<boolean> {
  try {
    await store.commit(batch);
    return true;
  } catch (error) {
    if (error instanceof Fault && error.code === 'store.conflict') return false;
    throw error;
  }
}
