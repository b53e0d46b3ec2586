import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import { type AutoSeal, refreshedRecoveryKey } from './auto-seal.ts';
import { type Barrier, rootKeyIsStale } from './barrier.ts';

/** Locks anew what another key than the present one of the seal has locked. */
export async function refreshLock({
  store,
  barrier,
  autoSeal,
  log,
}: {
  store: Store;
  barrier: Barrier;
  autoSeal: AutoSeal;
  log: Log;
}): Promise<void> {
  const recovery = await refreshedRecoveryKey(store, autoSeal);
  if (!recovery && !(await rootKeyIsStale(store, autoSeal))) return;
  await barrier.rekey(autoSeal, recovery);
  log.info('what the seal keeps was locked anew, by its present key', { seal: autoSeal.type });
}
