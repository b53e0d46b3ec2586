import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { Following } from '../../store/following.ts';
import type { Store } from '../../store/store.ts';
import type { Barrier } from '../seal/barrier.ts';
import { readArchive, type SumSeal, writeArchive } from './archive.ts';

/** Saves and restores all that a server keeps, encrypted as it is. */
export interface Snapshots {
  save(): AsyncIterable<Buffer>;
  /**
   * Puts a snapshot in the place of everything. Where it was made with keys that do not open here, which only
   * `force` lets through, all nodes are sealed afterwards, to be unsealed with the shares that it was made under.
   *
   * @throws Fault `vault.snapshot`, `vault.snapshot.keys`; nothing was changed then
   */
  restore(archive: AsyncIterable<Buffer>, options: { force: boolean }): Promise<void>;
}

/** `store` is the one below the barrier. */
export function storeSnapshots(options: {
  store: Store;
  seal: SumSeal;
  following: Following;
  clock: Clock;
  log: Log;
}): Snapshots {
  const { store, seal, following, clock, log } = options;
  return {
    save: () => writeArchive(store.snapshot(), { nowMs: clock.now(), seal }),
    async restore(archive, { force }) {
      await store.replace(readArchive(archive, force ? undefined : seal));
      log.info('a snapshot was restored', { force });
      try {
        await following.fresh();
      } catch (error) {
        // It was restored; that its keys are others is for those who bring the shares.
        if (!(error instanceof Fault && error.code === 'vault.sealed')) throw error;
      }
    },
  };
}

/** Checksums sealed by the keys of a barrier. */
export function sumSeal(barrier: Pick<Barrier, 'seal' | 'unseal'>): SumSeal {
  const name = 'snapshot/SHA256SUMS';
  return {
    seal: (sums) => barrier.seal(name, sums),
    matches(sums, seal) {
      try {
        return barrier.unseal(name, seal).equals(sums);
      } catch (error) {
        if (error instanceof Fault && error.code === 'store.encryption.sealed') return false;
        throw error;
      }
    },
  };
}
