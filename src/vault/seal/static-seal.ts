import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { AutoSeal } from './auto-seal.ts';
import { keyLock, type RootLock } from './root-lock.ts';

/** A key of 32 bytes, and the name that tells it from the ones before and after. */
export interface StaticKey {
  id: string;
  key: Buffer;
}

/** What lies in the store: locked with AES-256-GCM, beside the name of the key. */
interface Locked {
  key_id: string;
  value: string;
}

/**
 * A seal whose key whoever starts the server hands over: as good as what keeps that key. What `previous` locked opens
 * too, and is locked anew with `current`.
 *
 * @throws Fault `vault.seal.config` for a key of another length, or two keys of one name
 */
export function staticSeal(
  { current, previous }: { current: StaticKey; previous?: StaticKey | undefined },
  entropy: Entropy,
): AutoSeal {
  const locks = new Map<string, RootLock>();
  for (const { id, key } of previous ? [previous, current] : [current]) {
    if (locks.has(id)) throw configFault(`current_key_id and previous_key_id are both ${JSON.stringify(id)}`);
    if (key.length !== 32) {
      throw configFault(
        `the key ${JSON.stringify(id)} of the seal has ${key.length} bytes, and must have 32`,
      );
    }
    locks.set(id, keyLock(key, entropy));
  }
  return {
    type: 'static',
    async lock(name, secret) {
      const value = await locks.get(current.id)!.lock(name, secret);
      const locked: Locked = { key_id: current.id, value: value.toString('base64') };
      return Buffer.from(JSON.stringify(locked));
    },
    async unlock(name, bytes) {
      const { key_id: id, value } = read(bytes);
      const lock = locks.get(id);
      if (lock) return lock.unlock(name, Buffer.from(value, 'base64')).catch(otherKey(id));
      throw new Fault(
        `the store was sealed with the key ${JSON.stringify(id)}, and the seal has ${[...locks.keys()].map((known) => JSON.stringify(known)).join(' and ')}`,
        {
          code: 'vault.seal.key',
          blame: 'operator',
          fix: 'give that key as previous_key, with previous_key_id, until the server has been unsealed once',
        },
      );
    },
    async isStale(bytes) {
      return read(bytes).key_id !== current.id;
    },
    close() {},
  };
}

function read(bytes: Uint8Array): Locked {
  return JSON.parse(Buffer.from(bytes).toString()) as Locked;
}

function otherKey(id: string) {
  return (error: unknown): never => {
    throw new Fault(
      `the key ${JSON.stringify(id)} of the seal is not the one that the store was sealed with`,
      {
        code: 'vault.seal.key',
        blame: 'operator',
        fix: 'give the key that had this name; every key takes a name of its own',
        cause: error,
      },
    );
  };
}

function configFault(message: string): Fault {
  return new Fault(message, { code: 'vault.seal.config', blame: 'operator' });
}
