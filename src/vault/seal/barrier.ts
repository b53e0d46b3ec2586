import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { encryptedStore, nonceBytes, sealValue, unsealValue } from '../../store/encrypted.ts';
import { type Keyring, keyBytes, keyring } from '../../store/keyring.ts';
import type { Batch, Entry, Store } from '../../store/store.ts';
import type { AutoSeal } from './auto-seal.ts';
import type { RootLock } from './root-lock.ts';

/** How the root key is locked, and what it takes to be asked for it. */
export interface SealConfig {
  /** `shamir`: by shares of an unseal key. Any other is a system that unseals by itself, and has recovery keys. */
  type: string;
  /** Into how many shares the unseal key, or the recovery key, was split, and how many of them give it back. */
  shares: number;
  threshold: number;
}

/** An open store: what is behind the barrier, until its keys are forgotten. */
export interface Barrier {
  store: Store;
  /** The key that new values are encrypted with: its term, since when it is (epoch milliseconds), how often it was used. */
  status(): KeyStatus;
  /** Draws a new key for all values from now on; those there are stay as they are, and readable. */
  rotate(nowMs: number): Promise<void>;
  /** Draws a new root key, locked by `lock`, and writes `batch` with it: all of it, or nothing. */
  rekey(lock: RootLock, batch?: Batch): Promise<void>;
  /** Reads the keys anew: another node may have taken one. @throws Fault `vault.seal.damaged` where they do not open */
  reload(): Promise<void>;
  /** Encrypts and decrypts what is kept elsewhere, under a name of its own. @throws Fault `store.encryption.*` */
  seal(name: string, value: Buffer): Buffer;
  unseal(name: string, value: Buffer): Buffer;
  forget(): void;
}

export interface KeyStatus {
  term: number;
  installedMs: number;
  /** How many values this process has encrypted with it. */
  encryptions: number;
}

/** What other nodes may change of it. */
export const sealPrefix = 'seal/';
/** In the clear: whoever brings a share has to know how many are wanted. */
const configKey = 'seal/config';
/** The root key, locked: new shares, or another lock, leave all else as it is. */
const rootKeyKey = 'seal/root-key';
/** The keys of all values by term, each behind the time that it is from, encrypted with the root key. */
const keyringKey = 'seal/keyring';
/** The root key behind the barrier, once it was replaced: for nodes that were unsealed before that. */
const innerRootKey = 'core/root-key';
const timeBytes = 8;
const blockBytes = timeBytes + keyBytes;

/** Undefined where the store holds nothing yet. @throws Fault `vault.seal.foreign` for what is no sealed server's */
export async function readSealConfig(store: Store): Promise<(SealConfig & { revision: number }) | undefined> {
  // Before the entry: another node may be initialising the store.
  const revision = await store.revision();
  const entry = await store.get(configKey);
  if (entry) {
    const config = JSON.parse(entry.value.toString()) as Omit<SealConfig, 'type'> & { type?: string };
    return { ...config, type: config.type ?? 'shamir', revision: entry.revision };
  }
  if (revision === 0) return undefined;
  throw new Fault('this database was not made by a server that is sealed and unsealed', {
    code: 'vault.seal.foreign',
    blame: 'operator',
    fix: 'choose another storage path, or start the server as it was started before',
  });
}

export function sealConfigPut({ type, shares, threshold }: SealConfig): { key: string; value: Buffer } {
  return { key: configKey, value: Buffer.from(JSON.stringify({ type, shares, threshold })) };
}

/** Makes a barrier over the empty `store`: random keys, each encrypted with the one above, the uppermost by `lock`. */
export async function raiseBarrier(
  store: Store,
  lock: RootLock,
  { config, entropy, nowMs }: { config: SealConfig; entropy: Entropy; nowMs: number },
): Promise<Barrier> {
  const rootKey = entropy.bytes(keyBytes);
  const block = newBlock(entropy, nowMs);
  await store.commit({
    puts: [
      sealConfigPut(config),
      { key: rootKeyKey, value: await lock.lock(rootKeyKey, rootKey) },
      { key: keyringKey, value: sealValue(keyring([rootKey]), entropy.bytes(nonceBytes), keyringKey, block) },
    ],
  });
  for (const secret of [rootKey, block]) secret.fill(0);
  return openBarrier(store, lock, entropy);
}

function newBlock(entropy: Entropy, nowMs: number): Buffer {
  const time = Buffer.alloc(timeBytes);
  time.writeBigUInt64BE(BigInt(Math.trunc(nowMs)));
  return Buffer.concat([time, entropy.bytes(keyBytes)]);
}

/** Whether `lock` is the one: opens the root key, and forgets it. @throws Fault `vault.seal.key` */
export async function tryLock(store: Store, lock: RootLock): Promise<void> {
  const { value } = await record(store, rootKeyKey);
  (await lock.unlock(rootKeyKey, value)).fill(0);
}

/** Whether `seal` locked the root key with another key than it would now. */
export async function rootKeyIsStale(store: Store, seal: Pick<AutoSeal, 'isStale'>): Promise<boolean> {
  return seal.isStale((await record(store, rootKeyKey)).value);
}

/** @throws Fault `vault.seal.key` where `lock` is not the one */
export async function openBarrier(store: Store, lock: RootLock, entropy: Entropy): Promise<Barrier> {
  const rootKey = await lock.unlock(rootKeyKey, (await record(store, rootKeyKey)).value);
  const root = keyring([rootKey]);
  rootKey.fill(0);
  const entry = await record(store, keyringKey);
  const blocks = openRecord(root, entry);
  const keys = keyring(keysIn(blocks));
  const installedMs = timeOf(blocks.subarray(blocks.length - blockBytes));
  blocks.fill(0);
  return new OpenBarrier({ store, entropy, root, keys, installedMs, revision: entry.revision });
}

interface Opened {
  store: Store;
  entropy: Entropy;
  root: Keyring;
  keys: Keyring;
  installedMs: number;
  revision: number;
}

class OpenBarrier implements Barrier {
  readonly store: Store;
  readonly #bare: Store;
  readonly #entropy: Entropy;
  readonly #keys: Keyring;
  #root: Keyring;
  #installedMs: number;
  /** Of the keyring that the keys are of. */
  #revision: number;
  #encryptions = 0;

  constructor({ store, entropy, root, keys, installedMs, revision }: Opened) {
    this.#revision = revision;
    this.#bare = store;
    this.#entropy = entropy;
    this.#root = root;
    this.#keys = keys;
    this.#installedMs = installedMs;
    const behind = encryptedStore(store, keys, entropy, () => this.reload());
    this.store = {
      ...behind,
      commit: (batch) => this.#commit(behind, batch),
    };
  }

  status(): KeyStatus {
    return {
      term: this.#keys.active().term,
      installedMs: this.#installedMs,
      encryptions: this.#encryptions,
    };
  }

  /**
   * Writes with the keys that the store is under, and no others: another node may have taken a new one, or put a
   * snapshot of other keys in the place of everything.
   */
  async #commit(behind: Store, batch: Batch): Promise<number> {
    for (;;) {
      const revision = this.#revision;
      this.#encryptions += batch.puts?.length ?? 0;
      try {
        return await behind.commit({
          ...batch,
          expect: [...(batch.expect ?? []), { key: keyringKey, revision }],
        });
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'store.conflict') throw error;
        const now = await this.#bare.get(keyringKey);
        if (now?.revision === revision) throw error;
        await this.reload();
      }
    }
  }

  async rotate(nowMs: number): Promise<void> {
    const { blocks, revision } = await this.#readKeyring();
    const block = newBlock(this.#entropy, nowMs);
    const value = Buffer.concat([blocks, block]);
    // Kept before it is used: what it encrypts must never be without it.
    const written = await this.#bare.commit({
      expect: [{ key: keyringKey, revision }],
      puts: [this.#keyringPut(this.#root, value)],
    });
    this.#take(value, written);
    for (const secret of [blocks, block, value]) secret.fill(0);
  }

  async reload(): Promise<void> {
    const { blocks, revision } = await this.#readKeyring();
    this.#take(blocks, revision);
    blocks.fill(0);
  }

  seal(name: string, value: Buffer): Buffer {
    return sealValue(this.#keys, this.#entropy.bytes(nonceBytes), name, value);
  }

  unseal(name: string, value: Buffer): Buffer {
    return unsealValue(this.#keys, { key: name, value });
  }

  /** All keys as they were read or written: another node may have added some that this one did not have. */
  #take(blocks: Buffer, revision: number): void {
    if (revision < this.#revision) return;
    this.#revision = revision;
    const { term } = this.#keys.active();
    this.#keys.replace(keysIn(blocks));
    this.#installedMs = timeOf(blocks.subarray(blocks.length - blockBytes));
    if (this.#keys.active().term !== term) this.#encryptions = 0;
  }

  async rekey(lock: RootLock, { expect = [], puts = [], deletes = [] }: Batch = {}): Promise<void> {
    const { blocks, revision } = await this.#readKeyring();
    const rootKey = this.#entropy.bytes(keyBytes);
    const root = keyring([rootKey]);
    const locked = await lock.lock(rootKeyKey, rootKey);
    const inner = sealValue(this.#keys, this.#entropy.bytes(nonceBytes), innerRootKey, rootKey);
    this.#revision = await this.#bare.commit({
      expect: [...expect, { key: keyringKey, revision }],
      puts: [
        ...puts,
        { key: rootKeyKey, value: locked },
        this.#keyringPut(root, blocks),
        { key: innerRootKey, value: inner },
      ],
      deletes,
    });
    this.#root.forget();
    this.#root = root;
    for (const secret of [blocks, rootKey]) secret.fill(0);
  }

  forget(): void {
    this.#root.forget();
    this.#keys.forget();
  }

  #keyringPut(root: Keyring, blocks: Buffer): { key: string; value: Buffer } {
    return {
      key: keyringKey,
      value: sealValue(root, this.#entropy.bytes(nonceBytes), keyringKey, blocks),
    };
  }

  /** Another node may have replaced the root key: the one that there is now lies behind the barrier. */
  async #readKeyring(): Promise<{ blocks: Buffer; revision: number }> {
    const entry = await record(this.#bare, keyringKey);
    try {
      return { blocks: unsealValue(this.#root, entry), revision: entry.revision };
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'store.encryption.sealed') throw error;
    }
    const inner = openRecord(this.#keys, await record(this.#bare, innerRootKey));
    const root = keyring([inner]);
    inner.fill(0);
    const blocks = openRecord(root, entry);
    this.#root.forget();
    this.#root = root;
    return { blocks, revision: entry.revision };
  }
}

function keysIn(blocks: Buffer): Buffer[] {
  const count = blocks.length / blockBytes;
  return Array.from({ length: count }, (_, at) =>
    blocks.subarray(at * blockBytes + timeBytes).subarray(0, keyBytes),
  );
}

function timeOf(block: Buffer): number {
  return Number(block.readBigUInt64BE());
}

/** @throws Fault `vault.seal.damaged` where it is not there */
async function record(store: Store, name: string): Promise<Entry> {
  const entry = await store.get(name);
  if (entry) return entry;
  throw damaged(name);
}

/** @throws Fault `vault.seal.damaged` where it does not open */
function openRecord(keys: Keyring, entry: Entry): Buffer {
  try {
    return unsealValue(keys, entry);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'store.encryption.sealed') throw error;
    throw damaged(entry.key, error);
  }
}

function damaged(name: string, cause?: unknown): Fault {
  return new Fault(`the store has lost ${name}, or it was altered`, {
    code: 'vault.seal.damaged',
    blame: 'operator',
    fix: 'restore it from a backup',
    cause,
  });
}
