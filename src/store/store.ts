/** One stored value. */
export interface Entry {
  key: string;
  value: Buffer;
  /** The revision of the commit that wrote it: grows with every commit to the store, never zero. */
  revision: number;
}

export interface ListOptions {
  /** Only keys that start with this. */
  prefix: string;
  /** Only keys after this one, itself left out; before it, where the order is reversed. */
  after?: string;
  /** At most this many entries; all of them where absent. */
  limit?: number;
  /** From the last key to the first. */
  reverse?: true;
  /** Values are left out, each in whose place is an empty one: for those who count or page through many. */
  keysOnly?: true;
}

/** What one commit did, as far as no later one had undone it when it was read. */
export interface Change {
  revision: number;
  puts: Entry[];
  deletes: string[];
}

export interface WatchOptions {
  /** Only keys that start with this. */
  prefix: string;
  /** Only what was committed after this revision. */
  after: number;
  /** Ends the changes. */
  signal: AbortSignal;
}

/** Which keys have changed, each once, at its newest change; in the order of revisions. */
export interface ChangedKeys {
  /** All up to this revision is told; ask again after it. */
  upTo: number;
  /** Whether that was too much to tell at once: there is more already. */
  more: boolean;
  commits: { revision: number; puts: string[]; deletes: string[] }[];
}

/** What one commit does: all of it, or nothing. */
export interface Batch {
  /**
   * What must be true for the batch to happen: the key's entry has this revision, or, with 0, there is none.
   * Give one for every entry that the decision behind the batch was read from.
   */
  expect?: readonly { key: string; revision: number }[];
  puts?: readonly { key: string; value: Uint8Array }[];
  deletes?: readonly string[];
}

/**
 * Ordered keys and durable, conditional batches: all that the CA and the API server ask of a database.
 *
 * Keys are UTF-8 text of at most 1,024 bytes, ordered by their bytes; values are at most 4 MiB. Implementations
 * must answer reads from what has been committed (a commit that has resolved is seen by every later read, on this
 * store object and on any other over the same database), may merge concurrent commits into one write (group commit),
 * and must keep a batch atomic while they do.
 */
export interface Store {
  get(key: string): Promise<Entry | undefined>;
  /** In key order, or its reverse. */
  list(options: ListOptions): Promise<Entry[]>;
  /**
   * Resolves, with the new revision, once the batch is durable: it survives `kill -9` and a power cut.
   *
   * @throws Fault `store.conflict` where an expectation does not hold (nothing was written; read again and decide
   *   again), `store.unavailable` where the database cannot be reached or written (unknown whether it happened only
   *   if the connection broke during the commit).
   */
  commit(batch: Batch): Promise<number>;
  /** The revision of the newest commit; 0 for an empty store. */
  revision(): Promise<number>;
  /**
   * The keys with one of `prefixes` that any node has changed after that revision; unless there is more, up to one
   * that is at least the newest when this was called.
   *
   * @throws Fault `store.watch.compacted` where that is too long ago: list anew, and go on from the revision that was
   *   the newest before
   */
  changedKeys(options: { prefixes: readonly string[]; after: number }): Promise<ChangedKeys>;
  /**
   * The commits after `after` that touched the prefix, in the order of revisions, none left out, then those to come.
   * It tells what is, not all that ever was: a write that a later one has already replaced is left to the later one's
   * change, so whoever applies them all ends with what `list` would answer. Read it to its end, or abort the signal.
   *
   * @throws Fault `store.watch.compacted` as above, `store.unavailable`
   */
  watch(options: WatchOptions): AsyncIterable<Change>;
  /** All entries as they are at one moment after the call, in key order, in pages; commits go on meanwhile. */
  snapshot(): AsyncIterable<Entry[]>;
  /**
   * Puts these entries in the place of all there are: one commit, after which every feed is `store.watch.compacted`.
   * No key may come twice. Answers the revision, which all of them then have.
   *
   * @throws Fault as `commit`, and whatever `pages` throws; nothing was changed then
   */
  replace(pages: AsyncIterable<readonly { key: string; value: Uint8Array }[]>): Promise<number>;
  close(): Promise<void>;
}
