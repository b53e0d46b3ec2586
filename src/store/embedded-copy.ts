import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { checkBatch } from './expectations.ts';
import { compareKeys } from './keys.ts';
import type { Entry } from './store.ts';

const pageSize = 1_000;

/** Copies lie beside the database, where there is room for it if anywhere, and are as private as it is. */
function copyFolder(path: string): string {
  return mkdtempSync(`${path}.copy-`);
}

/** What a process that was killed left behind. */
export function removeCopies(path: string): void {
  const prefix = `${basename(path)}.copy-`;
  for (const name of readdirSync(dirname(path))) {
    if (name.startsWith(prefix)) rmSync(join(dirname(path), name), { recursive: true, force: true });
  }
}

/**
 * All entries as they were when it was made, read page by page while commits go on: each first saves here what it is
 * about to change and has not been read yet. (SQLite's own backup fails beside a busy writer, and a copy in one go
 * would hold everything up.)
 */
export class OpenSnapshot {
  readonly #read: (after: string, limit: number) => Entry[];
  /** Undefined for what was not there. */
  readonly #before = new Map<string, Entry | undefined>();
  #cursor = '';

  constructor(read: (after: string, limit: number) => Entry[]) {
    this.#read = read;
  }

  save(key: string, entry: () => Entry | undefined): void {
    if (!this.#before.has(key) && compareKeys(key, this.#cursor) > 0) this.#before.set(key, entry());
  }

  /** The next entries in order; undefined at the end. */
  page(): Entry[] | undefined {
    const current = this.#read(this.#cursor, pageSize);
    const end = current.length < pageSize ? undefined : current.at(-1)!.key;
    const saved = [...this.#before.keys()].filter((key) => end === undefined || compareKeys(key, end) <= 0);
    const entries = [
      ...current.filter(({ key }) => !this.#before.has(key)),
      ...saved.map((key) => this.#before.get(key)).filter((entry) => entry !== undefined),
    ];
    for (const key of saved) this.#before.delete(key);
    if (end === undefined && entries.length === 0) return undefined;
    const ordered = entries.toSorted((a, b) => compareKeys(a.key, b.key));
    this.#cursor = end ?? [...current, ...ordered].map(({ key }) => key).reduce(laterOf);
    return ordered;
  }
}

function laterOf(a: string, b: string): string {
  return compareKeys(a, b) > 0 ? a : b;
}

/** Entries that are to take the place of all others: gathered in a file, since they may be more than fit in memory. */
export interface FilledCopy {
  /** In one transaction, and without letting anything come between. */
  moveInto(database: DatabaseSync, revision: number): void;
  remove(): void;
}

export async function fillCopy(
  path: string,
  pages: AsyncIterable<readonly { key: string; value: Uint8Array }[]>,
): Promise<FilledCopy> {
  const folder = copyFolder(path);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const file = join(folder, 'store.db');
  const copy = new DatabaseSync(file);
  try {
    copy.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
    copy.exec('CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID');
    const insert = copy.prepare('INSERT INTO entry VALUES (?, ?)');
    for await (const page of pages) {
      checkBatch({ puts: page });
      copy.exec('BEGIN');
      for (const { key, value } of page) insert.run(key, value);
      copy.exec('COMMIT');
    }
    copy.close();
  } catch (error) {
    copy.close();
    remove();
    throw error;
  }
  return { remove, moveInto: (database, revision) => moveInto(database, file, revision) };
}

function moveInto(database: DatabaseSync, file: string, revision: number): void {
  database.prepare('ATTACH ? AS filled').run(file);
  try {
    database.exec('BEGIN IMMEDIATE; DELETE FROM main.entry');
    database.prepare('INSERT INTO main.entry SELECT key, value, ? FROM filled.entry').run(revision);
    database.prepare('UPDATE head SET revision = ?').run(revision);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  } finally {
    database.exec('DETACH filled');
  }
}
