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
  /** Only keys after this one, itself left out. */
  after?: string;
  /** At most this many entries; all of them where absent. */
  limit?: number;
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
  /** In key order. */
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
  close(): Promise<void>;
}
