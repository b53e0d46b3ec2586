import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { encryptedStore } from '../../store/encrypted.ts';
import { keyBytes, keyring } from '../../store/keyring.ts';
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
  /** The term of the key that new values are encrypted with, and since when it is (epoch milliseconds). */
  status(): { term: number; installedMs: number };
  /** Draws a new key for all values from now on; those there are stay as they are, and readable. */
  rotate(nowMs: number): Promise<void>;
  forget(): void;
}

/** In the clear: whoever brings a share has to know how many are wanted. */
const configKey = 'seal/config';
/** The root key, encrypted with the unseal key: new shares will not need a new root key. */
const rootKeyKey = 'seal/root-key';
/** The keys of all values by term, each behind the time that it is from, encrypted with the root key. */
const keyringKey = 'seal/keyring';
const timeBytes = 8;
const blockBytes = timeBytes + keyBytes;

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
  { entropy, nowMs }: { entropy: Entropy; nowMs: number },
): Promise<{ barrier: Barrier; shares: Buffer[] }> {
  const unsealKey = entropy.bytes(keyBytes);
  const shares = config.shares === 1 ? [Buffer.from(unsealKey)] : splitSecret(unsealKey, config, entropy);
  await store.commit({ puts: [{ key: configKey, value: Buffer.from(JSON.stringify(config)) }] });
  await putSecret(encryptedStore(store, unsealKey, entropy), rootKeyKey, entropy.bytes(keyBytes));
  const rootKey = await openRecord(store, rootKeyKey, unsealKey, entropy);
  await putSecret(encryptedStore(store, rootKey, entropy), keyringKey, newBlock(entropy, nowMs));
  rootKey.fill(0);
  const barrier = await openBarrier(store, unsealKey, entropy);
  unsealKey.fill(0);
  return { barrier, shares };
}

/** Writes `secret`, and wipes it. */
async function putSecret(store: Store, key: string, secret: Buffer): Promise<void> {
  await store.commit({ puts: [{ key, value: secret }] });
  secret.fill(0);
}

function newBlock(entropy: Entropy, nowMs: number): Buffer {
  const time = Buffer.alloc(timeBytes);
  time.writeBigUInt64BE(BigInt(Math.trunc(nowMs)));
  return Buffer.concat([time, entropy.bytes(keyBytes)]);
}

/** @throws Fault `vault.seal.key` where `unsealKey` is not the one */
export async function openBarrier(store: Store, unsealKey: Buffer, entropy: Entropy): Promise<Barrier> {
  const rootKey = await openRootKey(store, unsealKey, entropy);
  const blocks = await openRecord(store, keyringKey, rootKey, entropy);
  const rootKeys = keyring([rootKey]);
  rootKey.fill(0);
  const count = blocks.length / blockBytes;
  const keys = keyring(Array.from({ length: count }, (_, at) => keyOf(blocks.subarray(at * blockBytes))));
  let installedMs = timeOf(blocks.subarray((count - 1) * blockBytes));
  blocks.fill(0);
  const behindRoot = encryptedStore(store, rootKeys, entropy);
  return {
    store: encryptedStore(store, keys, entropy),
    status: () => ({ term: keys.active().term, installedMs }),
    async rotate(nowMs) {
      const before = (await behindRoot.get(keyringKey))!;
      const block = newBlock(entropy, nowMs);
      const value = Buffer.concat([before.value, block]);
      const expect = [{ key: keyringKey, revision: before.revision }];
      // Kept before it is used: what it encrypts must never be without it.
      await behindRoot.commit({ expect, puts: [{ key: keyringKey, value }] });
      keys.add(keyOf(block));
      installedMs = timeOf(block);
      for (const secret of [before.value, block, value]) secret.fill(0);
    },
    forget() {
      rootKeys.forget();
      keys.forget();
    },
  };
}

function keyOf(block: Buffer): Buffer {
  return block.subarray(timeBytes, blockBytes);
}

function timeOf(block: Buffer): number {
  return Number(block.readBigUInt64BE());
}

/** @throws Fault `vault.seal.damaged` where it is not there, or does not open */
async function openRecord(store: Store, name: string, key: Buffer, entropy: Entropy): Promise<Buffer> {
  try {
    const entry = await encryptedStore(store, key, entropy).get(name);
    if (entry) return entry.value;
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'store.encryption.sealed') throw error;
    throw damaged(name, error);
  }
  throw damaged(name);
}

function damaged(name: string, cause?: unknown): Fault {
  return new Fault(`the store has lost ${name}, or it was altered`, {
    code: 'vault.seal.damaged',
    blame: 'operator',
    fix: 'restore it from a backup',
    cause,
  });
}

/** A key of another length is none either. */
async function openRootKey(store: Store, unsealKey: Buffer, entropy: Entropy): Promise<Buffer> {
  try {
    return await openRecord(store, rootKeyKey, unsealKey, entropy);
  } catch (error) {
    const wrong = ['vault.seal.damaged', 'store.encryption.key'];
    if (!(error instanceof Fault) || !wrong.includes(error.code)) throw error;
    // Vault's own words for shares that were read, and do not fit.
    throw new Fault(
      'unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher: message authentication failed',
      { code: 'vault.seal.key', blame: 'caller', cause: error },
    );
  }
}
