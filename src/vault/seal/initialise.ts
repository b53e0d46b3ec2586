import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import type { Log } from '../../base/log.ts';
import { memoryStore } from '../../store/memory.ts';
import type { Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import { ensureCluster } from '../sys/status.ts';
import { openTokens } from '../token/tokens.ts';
import { raiseBarrier, type SealConfig } from './barrier.ts';
import { shareLimit } from './shamir.ts';

export interface SealWorld {
  /** As it lies on the disk: everything but the number of shares is encrypted before it gets there. */
  store: Store;
  clock: Clock;
  entropy: Entropy;
  log: Log;
}

/** What is told once, and then known to nobody but those who were told. */
export interface Initialised {
  shares: Buffer[];
  rootToken: string;
}

/** Why shares cannot be so, in Vault's words (vault/seal.go, SealConfig.Validate). @throws Fault `vault.request.invalid` */
export function checkSealConfig({ shares, threshold }: SealConfig): void {
  const problem = configProblem(shares, threshold);
  if (problem) throw invalidRequest(`invalid seal configuration: ${problem}`);
}

function configProblem(shares: number, threshold: number): string | undefined {
  if (shares < 1) return 'shares must be at least one';
  if (threshold < 1) return 'threshold must be at least one';
  if (shares > 1 && threshold === 1) return 'threshold must be greater than one for multiple shares';
  if (shares > shareLimit) return 'shares must be less than 256';
  if (threshold > shareLimit) return 'threshold must be less than 256';
  if (threshold > shares) return 'threshold cannot be larger than shares';
  return undefined;
}

/**
 * Fills the empty store with a barrier and, behind it, a root token. All of it is made in memory first and written as
 * one batch, so that a process which is killed meanwhile leaves nothing or an initialised store.
 *
 * @throws Fault `store.conflict` where the store is not empty
 */
export async function initialise(
  { store, clock, entropy, log }: SealWorld,
  config: SealConfig,
): Promise<Initialised> {
  const made = memoryStore();
  const { barrier, shares } = await raiseBarrier(made, config, { entropy, nowMs: clock.now() });
  await ensureCluster(barrier.store, entropy);
  const tokens = await openTokens({ store: barrier.store, clock, entropy, log });
  const root = await tokens.create({
    policies: ['root'],
    path: 'auth/token/root',
    meta: null,
    displayName: 'root',
    numUses: 0,
    createdMs: Math.floor(clock.now() / 1_000) * 1_000,
    ttlMs: 0,
    explicitMaxTtlMs: 0,
    periodMs: 0,
    renewable: false,
  });
  tokens.close();
  barrier.forget();
  const puts = await made.list({ prefix: '' });
  await store.commit({ expect: puts.map(({ key }) => ({ key, revision: 0 })), puts });
  return { shares, rootToken: root.id };
}
