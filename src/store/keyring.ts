import { createSecretKey, type KeyObject } from 'node:crypto';
import { Fault } from '../base/fault.ts';

export const keyBytes = 32;

/** The keys that the values of a store are encrypted with, by term: values tell theirs, new ones take the last. */
export interface Keyring {
  /** The term of new values. @throws Fault `store.encryption.forgotten` */
  active(): { term: number; key: KeyObject };
  /** Undefined for a term that there is no key of. @throws Fault `store.encryption.forgotten` */
  key(term: number): KeyObject | undefined;
  /** Takes `key` for all new values, as the next term. @throws Fault `store.encryption.key`, `store.encryption.forgotten` */
  add(key: Uint8Array): void;
  /** Takes `keys` in the place of all there are, as the terms from 1 on. @throws Fault as above */
  replace(keys: readonly Uint8Array[]): void;
  /** Lets go of all keys: from now on nothing is read or written. Node clears the memory of a key that it frees. */
  forget(): void;
}

/**
 * A keyring of `keys` (32 bytes each), the first of term 1. The bytes are copied: the caller may wipe theirs.
 *
 * @throws Fault `store.encryption.key` where a key has not 32 bytes, or there is none
 */
export function keyring(keys: readonly Uint8Array[]): Keyring {
  if (keys.length === 0) throw keyFault(0);
  let prepared: KeyObject[] | undefined = keys.map(prepare);
  const held = (): KeyObject[] => {
    if (prepared) return prepared;
    throw new Fault('the keys of this store have been forgotten', {
      code: 'store.encryption.forgotten',
      blame: 'caller',
    });
  };
  return {
    active: () => ({ term: held().length, key: held().at(-1)! }),
    key: (term) => held()[term - 1],
    add: (key) => void held().push(prepare(key)),
    replace: (others) => {
      held();
      if (others.length === 0) throw keyFault(0);
      prepared = others.map(prepare);
    },
    forget: () => {
      prepared = undefined;
    },
  };
}

function prepare(key: Uint8Array): KeyObject {
  if (key.length !== keyBytes) throw keyFault(key.length);
  // Node takes longer over the bytes of a key, each time, than over most values.
  return createSecretKey(key);
}

function keyFault(length: number): Fault {
  return new Fault(`the encryption key has ${length} bytes`, {
    code: 'store.encryption.key',
    blame: 'operator',
    fix: `give a key of ${keyBytes} bytes`,
  });
}
