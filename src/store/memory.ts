import { checkBatch, checkExpectations, closedFault } from './expectations.ts';
import { compareKeys } from './keys.ts';
import type { Batch, Entry, ListOptions, Store } from './store.ts';

/** A store that lasts as long as the process: for tests and for Vault's dev mode, which promises no more. */
export function memoryStore(): Store {
  const entries = new Map<string, Entry>();
  /** The keys of `entries`, in order. */
  const keys: string[] = [];
  let revision = 0;
  let open = true;

  function assertOpen(): void {
    if (!open) throw closedFault();
  }

  function put(key: string, value: Uint8Array): void {
    if (!entries.has(key)) keys.splice(position(keys, key), 0, key);
    entries.set(key, { key, value: Buffer.from(value), revision });
  }

  function remove(key: string): void {
    if (entries.delete(key)) keys.splice(position(keys, key), 1);
  }

  function apply(batch: Batch): number {
    checkExpectations(batch, (key) => entries.get(key)?.revision ?? 0);
    revision += 1;
    for (const { key, value } of batch.puts ?? []) put(key, value);
    for (const key of batch.deletes ?? []) remove(key);
    return revision;
  }

  return {
    async get(key) {
      assertOpen();
      const entry = entries.get(key);
      return entry && copy(entry);
    },
    async list(options) {
      assertOpen();
      return range(keys, options).map((key) => copy(entries.get(key)!));
    },
    async commit(batch) {
      assertOpen();
      checkBatch(batch);
      return apply(batch);
    },
    async revision() {
      assertOpen();
      return revision;
    },
    async close() {
      open = false;
    },
  };
}

/** A reader that changes the bytes it was given must not change the store. */
function copy({ key, value, revision }: Entry): Entry {
  return { key, value: Buffer.from(value), revision };
}

function range(keys: readonly string[], { prefix, after, limit = Infinity }: ListOptions): string[] {
  const found: string[] = [];
  let at = position(keys, prefix);
  if (after !== undefined) {
    const past = position(keys, after);
    at = Math.max(at, keys[past] === after ? past + 1 : past);
  }
  for (; at < keys.length && found.length < limit; at++) {
    const key = keys[at]!;
    if (!key.startsWith(prefix)) break;
    found.push(key);
  }
  return found;
}

/** Where `key` stands, or would stand, in the ordered `keys`. */
function position(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(keys[middle]!, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
