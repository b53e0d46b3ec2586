import { Fault } from '../../base/fault.ts';
import type { Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import { sameSecret } from './key-shares.ts';
import type { RootLock } from './root-lock.ts';

/** A system that keeps the root key in people's place, so that a server which starts again unseals by itself. */
export interface AutoSeal extends RootLock {
  /** As configuration and `sys/seal-status` name it: `static`, `transit`, `pkcs11`. */
  type: string;
  /** Whether what lies in the store was locked by another key than new secrets are. */
  isStale(locked: Uint8Array): Promise<boolean>;
  /** Ends what it does by itself. */
  close(): void;
}

/** Proves who asks, where no share unseals: locked like the root key, and of no use for anything else. */
export const recoveryKeyKey = 'seal/recovery-key';

export async function recoveryKeyPut(seal: AutoSeal, key: Buffer): Promise<{ key: string; value: Buffer }> {
  return { key: recoveryKeyKey, value: await seal.lock(recoveryKeyKey, key) };
}

/** @throws Fault `vault.request.invalid` where `key` is not the recovery key, `vault.seal.*` */
export async function checkRecoveryKey(store: Store, seal: AutoSeal, key: Buffer): Promise<void> {
  const kept = await readRecoveryKey(store, seal);
  const same = sameSecret(kept, key);
  kept.fill(0);
  if (!same)
    throw invalidRequest('recovery key verification failed: recovery key does not match submitted values');
}

async function readRecoveryKey(store: Store, seal: AutoSeal): Promise<Buffer> {
  const entry = await store.get(recoveryKeyKey);
  if (entry) return seal.unlock(recoveryKeyKey, entry.value);
  throw new Fault('the store has lost its recovery key', {
    code: 'vault.seal.damaged',
    blame: 'operator',
    fix: 'restore it from a backup',
  });
}

/** The recovery key locked anew, where another key locked it. */
export async function refreshedRecoveryKey(store: Store, seal: AutoSeal) {
  const entry = await store.get(recoveryKeyKey);
  if (!entry || !(await seal.isStale(entry.value))) return undefined;
  const key = await seal.unlock(recoveryKeyKey, entry.value);
  const put = await recoveryKeyPut(seal, key);
  key.fill(0);
  return { expect: [{ key: recoveryKeyKey, revision: entry.revision }], puts: [put] };
}
