import { Fault } from '../../base/fault.ts';
import type { Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import type { MountView } from '../mount/mounts.ts';

/** Each conflict means that somebody else got through; more in a row than this mean something else. */
const attemptLimit = 100;

/** The store's own limit. */
const longestKeyBytes = 1_024;

/** Reads and changes that stand or fall together. */
export interface Work {
  get<T>(key: string): Promise<T | undefined>;
  put(key: string, value: unknown): void;
  delete(key: string): void;
}

/** What one auth mount keeps: JSON values by keys of its own. */
export interface MethodStore {
  get<T>(key: string): Promise<T | undefined>;
  /** In the order of their keys, which are given without `prefix`. */
  list(
    prefix: string,
    page?: { after?: string; limit?: number },
  ): Promise<{ name: string; value: unknown }[]>;
  /**
   * What `act` writes counts only if all that it read is still so and the mount is still there; else it is asked
   * again. What it throws leaves everything as it was.
   *
   * @throws Fault `store.conflict` where others are always quicker
   */
  change<T>(act: (work: Work) => Promise<T>): Promise<T>;
}

export function methodStore(store: Store, view: MountView): MethodStore {
  // Those that others were quicker than try again one after the other, so that many do not hinder each other for long.
  let retries: Promise<unknown> = Promise.resolve();
  return {
    async get<T>(key: string) {
      const entry = await store.get(keyOf(view, key));
      return entry && (JSON.parse(entry.value.toString()) as T);
    },
    async list(prefix: string, { after, limit }: { after?: string; limit?: number } = {}) {
      const start = view.prefix + prefix;
      const entries = await store.list({
        prefix: start,
        ...(after ? { after: start + after } : {}),
        ...(limit && limit > 0 ? { limit } : {}),
      });
      return entries.map(({ key, value }) => ({
        name: key.slice(start.length),
        value: JSON.parse(value.toString()) as unknown,
      }));
    },
    async change<T>(act: (work: Work) => Promise<T>) {
      try {
        return await once(store, view, act);
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
      const retried = retries.then(() => again(store, view, act));
      retries = retried.catch(() => {});
      return retried;
    },
  };
}

async function again<T>(store: Store, view: MountView, act: (work: Work) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    await view.following.fresh();
    try {
      return await once(store, view, act);
    } catch (error) {
      if (!isConflict(error) || attempt === attemptLimit) throw error;
    }
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof Fault && error.code === 'store.conflict';
}

async function once<T>(store: Store, view: MountView, act: (work: Work) => Promise<T>): Promise<T> {
  const seen = new Map<string, number>();
  const puts = new Map<string, Buffer>();
  const deletes = new Set<string>();
  const guard = view.guard();
  const answer = await act({
    async get<V>(name: string) {
      const key = keyOf(view, name);
      const entry = await store.get(key);
      const revision = entry?.revision ?? 0;
      if ((seen.get(key) ?? revision) !== revision) throw conflict(key);
      seen.set(key, revision);
      return entry && (JSON.parse(entry.value.toString()) as V);
    },
    put(name, value) {
      const key = keyOf(view, name);
      deletes.delete(key);
      puts.set(key, Buffer.from(JSON.stringify(value)));
    },
    delete(name) {
      const key = keyOf(view, name);
      puts.delete(key);
      deletes.add(key);
    },
  });
  if (puts.size + deletes.size > 0) {
    await store.commit({
      expect: [guard, ...[...seen].map(([key, revision]) => ({ key, revision }))],
      puts: [...puts].map(([key, value]) => ({ key, value })),
      deletes: [...deletes],
    });
  }
  return answer;
}

/** @throws Fault `vault.request.invalid` for a name that no store has a key for */
function keyOf({ prefix }: MountView, name: string): string {
  const key = prefix + name;
  if (Buffer.byteLength(key) > longestKeyBytes) throw invalidRequest('the name is too long');
  return key;
}

function conflict(key: string): Fault {
  return new Fault(`${key} changed while it was decided on`, { code: 'store.conflict', blame: 'caller' });
}
