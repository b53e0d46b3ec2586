import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { Store } from '../store/store.ts';
import { type ApiObject, encodeObject, type StoredObject, storedObject } from './api-object.ts';
import { type Change, WatchCache } from './watch-cache.ts';

const objectsPrefix = 'kubernetes/objects/';

/** How a kind is named in storage; the same for all its versions. */
export interface StorageName {
  group: string;
  plural: string;
}

/**
 * Every object of the cluster: durable in the Store, readable from memory. A write is committed first, then shown
 * to readers and watchers in the order of commits; the revision of a commit is the objects' resourceVersion, one
 * counter for all kinds.
 */
export class ObjectStore {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #caches = new Map<string, WatchCache>();
  readonly #listeners = new Set<(name: StorageName, change: Change) => void>();
  readonly #locks = new Map<string, Promise<unknown>>();
  readonly #waiters = new Set<() => void>();
  readonly #floor: number;
  #revision: number;
  /** Settles once every earlier write has been shown. */
  #line: Promise<unknown> = Promise.resolve();

  private constructor(store: Store, clock: Clock, revision: number) {
    this.#store = store;
    this.#clock = clock;
    this.#floor = revision;
    this.#revision = revision;
  }

  /** Reads everything into memory. @param clock what watch history's age is measured on. */
  static async open(store: Store, clock: Clock): Promise<ObjectStore> {
    const entries = await store.list({ prefix: objectsPrefix });
    // A resourceVersion of 0 means "any" to clients, so an empty store starts at 1.
    const revision = Math.max(await store.revision(), 1);
    const objects = new ObjectStore(store, clock, revision);
    for (const { key, value, revision } of entries) {
      const [group, plural] = key.slice(objectsPrefix.length).split('/', 2) as [string, string];
      const text = value.toString();
      const object = JSON.parse(text) as ApiObject;
      objects
        .cache({ group: group === 'core' ? '' : group, plural })
        .load(storedObject(object, text, revision));
    }
    return objects;
  }

  /** The newest revision that readers can see. */
  get revision(): number {
    return this.#revision;
  }

  cache({ group, plural }: StorageName): WatchCache {
    const id = `${group}/${plural}`;
    let cache = this.#caches.get(id);
    if (!cache) {
      cache = new WatchCache(this.#clock, this.#floor);
      this.#caches.set(id, cache);
    }
    return cache;
  }

  /** Every kind that has had an object since the start. */
  names(): StorageName[] {
    return [...this.#caches.keys()].map((id) => {
      const at = id.indexOf('/');
      return { group: id.slice(0, at), plural: id.slice(at + 1) };
    });
  }

  /** Told of every change of every kind, in commit order. */
  subscribe(listener: (name: StorageName, change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Runs `act` while no other writer holds the same object. */
  async locked<T>(name: StorageName, key: string, act: () => Promise<T>): Promise<T> {
    const id = storageKey(name, key);
    const before = this.#locks.get(id);
    const turn = (async () => {
      // The holder before reports its own failure; here only its end matters.
      await before?.catch(() => {});
      return act();
    })();
    this.#locks.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#locks.get(id) === turn) this.#locks.delete(id);
    }
  }

  /** Call under the object's lock. `live` is what the decision was made on. */
  async put(name: StorageName, object: ApiObject, live: StoredObject | undefined): Promise<StoredObject> {
    const text = encodeObject(object);
    const { namespace, name: objectName } = object.metadata;
    const key = storageKey(name, namespace ? `${namespace}/${objectName}` : objectName);
    const commit = this.#store.commit({
      expect: [{ key, revision: live?.revision ?? 0 }],
      puts: [{ key, value: Buffer.from(text) }],
    });
    return this.#show(commit, (revision) => {
      const stored = storedObject(object, text, revision);
      this.#tell(name, this.cache(name).put(stored));
      return stored;
    });
  }

  /** Call under the object's lock. Answers the last state, carrying the deletion's revision. */
  async delete(name: StorageName, live: StoredObject): Promise<StoredObject> {
    const key = storageKey(name, live.key);
    const commit = this.#store.commit({ expect: [{ key, revision: live.revision }], deletes: [key] });
    return this.#show(commit, (revision) => {
      const change = this.cache(name).remove(live.key, revision);
      if (!change)
        throw new Fault(`${key} left the cache early`, { code: 'apiserver.cache', blame: 'capstan' });
      this.#tell(name, change);
      return change.object;
    });
  }

  /** Waits for a commit, then for all that were handed in before it, then shows it to readers. */
  #show<T>(commit: Promise<number>, show: (revision: number) => T): Promise<T> {
    const earlier = this.#line;
    const shown = (async () => {
      const [outcome] = await Promise.all([settle(commit), earlier]);
      if ('error' in outcome) throw outcome.error;
      this.#revision = Math.max(this.#revision, outcome.value);
      const result = show(outcome.value);
      for (const wake of this.#waiters) wake();
      return result;
    })();
    this.#line = shown.catch(() => {});
    return shown;
  }

  #tell(name: StorageName, change: Change): void {
    for (const listener of this.#listeners) listener(name, change);
  }

  /** True once readers can see `revision`; false when `timeoutMs` pass first. */
  async reached(revision: number, timeoutMs: number): Promise<boolean> {
    if (this.#revision >= revision) return true;
    return new Promise((resolve) => {
      const done = (answer: boolean) => {
        this.#waiters.delete(wake);
        cancel();
        resolve(answer);
      };
      const wake = () => {
        if (this.#revision >= revision) done(true);
      };
      const cancel = this.#clock.after(timeoutMs, () => done(false));
      this.#waiters.add(wake);
    });
  }
}

async function settle<T>(promise: Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error };
  }
}

function storageKey({ group, plural }: StorageName, key: string): string {
  return `${objectsPrefix}${group || 'core'}/${plural}/${key}`;
}
