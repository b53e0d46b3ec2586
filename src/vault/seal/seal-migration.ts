import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Store } from '../../store/store.ts';
import { type AutoSeal, checkRecoveryKey, recoveryKeyKey, recoveryKeyPut } from './auto-seal.ts';
import { openBarrier, type SealConfig, sealConfigPut } from './barrier.ts';
import { keyLock } from './root-lock.ts';

/** From one kind of seal to another; undefined stands for shares of an unseal key. */
export interface SealMigration {
  from: AutoSeal | undefined;
  to: AutoSeal | undefined;
}

/**
 * How a store that was sealed in one way gets to the configured one; undefined where it is sealed so.
 *
 * @throws Fault `vault.seal.type` where what it was sealed by is not configured
 */
export function migrationOf(
  { type }: SealConfig,
  { autoSeal, formerSeal }: { autoSeal?: AutoSeal | undefined; formerSeal?: AutoSeal | undefined },
): SealMigration | undefined {
  const configured = autoSeal?.type ?? 'shamir';
  if (type === configured) return undefined;
  if (type === 'shamir') return { from: undefined, to: autoSeal };
  if (formerSeal?.type === type) return { from: formerSeal, to: autoSeal };
  const now = configured === 'shamir' ? 'no seal' : `seal ${JSON.stringify(configured)}`;
  throw new Fault(`this server was sealed by seal ${JSON.stringify(type)}, and ${now} is configured`, {
    code: 'vault.seal.type',
    blame: 'operator',
    fix: `configure seal ${JSON.stringify(type)}; to leave it, with disabled = true in it, and unseal with -migrate`,
  });
}

/**
 * Locks the store in the new way, all of it in one commit. `key` is the unseal key or the recovery key, and becomes the
 * other: its shares stay with those who have them.
 *
 * @throws Fault `vault.seal.*`, `vault.request.invalid` where it is not the key
 */
export async function migrateSeal(
  store: Store,
  { from, to }: SealMigration,
  { key, config, entropy }: { key: Buffer; config: SealConfig; entropy: Entropy },
): Promise<SealConfig> {
  if (from) await checkRecoveryKey(store, from, key);
  const barrier = await openBarrier(store, from ?? keyLock(key, entropy), entropy);
  try {
    const next = { ...config, type: to?.type ?? 'shamir' };
    const recovery = to ? { puts: [await recoveryKeyPut(to, key)] } : { puts: [], deletes: [recoveryKeyKey] };
    await barrier.rekey(to ?? keyLock(key, entropy), {
      ...recovery,
      puts: [sealConfigPut(next), ...recovery.puts],
    });
    return next;
  } finally {
    barrier.forget();
  }
}
