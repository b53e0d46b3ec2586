import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import { type AutoSeal, refreshedRecoveryKey } from './auto-seal.ts';
import { type Barrier, rootKeyIsStale, type SealConfig } from './barrier.ts';

/** @throws Fault `vault.seal.type` where the store was sealed in another way than it is to be unsealed */
export function checkSealType({ type }: SealConfig, autoSeal: AutoSeal | undefined): void {
  const configured = autoSeal?.type ?? 'shamir';
  if (type === configured) return;
  const named = (name: string) =>
    name === 'shamir' ? 'by shares of an unseal key' : `by seal ${JSON.stringify(name)}`;
  throw new Fault(
    `this server was sealed ${named(type)}, and is configured to be unsealed ${named(configured)}`,
    {
      code: 'vault.seal.type',
      blame: 'operator',
      fix:
        type === 'shamir'
          ? 'leave the seal stanza out: a server keeps the kind of seal that it was initialised with'
          : `configure seal ${JSON.stringify(type)}: a server keeps the kind of seal that it was initialised with`,
    },
  );
}

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
