import { History, watchChanges } from './changes.ts';
import { checkBatch, checkExpectations, closedFault } from './expectations.ts';
import { afterPrefix, compareKeys } from './keys.ts';
import type { Batch, Entry, ListOptions, Store } from './store.ts';

const pageSize = 1_000;

/** A store that lasts as long as the process: for tests and for Vault's dev mode, which promises no more. */
export function memoryStore(): Store {
  const entries = new OrderedEntries();
  const history = new History(0);
  let revision = 0;
  let open = true;

  function assertOpen(): void {
    if (!open) throw closedFault();
  }

  function apply(batch: Batch): number {
    checkExpectations(batch, (key) => entries.get(key)?.revision ?? 0);
    revision += 1;
    for (const { key, value } of batch.puts ?? []) entries.put(key, value, revision);
    const deletes = (batch.deletes ?? []).filter((key) => entries.remove(key));
    history.record(
      (batch.puts ?? []).map(({ key }) => key),
      deletes,
    );
    history.announce();
    return revision;
  }

  const store: Store = {
    async get(key) {
      assertOpen();
      const entry = entries.get(key);
      return entry && copy(entry);
    },
    async list(options) {
      assertOpen();
      return entries.range(options).map(options.keysOnly ? withoutValue : copy);
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
    async changedKeys(options) {
      assertOpen();
      return history.since(options);
    },
    watch: (options) => watchChanges(store, options, history.arm),
    async *snapshot() {
      assertOpen();
      const all = entries.range({ prefix: '' });
      for (let at = 0; at < all.length; at += pageSize) yield all.slice(at, at + pageSize).map(copy);
    },
    async replace(pages) {
      const puts: { key: string; value: Uint8Array }[] = [];
      for await (const page of pages) puts.push(...page);
      assertOpen();
      checkBatch({ puts });
      revision += 1;
      entries.fill(puts, revision);
      history.restart(revision);
      history.announce();
      return revision;
    },
    async close() {
      open = false;
      history.announce();
    },
  };
  return store;
}

function withoutValue({ key, revision }: Entry): Entry {
  return { key, value: Buffer.alloc(0), revision };
}

/** A reader that changes the bytes it was given must not change the store. */
function copy({ key, value, revision }: Entry): Entry {
  return { key, value: Buffer.from(value), revision };
}

class OrderedEntries {
  readonly #entries = new Map<string, Entry>();
  /** The keys of the entries, in order. */
  #keys: string[] = [];

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  put(key: string, value: Uint8Array, revision: number): void {
    if (!this.#entries.has(key)) this.#keys.splice(position(this.#keys, key), 0, key);
    this.#entries.set(key, { key, value: Buffer.from(value), revision });
  }

  remove(key: string): boolean {
    const was = this.#entries.delete(key);
    if (was) this.#keys.splice(position(this.#keys, key), 1);
    return was;
  }

  /** In the place of all there are. */
  fill(puts: readonly { key: string; value: Uint8Array }[], revision: number): void {
    this.#entries.clear();
    for (const { key, value } of puts) this.#entries.set(key, { key, value: Buffer.from(value), revision });
    this.#keys = [...this.#entries.keys()].toSorted(compareKeys);
  }

  range({ prefix, after, limit = Infinity, reverse }: ListOptions): Entry[] {
    const keys = this.#keys;
    let first = position(keys, prefix);
    const upper = afterPrefix(prefix);
    let end = upper === undefined ? keys.length : position(keys, upper);
    if (after !== undefined) {
      const past = position(keys, after);
      if (reverse) end = Math.min(end, past);
      else first = Math.max(first, keys[past] === after ? past + 1 : past);
    }
    const found = reverse
      ? keys.slice(Math.max(first, end - limit), Math.max(first, end)).toReversed()
      : keys.slice(first, Math.max(first, Math.min(end, first + limit)));
    return found.map((key) => this.#entries.get(key)!);
  }
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
