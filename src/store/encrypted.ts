import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Entropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import { type Keyring, keyring } from './keyring.ts';
import type { Entry, Store } from './store.ts';

const cipher = 'aes-256-gcm';
/** Number of the key, before each value: a later key leaves values of earlier ones readable. */
const termBytes = 4;
export const nonceBytes = 12;
const tagBytes = 16;
const headBytes = termBytes + nonceBytes;

/**
 * `store` with every value sealed by AES-256-GCM under `keys` (one of 32 bytes, or several by term):
 * `term || nonce || ciphertext || tag`. The term and the entry's key are authenticated with it, so that whoever holds
 * the file can neither read a value nor move it to another key. Keys stay in the clear: put no secret into them.
 * Random 96-bit nonces allow about 2^32 writes with one key. `renew` is called, and waited for, before a value is
 * opened whose term the keyring does not have: another node may have taken a new key.
 *
 * @throws Fault `store.encryption.key` where a key has not 32 bytes; reads throw `store.encryption.sealed` where a
 *   value does not open, and everything `store.encryption.forgotten` once the keyring has forgotten its keys.
 */
export function encryptedStore(
  store: Store,
  keys: Buffer | Keyring,
  entropy: Entropy,
  renew?: () => Promise<void>,
): Store {
  const ring = Buffer.isBuffer(keys) ? keyring([keys]) : keys;
  const open = async (entries: readonly Entry[]): Promise<Entry[]> => {
    if (renew && entries.some((entry) => !hasKeyOf(ring, entry))) await renew();
    return entries.map((entry) => ({ ...entry, value: unsealValue(ring, entry) }));
  };
  return {
    revision: () => store.revision(),
    close: () => store.close(),
    changedKeys: (options) => store.changedKeys(options),
    async *watch(options) {
      for await (const change of store.watch(options)) {
        yield { ...change, puts: await open(change.puts) };
      }
    },
    async *snapshot() {
      for await (const page of store.snapshot()) yield await open(page);
    },
    replace: (pages) => store.replace(sealedPages(ring, entropy, pages)),
    async get(name) {
      const entry = await store.get(name);
      return entry && (await open([entry]))[0];
    },
    async list(options) {
      const entries = await store.list(options);
      if (!options.keysOnly) return open(entries);
      // Keys are in the clear; who has forgotten the ring tells nothing all the same.
      ring.active();
      return entries;
    },
    async commit(batch) {
      const puts = batch.puts?.map(({ key: name, value }) => ({
        key: name,
        value: sealValue(ring, entropy.bytes(nonceBytes), name, value),
      }));
      return store.commit({ ...batch, ...(puts ? { puts } : {}) });
    },
  };
}

async function* sealedPages(
  ring: Keyring,
  entropy: Entropy,
  pages: AsyncIterable<readonly { key: string; value: Uint8Array }[]>,
) {
  for await (const page of pages) {
    yield page.map(({ key, value }) => ({
      key,
      value: sealValue(ring, entropy.bytes(nonceBytes), key, value),
    }));
  }
}

/** One value as `encryptedStore` writes it under `name`; `nonce` has twelve fresh bytes. */
export function sealValue(ring: Keyring, nonce: Buffer, name: string, value: Uint8Array): Buffer {
  const { term, key } = ring.active();
  const head = Buffer.alloc(termBytes);
  head.writeUInt32BE(term);
  const sealing = createCipheriv(cipher, key, nonce);
  sealing.setAAD(authenticated(head, name));
  return Buffer.concat([head, nonce, sealing.update(value), sealing.final(), sealing.getAuthTag()]);
}

function hasKeyOf(ring: Keyring, { value }: Entry): boolean {
  return value.length < termBytes || ring.key(value.readUInt32BE(0)) !== undefined;
}

/** @throws Fault `store.encryption.sealed` */
export function unsealValue(ring: Keyring, { key: name, value }: Pick<Entry, 'key' | 'value'>): Buffer {
  const tagAt = value.length - tagBytes;
  const key = tagAt < headBytes ? undefined : ring.key(value.readUInt32BE(0));
  try {
    if (!key) throw new Error('not sealed by a key of this keyring');
    const opening = createDecipheriv(cipher, key, value.subarray(termBytes, headBytes));
    opening.setAAD(authenticated(value.subarray(0, termBytes), name));
    opening.setAuthTag(value.subarray(tagAt));
    return Buffer.concat([opening.update(value.subarray(headBytes, tagAt)), opening.final()]);
  } catch (error) {
    throw new Fault(`the value of ${name} does not open with this key`, {
      code: 'store.encryption.sealed',
      blame: 'operator',
      fix: 'use the key file that belongs to this database; if it is the right one, restore from a backup',
      cause: error,
    });
  }
}

function authenticated(head: Buffer, name: string): Buffer {
  return Buffer.concat([head, Buffer.from(name)]);
}
