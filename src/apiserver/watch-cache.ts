import type { Clock } from '../base/clock.ts';
import { atRevision, type StoredObject } from './api-object.ts';
import { expired } from './status-errors.ts';

/** One change of one object, in commit order. */
export interface Change {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  revision: number;
  /** The object after the change; for DELETED its last state, carrying the deletion's revision. */
  object: StoredObject;
  previous?: StoredObject;
  atMs: number;
  /** Serialised watch frames, filled in by whoever sends them first: every other watcher shares the bytes. */
  frames?: Map<string, Buffer>;
}

/** How much history a kind keeps at least, so that clients can come back after a pause; see {@link historyLimit}. */
const keptChanges = 1_000;
/** Clients that ignore bookmarks resume from the last change they saw, minutes ago for a quiet kind. */
const keptMs = 5 * 60_000;
/** However busy the kind is, history ends here. */
const historyLimit = 20_000;
const historyLimitBytes = 64 * 2 ** 20;

/**
 * All objects of one kind, ordered by key, and their recent history. Reads of every sort are served from here; it
 * changes only by `record`, once a change is durable.
 */
export class WatchCache {
  readonly #clock: Clock;
  readonly #objects = new Map<string, StoredObject>();
  /** Keys in order; rebuilt lazily after additions and removals. */
  #sorted: string[] | undefined = [];
  #history: Change[] = [];
  #historyBytes = 0;
  /** History before and up to this revision is unknown or forgotten. */
  #floor: number;
  readonly #listeners = new Set<(change: Change) => void>();

  /** @param clock what history's age is measured on: the clients' own time. */
  constructor(clock: Clock, floor: number) {
    this.#clock = clock;
    this.#floor = floor;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  /** Fills the cache at start; no history, no listeners. */
  load(object: StoredObject): void {
    if (!this.#objects.has(object.key)) this.#sorted = undefined;
    this.#objects.set(object.key, object);
  }

  /** Exchanges the cached form of an object that itself has not changed (its schema has). */
  replace(object: StoredObject): void {
    this.#objects.set(object.key, object);
  }

  put(object: StoredObject): Change {
    const previous = this.#objects.get(object.key);
    if (!previous) this.#sorted = undefined;
    this.#objects.set(object.key, object);
    const { revision } = object;
    return this.#record({
      type: previous ? 'MODIFIED' : 'ADDED',
      revision,
      object,
      ...(previous ? { previous } : {}),
      atMs: this.#clock.now(),
    });
  }

  remove(key: string, revision: number): Change | undefined {
    const previous = this.#objects.get(key);
    if (!previous) return undefined;
    this.#objects.delete(key);
    this.#sorted = undefined;
    const object = atRevision(previous, revision);
    return this.#record({ type: 'DELETED', revision, object, previous, atMs: this.#clock.now() });
  }

  #record(change: Change): Change {
    this.#history.push(change);
    this.#historyBytes += change.object.json.length;
    this.#forget();
    for (const listener of this.#listeners) listener(change);
    // Whoever comes later writes its own; kept, they would double the memory that history takes.
    delete change.frames;
    return change;
  }

  #forget(): void {
    const old = this.#clock.now() - keptMs;
    let drop = 0;
    for (const change of this.#history) {
      const left = this.#history.length - drop;
      const crowded = left > historyLimit || this.#historyBytes > historyLimitBytes;
      if (!crowded && (left <= keptChanges || change.atMs > old)) break;
      this.#historyBytes -= change.object.json.length;
      this.#floor = change.revision;
      drop++;
    }
    // Dropping one by one would move the whole array every time.
    if (drop > 0) this.#history = this.#history.slice(drop);
  }

  /** Objects whose key starts with `prefix`, in key order. */
  list(prefix: string): StoredObject[] {
    this.#sorted ??= [...this.#objects.keys()].sort(byteOrder);
    const keys = this.#sorted;
    if (prefix === '') return keys.map((key) => this.#objects.get(key)!);
    const found: StoredObject[] = [];
    for (let at = lowerBound(keys, prefix); at < keys.length && keys[at]!.startsWith(prefix); at++) {
      found.push(this.#objects.get(keys[at]!)!);
    }
    return found;
  }

  /**
   * The same as of an earlier revision: recent history is undone.
   *
   * @throws StatusFault Expired
   */
  listAt(prefix: string, revision: number): StoredObject[] {
    const undone = new Map<string, StoredObject | undefined>();
    for (const change of this.changesAfter(revision).toReversed()) {
      undone.set(change.object.key, change.previous);
    }
    const kept = this.list(prefix).filter(({ key }) => !undone.has(key));
    const restored = [...undone.values()].filter((object) =>
      object?.key.startsWith(prefix),
    ) as StoredObject[];
    if (restored.length === 0) return kept;
    return [...kept, ...restored].sort((a, b) => byteOrder(a.key, b.key));
  }

  /**
   * What happened since `revision`, itself left out.
   *
   * @throws StatusFault Expired, where that is no longer known
   */
  changesAfter(revision: number): Change[] {
    if (revision < this.#floor) throw expired(`too old resource version: ${revision} (${this.#floor})`);
    let low = 0;
    let high = this.#history.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#history[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#history.slice(low);
  }

  /** Calls `listener` for every later change, in order, until the answer is called. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Keys are ASCII, where the order of UTF-16 units is the order of bytes. */
function byteOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lowerBound(keys: readonly string[], wanted: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
