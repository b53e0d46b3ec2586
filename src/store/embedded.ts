import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Fault } from '../base/fault.ts';
import { History, watchChanges } from './changes.ts';
import { fillCopy, OpenSnapshot, removeCopies } from './embedded-copy.ts';
import { openFault, sqliteFault, versionFault } from './embedded-faults.ts';
import { checkBatch, checkExpectations, closedFault } from './expectations.ts';
import { afterPrefix } from './keys.ts';
import type { Batch, Change, ChangedKeys, Entry, ListOptions, Store, WatchOptions } from './store.ts';

/** "CPST" in SQLite's header: tells our files from any other SQLite file. */
const applicationId = 0x43505354;
const formatVersion = 1;
/** To SQLite every blob comes after every text. */
const aboveAllText = Buffer.alloc(0);

export interface EmbeddedOptions {
  /** The database file. Its folder is made where missing; beside it SQLite keeps `-wal`. */
  path: string;
}

/**
 * A store in one SQLite file: write-ahead log, a sync per commit, and one commit for all batches of an event-loop
 * turn (a sync costs far more than a batch). The file is readable by its owner only, and locked by the operating
 * system for as long as this process has it open, `kill -9` included.
 *
 * @throws Fault `store.open.denied`, `store.open.locked`, `store.open.corrupt`, `store.open.version`,
 *   `store.unavailable`; each with its fix.
 */
export function embeddedStore({ path }: EmbeddedOptions): Store {
  const database = openDatabase(path);
  try {
    return new EmbeddedStore(database, path);
  } catch (error) {
    database.close();
    throw openFault(error, path);
  }
}

function openDatabase(path: string): DatabaseSync {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // SQLite would make the file with the process's umask; its log takes the mode of the file.
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    throw openFault(error, path);
  }
}

function prepareSchema(database: DatabaseSync, path: string): void {
  // Exclusive from the first statement on: the log's index then lives in this process, not in a shared file.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = 8192; PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000; PRAGMA trusted_schema = OFF');
  database.exec('BEGIN IMMEDIATE');
  const found = pragma(database, 'application_id');
  const tables = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get() as { n: number };
  if (found === 0 && tables.n === 0) {
    // Values of a kilobyte live in the key's own tree: a range is then read in one sweep.
    database.exec(`
      CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE head (revision INTEGER NOT NULL) STRICT;
      INSERT INTO head VALUES (0);
      PRAGMA application_id = ${applicationId};
      PRAGMA user_version = ${formatVersion};
    `);
  } else if (found !== applicationId) {
    throw versionFault(path, 'is an SQLite database of another program');
  } else if (pragma(database, 'user_version') !== formatVersion) {
    throw versionFault(path, 'was written by a newer Capstan');
  }
  database.exec('COMMIT');
  removeCopies(path);
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[0]);
}

interface Waiting {
  batch: Batch;
  resolve: (revision: number) => void;
  reject: (error: unknown) => void;
}

type Outcome = { waiting: Waiting; revision: number; deletes: string[] } | { waiting: Waiting; fault: Fault };

class EmbeddedStore implements Store {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements: Statements;
  /** This process is the only one that writes. */
  readonly #history: History;
  readonly #snapshots = new Set<OpenSnapshot>();
  #revision: number;
  #queue: Waiting[] = [];
  #open = true;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
    prepareSchema(database, path);
    this.#statements = prepare(database);
    this.#revision = (this.#statements.head.get() as { revision: number }).revision;
    this.#history = new History(this.#revision);
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.#read(() => toEntry(this.#statements.get.get(key)));
  }

  async list(options: ListOptions): Promise<Entry[]> {
    return this.#read(() => this.#range(options));
  }

  async commit(batch: Batch): Promise<number> {
    if (!this.#open) throw closedFault();
    checkBatch(batch);
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch, resolve, reject });
      if (this.#queue.length === 1) setImmediate(() => this.#flush());
    });
  }

  async revision(): Promise<number> {
    return this.#read(() => this.#revision);
  }

  async changedKeys(options: { prefixes: readonly string[]; after: number }): Promise<ChangedKeys> {
    if (!this.#open) throw closedFault();
    return this.#history.since(options);
  }

  watch(options: WatchOptions): AsyncIterable<Change> {
    return watchChanges(this, options, this.#history.arm);
  }

  async *snapshot(): AsyncGenerator<Entry[]> {
    if (!this.#open) throw closedFault();
    const open = new OpenSnapshot((after, limit) =>
      this.#read(() => this.#range({ prefix: '', after, limit })),
    );
    this.#snapshots.add(open);
    try {
      for (let page = open.page(); page; page = open.page()) {
        if (page.length > 0) yield page;
        // Others have their turn even where the reader is quick.
        await new Promise(setImmediate);
      }
    } finally {
      this.#snapshots.delete(open);
    }
  }

  async replace(pages: AsyncIterable<readonly { key: string; value: Uint8Array }[]>): Promise<number> {
    if (!this.#open) throw closedFault();
    const copy = await fillCopy(this.#path, pages);
    try {
      if (!this.#open) throw closedFault();
      // What waits was asked for before, and is replaced with the rest.
      this.#flush();
      const revision = this.#revision + 1;
      if (this.#snapshots.size > 0) throw replacedDuringSnapshot();
      copy.moveInto(this.#database, revision);
      this.#revision = revision;
      this.#history.restart(revision);
      this.#history.announce();
      return revision;
    } catch (error) {
      throw sqliteFault(error, this.#path);
    } finally {
      copy.remove();
    }
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#flush();
    this.#database.close();
    this.#history.announce();
  }

  #range(options: ListOptions): Entry[] {
    return rangeOf(this.#statements, options);
  }

  #read<T>(read: () => T): T {
    if (!this.#open) throw closedFault();
    try {
      return read();
    } catch (error) {
      throw sqliteFault(error, this.#path);
    }
  }

  /** Writes all that is waiting in one transaction. */
  #flush(): void {
    const group = this.#queue;
    this.#queue = [];
    // Closing wrote what was waiting, ahead of its turn.
    if (group.length === 0) return;
    const before = this.#revision;
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      const outcomes = group.map((waiting) => this.#attempt(waiting));
      if (this.#revision > before) this.#statements.setHead.run(this.#revision);
      this.#database.exec('COMMIT');
      for (const outcome of outcomes) this.#answer(outcome);
      this.#history.announce();
    } catch (error) {
      // Nothing of the group is kept, so nothing of it is acknowledged.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      this.#revision = before;
      for (const { reject } of group) reject(sqliteFault(error, this.#path));
    }
  }

  #saveFor(open: OpenSnapshot, { puts = [], deletes = [] }: Batch): void {
    for (const key of [...puts.map((put) => put.key), ...deletes]) {
      open.save(key, () => toEntry(this.#statements.get.get(key)));
    }
  }

  #answer(outcome: Outcome): void {
    const { batch, resolve, reject } = outcome.waiting;
    if ('fault' in outcome) return reject(outcome.fault);
    this.#history.record(
      (batch.puts ?? []).map(({ key }) => key),
      outcome.deletes,
    );
    resolve(outcome.revision);
  }

  /** Applies a batch whole, or, where an expectation fails, not at all. */
  #attempt(waiting: Waiting): Outcome {
    const { batch } = waiting;
    const { revisionOf, put, remove } = this.#statements;
    try {
      checkExpectations(batch, (key) => (revisionOf.get(key)?.revision as number | undefined) ?? 0);
    } catch (error) {
      if (error instanceof Fault) return { waiting, fault: error };
      throw error;
    }
    for (const open of this.#snapshots) this.#saveFor(open, batch);
    const revision = ++this.#revision;
    for (const { key, value } of batch.puts ?? []) put.run(key, value, revision);
    const deletes = (batch.deletes ?? []).filter((key) => remove.run(key).changes > 0);
    return { waiting, revision, deletes };
  }
}

function replacedDuringSnapshot(): Fault {
  return new Fault('a snapshot is being read, and everything is to be replaced', {
    code: 'store.unavailable',
    blame: 'caller',
    fix: 'wait until the snapshot has been read',
  });
}

type Statements = ReturnType<typeof prepare>;

function prepare(database: DatabaseSync) {
  return {
    head: database.prepare('SELECT revision FROM head'),
    setHead: database.prepare('UPDATE head SET revision = ?'),
    get: database.prepare('SELECT key, value, revision FROM entry WHERE key = ?'),
    revisionOf: database.prepare('SELECT revision FROM entry WHERE key = ?'),
    put: database.prepare(
      `INSERT INTO entry VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision`,
    ),
    remove: database.prepare('DELETE FROM entry WHERE key = ?'),
    entries: ranges(database, 'value'),
    keys: ranges(database, "x'' AS value"),
  };
}

function ranges(database: DatabaseSync, value: string): Record<'forwards' | 'backwards', StatementSync> {
  const from = `SELECT key, ${value}, revision FROM entry WHERE key >= ?`;
  return {
    forwards: database.prepare(`${from} AND key > ? AND key < ? ORDER BY key LIMIT ?`),
    backwards: database.prepare(`${from} AND key < ? AND key < ? ORDER BY key DESC LIMIT ?`),
  };
}

function rangeOf(statements: Statements, { prefix, after, limit, reverse, keysOnly }: ListOptions): Entry[] {
  const upper = afterPrefix(prefix) ?? aboveAllText;
  const { forwards, backwards } = keysOnly ? statements.keys : statements.entries;
  const rows = reverse
    ? backwards.all(prefix, after ?? upper, upper, limit ?? -1)
    : forwards.all(prefix, after ?? '', upper, limit ?? -1);
  return rows.map((row) => toEntry(row)!);
}

function toEntry(row: Record<string, unknown> | undefined): Entry | undefined {
  if (!row) return undefined;
  const value = row.value as Uint8Array;
  return {
    key: row.key as string,
    value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
    revision: row.revision as number,
  };
}
