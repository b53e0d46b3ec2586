import { Fault } from '../base/fault.ts';
import type { Change, ChangedKeys, Store, WatchOptions } from './store.ts';

/** Called before looking for changes; what it answers resolves once there may be more than was there to see. */
export type Arm = () => Promise<(signal: AbortSignal) => Promise<void>>;

/** `watch` for a store that can tell which keys have changed, and when to look again. */
export async function* watchChanges(
  store: Pick<Store, 'changedKeys' | 'get'>,
  { prefix, after, signal }: WatchOptions,
  arm: Arm,
): AsyncGenerator<Change> {
  for (let seen = after; !signal.aborted; ) {
    const more = await arm();
    const { upTo, commits } = await store.changedKeys({ prefixes: [prefix], after: seen });
    for (const { revision, puts, deletes } of commits) {
      const entries = await Promise.all(puts.map((key) => store.get(key)));
      // What was written again since then comes with its later commit.
      const current = entries.filter((entry) => entry?.revision === revision).map((entry) => entry!);
      if (signal.aborted) return;
      if (current.length + deletes.length > 0) yield { revision, puts: current, deletes };
    }
    if (upTo > seen) seen = upTo;
    else await more(signal);
  }
}

/** @throws Fault `store.watch.compacted` where what came after `after` is not known any more, or never was */
export function checkAfter(after: number, known: { from: number; to: number }): void {
  if (after >= known.from && after <= known.to) return;
  throw new Fault(`changes are known from revision ${known.from} to ${known.to}, not after ${after}`, {
    code: 'store.watch.compacted',
    blame: 'caller',
    fix: 'list anew, and go on from the revision that was the newest before',
  });
}

/** How many keys the history of a process holds at most, roughly. */
const keyLimit = 50_000;

/** What the commits of this process changed lately: the keys alone, so that a commit pays next to nothing for it. */
export class History {
  /** One element a commit: that of revision `#floor + 1` first. */
  #commits: { puts: readonly string[]; deletes: readonly string[] }[] = [];
  #floor: number;
  #keys = 0;
  readonly #waiting = new Set<() => void>();

  /** `revision`: the newest one; what came before it is not known. */
  constructor(revision: number) {
    this.#floor = revision;
  }

  get newest(): number {
    return this.#floor + this.#commits.length;
  }

  /** Takes the next revision's changes. Call {@link announce} once they can be read. */
  record(puts: readonly string[], deletes: readonly string[]): void {
    this.#commits.push({ puts, deletes });
    this.#keys += 1 + puts.length + deletes.length;
    if (this.#keys <= 2 * keyLimit) return;
    // Rarely, and much at once: an array is dear to shorten at its beginning.
    let drop = 0;
    for (; this.#keys > keyLimit && drop < this.#commits.length - 1; drop++) {
      const { puts: put, deletes: deleted } = this.#commits[drop]!;
      this.#keys -= 1 + put.length + deleted.length;
    }
    this.#commits = this.#commits.slice(drop);
    this.#floor += drop;
  }

  /** Forgets everything: what came before `revision` cannot be told as changes. */
  restart(revision: number): void {
    this.#commits = [];
    this.#keys = 0;
    this.#floor = revision;
  }

  announce(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** @throws Fault `store.watch.compacted` */
  since({ prefixes, after }: { prefixes: readonly string[]; after: number }): ChangedKeys {
    const upTo = this.newest;
    checkAfter(after, { from: this.#floor, to: upTo });
    if (after === upTo) return { upTo, more: false, commits: [] };
    const told = new Set<string>();
    const fresh = (key: string) => {
      if (told.has(key) || !prefixes.some((prefix) => key.startsWith(prefix))) return false;
      told.add(key);
      return true;
    };
    const commits: ChangedKeys['commits'] = [];
    for (let revision = upTo; revision > after; revision--) {
      const commit = this.#commits[revision - this.#floor - 1]!;
      // Of a key that one batch puts and deletes, nothing is left.
      const deletes = commit.deletes.filter(fresh);
      const puts = commit.puts.filter(fresh);
      if (puts.length + deletes.length > 0) commits.push({ revision, puts, deletes });
    }
    return { upTo, more: false, commits: commits.toReversed() };
  }

  readonly arm: Arm = async () => {
    const seen = this.newest;
    return (signal) =>
      new Promise((resolve) => {
        if (signal.aborted || this.newest > seen) return resolve();
        const wake = () => {
          signal.removeEventListener('abort', wake);
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
  };
}
