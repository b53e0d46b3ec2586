import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { encryptedStore } from '../../store/encrypted.ts';
import { type Keyring, keyBytes, keyring } from '../../store/keyring.ts';
import type { Store } from '../../store/store.ts';
import { splitSecret } from './shamir.ts';

/** Into how many shares the unseal key was split, and how many of them give it back. */
export interface SealConfig {
  shares: number;
  threshold: number;
}

/** An open store: what is behind the barrier, until its keys are forgotten. */
export interface Barrier {
  store: Store;
  keys: Keyring;
}

/** In the clear: whoever brings a share has to know how many are wanted. */
const configKey = 'seal/config';
/** The root key, encrypted with the unseal key: new shares will not need a new root key. */
const rootKeyKey = 'seal/root-key';
/** The keys of all values, one after the other, encrypted with the root key. */
const keyringKey = 'seal/keyring';

/** Undefined where the store holds nothing yet. @throws Fault `vault.seal.foreign` for what is no sealed server's */
export async function readSealConfig(store: Store): Promise<SealConfig | undefined> {
  const entry = await store.get(configKey);
  if (entry) return JSON.parse(entry.value.toString()) as SealConfig;
  if ((await store.revision()) === 0) return undefined;
  throw new Fault('this database was not made by a server that is sealed and unsealed', {
    code: 'vault.seal.foreign',
    blame: 'operator',
    fix: 'choose another storage path, or start the server as it was started before',
  });
}

/**
 * Makes a barrier over the empty `store`: random keys, each encrypted with the one above, the uppermost (the unseal
 * key) told only in the shares that are answered. A single share is that key itself.
 */
export async function raiseBarrier(
  store: Store,
  config: SealConfig,
  entropy: Entropy,
): Promise<{ barrier: Barrier; shares: Buffer[] }> {
  const [unsealKey, rootKey, firstKey] = [keyBytes, keyBytes, keyBytes].map((size) => entropy.bytes(size));
  const shares = config.shares === 1 ? [Buffer.from(unsealKey!)] : splitSecret(unsealKey!, config, entropy);
  await store.commit({ puts: [{ key: configKey, value: Buffer.from(JSON.stringify(config)) }] });
  await encryptedStore(store, unsealKey!, entropy).commit({ puts: [{ key: rootKeyKey, value: rootKey! }] });
  await encryptedStore(store, rootKey!, entropy).commit({ puts: [{ key: keyringKey, value: firstKey! }] });
  const keys = keyring([firstKey!]);
  for (const key of [unsealKey, rootKey, firstKey]) key!.fill(0);
  return { barrier: { store: encryptedStore(store, keys, entropy), keys }, shares };
}

/** @throws Fault `vault.seal.key` where `unsealKey` is not the one */
export async function openBarrier(store: Store, unsealKey: Buffer, entropy: Entropy): Promise<Barrier> {
  const rootKey = await openRecord(store, rootKeyKey, unsealKey, entropy);
  try {
    const keyBlock = await openRecord(store, keyringKey, rootKey, entropy);
    const keys = keyring(
      Array.from({ length: keyBlock.length / keyBytes }, (_, at) =>
        keyBlock.subarray(at * keyBytes, (at + 1) * keyBytes),
      ),
    );
    keyBlock.fill(0);
    return { store: encryptedStore(store, keys, entropy), keys };
  } finally {
    rootKey.fill(0);
  }
}

async function openRecord(store: Store, name: string, key: Buffer, entropy: Entropy): Promise<Buffer> {
  try {
    const entry = await encryptedStore(store, key, entropy).get(name);
    if (entry) return entry.value;
  } catch (error) {
    const wrong = ['store.encryption.sealed', 'store.encryption.key'];
    if (!(error instanceof Fault) || !wrong.includes(error.code)) throw error;
    throw wrongKey(error);
  }
  throw new Fault(`the store has lost ${name}`, {
    code: 'vault.seal.damaged',
    blame: 'operator',
    fix: 'restore it from a backup',
  });
}

/** Vault's own words for shares that were read, and do not fit. */
function wrongKey(cause: unknown): Fault {
  return new Fault(
    'unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher: message authentication failed',
    { code: 'vault.seal.key', blame: 'caller', cause },
  );
}
