import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import type { Log } from '../../base/log.ts';
import { keyBytes } from '../../store/keyring.ts';
import { memoryStore } from '../../store/memory.ts';
import type { Store } from '../../store/store.ts';
import { ensureCluster } from '../sys/status.ts';
import { rootTokenPlan } from '../token/root-token.ts';
import { openTokens } from '../token/tokens.ts';
import { type AutoSeal, recoveryKeyPut } from './auto-seal.ts';
import { raiseBarrier, type SealConfig } from './barrier.ts';
import { keyLock } from './root-lock.ts';
import { sharesOf } from './share-count.ts';

export interface SealWorld {
  /** As it lies on the disk: everything but the number of shares is encrypted before it gets there. */
  store: Store;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  /** Where absent, shares of an unseal key unseal. */
  autoSeal?: AutoSeal | undefined;
  /** What the store may still be sealed by, to be left for the other way. */
  formerSeal?: AutoSeal | undefined;
}

/** What is told once, and then known to nobody but those who were told. */
export interface Initialised {
  /** Of the unseal key, or of the recovery key where the server unseals by itself. */
  shares: Buffer[];
  rootToken: string;
}

/**
 * Fills the empty store with a barrier and, behind it, a root token. All of it is made in memory first and written as
 * one batch, so that a process which is killed meanwhile leaves nothing or an initialised store.
 *
 * @throws Fault `store.conflict` where the store is not empty
 */
export async function initialise(
  { store, clock, entropy, log, autoSeal }: SealWorld,
  config: SealConfig,
): Promise<Initialised> {
  const made = memoryStore();
  const key = entropy.bytes(keyBytes);
  const lock = autoSeal ?? keyLock(key, entropy);
  const barrier = await raiseBarrier(made, lock, { config, entropy, nowMs: clock.now() });
  if (autoSeal) await made.commit({ puts: [await recoveryKeyPut(autoSeal, key)] });
  await ensureCluster(barrier.store, entropy);
  const tokens = await openTokens({ store: barrier.store, clock, entropy, log });
  const root = await tokens.create(rootTokenPlan(clock.now()));
  tokens.close();
  barrier.forget();
  const shares = sharesOf(key, config, entropy);
  key.fill(0);
  const puts = await made.list({ prefix: '' });
  await store.commit({ expect: puts.map((put) => ({ key: put.key, revision: 0 })), puts });
  return { shares, rootToken: root.id };
}
