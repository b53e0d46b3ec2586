import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { nonceBytes, sealValue, unsealValue } from '../../store/encrypted.ts';
import { keyring } from '../../store/keyring.ts';

/** What keeps a secret in a store that anyone may read: the shares of an unseal key, or another system. */
export interface RootLock {
  /** The secret as it is kept under `name`. */
  lock(name: string, secret: Uint8Array): Promise<Buffer>;
  /** @throws Fault `vault.seal.key` where this lock did not lock it, or it was altered, or lay under another name */
  unlock(name: string, locked: Uint8Array): Promise<Buffer>;
}

/** Vault's own words for shares that were read, and do not fit. */
export const wrongKey =
  'unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher: message authentication failed';

/** The lock that `key` opens: AES-256-GCM. A key of another length opens nothing. */
export function keyLock(key: Buffer, entropy: Entropy): RootLock {
  const ring = attempted(() => keyring([key]));
  return {
    async lock(name, secret) {
      return sealValue(ring, entropy.bytes(nonceBytes), name, secret);
    },
    async unlock(name, locked) {
      return attempted(() => unsealValue(ring, { key: name, value: Buffer.from(locked) }));
    },
  };
}

function attempted<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const wrong = ['store.encryption.sealed', 'store.encryption.key'];
    if (!(error instanceof Fault) || !wrong.includes(error.code)) throw error;
    throw new Fault(wrongKey, { code: 'vault.seal.key', blame: 'caller', cause: error });
  }
}
