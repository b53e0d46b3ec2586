import { type Clock, sleep } from '../base/clock.ts';
import { hourMs, secondMs } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { refusedFor } from './api-fault.ts';
import type { KubeClient, ListOptions } from './kube-client.ts';
import type { KubeObject, Resource } from './resource.ts';

export interface InformerOptions<T extends KubeObject> {
  client: KubeClient;
  resource: Resource;
  /** What of the resource is followed; everything where absent. */
  options?: ListOptions;
  clock: Clock;
  log: Log;
  /** Ends it. */
  signal: AbortSignal;
  /**
   * Told of each change after the cache holds it: (new, old), (new, undefined) for a new object, (undefined, old)
   * for one that is gone, (same, same) at a resync. May be told of several changes as one. Must not block; what
   * it throws is logged.
   */
  onChange?: (object: T | undefined, previous: T | undefined) => void;
  /** How often `onChange` is told of every object again. */
  resyncMs?: number;
  /** Spreads the retries of many clients; without it they wait exactly the backoff. */
  entropy?: Entropy;
}

/** What the API holds of one resource, kept up to date. Objects are shared: copy before changing one. */
export interface Informer<T extends KubeObject> {
  /** Resolves when the cache is complete and told of; rejects with `kube.informer.stopped` when ended before. */
  synced: Promise<void>;
  /** Resolves when it has ended. */
  stopped: Promise<void>;
  get(name: string, namespace?: string): T | undefined;
  /** Everything, or everything in `namespace`. */
  list(namespace?: string): T[];
  /**
   * Takes in the server's answer to a write of one's own, which the watch will bring a moment later; so that what
   * is decided next is not decided on what was before. Only for objects that `options` select. Tells nobody.
   */
  learn(object: T): void;
}

const firstBackoffMs = 800;
const maxBackoffMs = 30 * secondMs;
/** A watch that ends sooner than this without an event is counted as failed, lest it be opened in a circle. */
const shortWatchMs = 5 * secondMs;

/**
 * Lists, then watches from there, for ever: a watch that ends or breaks is taken up where it stopped; when the
 * server no longer has that point (410), or refuses for any other reason, everything is listed again and the
 * difference told. So no change is lost, though several may be told of as one.
 */
export function startInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  return new ListWatch(options);
}

class ListWatch<T extends KubeObject> implements Informer<T> {
  readonly synced: Promise<void>;
  readonly stopped: Promise<void>;
  readonly #options: InformerOptions<T>;
  readonly #log: Log;
  readonly #backoff: Backoff;
  readonly #first = Promise.withResolvers<void>();
  #cache = new Map<string, T>();
  /** Where the next watch starts; undefined where everything is to be listed first. */
  #from: string | undefined;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#log = options.log.with({ resource: options.resource.plural });
    this.#backoff = new Backoff(options.entropy);
    this.synced = this.#first.promise;
    // Whoever does not wait for the first list is not to be bothered by its absence.
    this.synced.catch(() => {});
    this.stopped = this.#run();
  }

  get(name: string, namespace?: string): T | undefined {
    return this.#cache.get(keyOf({ name, namespace }));
  }

  list(namespace?: string): T[] {
    const all = [...this.#cache.values()];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  learn(object: T): void {
    const key = keyOf(object.metadata);
    const known = this.#cache.get(key);
    if (!known || !isOlder(object, known)) this.#cache.set(key, object);
  }

  async #run(): Promise<void> {
    await Promise.all([this.#follow(), this.#resync()]);
    this.#first.reject(
      new Fault(`watching ${this.#options.resource.plural} was stopped before the first list`, {
        code: 'kube.informer.stopped',
        blame: 'operator',
      }),
    );
  }

  async #follow(): Promise<void> {
    const { clock, signal } = this.#options;
    while (!signal.aborted) {
      const startedMs = clock.now();
      const { progressed, failure } = await this.#watchOnce();
      if (signal.aborted) return;
      if (failure !== undefined) this.#note(failure);
      if (progressed) this.#backoff.reset();
      const lasted = failure === undefined && clock.now() - startedMs >= shortWatchMs;
      const resumeAtOnce = progressed && (failure === undefined || refusedFor(failure, 'expired'));
      if (!lasted && !resumeAtOnce) await sleep(clock, this.#backoff.nextMs(), signal);
    }
  }

  /** One watch to its end, a list before it where there is no point to start from. */
  async #watchOnce(): Promise<{ progressed: boolean; failure?: unknown }> {
    const { client, resource, signal, options } = this.#options;
    let progressed = false;
    try {
      this.#from ??= await this.#list();
      const watch = client.watch<T>(resource, { ...options, resourceVersion: this.#from, signal });
      for await (const { type, object } of watch) {
        progressed = true;
        this.#from = object.metadata.resourceVersion!;
        if (type !== 'BOOKMARK') this.#take(type, object);
      }
      return { progressed };
    } catch (failure) {
      if (!canResume(failure)) this.#from = undefined;
      return { progressed, failure };
    }
  }

  /** Replaces the cache as a whole, then tells the difference: no handler sees half of a list. */
  async #list(): Promise<string> {
    const { client, resource, options, signal } = this.#options;
    const { items, resourceVersion } = await client.list<T>(resource, options);
    if (signal.aborted) return resourceVersion;
    const before = this.#cache;
    this.#cache = new Map(items.map((item) => [keyOf(item.metadata), item]));
    for (const [key, object] of this.#cache) {
      const previous = before.get(key);
      if (!previous || changed(object, previous)) this.#tell(object, previous);
    }
    for (const [key, previous] of before) if (!this.#cache.has(key)) this.#tell(undefined, previous);
    this.#first.resolve();
    return resourceVersion;
  }

  #take(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    const key = keyOf(object.metadata);
    const previous = this.#cache.get(key);
    // News from before a write whose answer is known already.
    if (previous && isOlder(object, previous)) return;
    if (type === 'DELETED') {
      if (this.#cache.delete(key)) this.#tell(undefined, previous);
      return;
    }
    this.#cache.set(key, object);
    if (!previous || changed(object, previous)) this.#tell(object, previous);
  }

  #tell(object: T | undefined, previous: T | undefined): void {
    try {
      this.#options.onChange?.(object, previous);
    } catch (error) {
      this.#log.error('handling a change failed', { reason: describeError(error) });
    }
  }

  #note(failure: unknown): void {
    const level = refusedFor(failure, 'expired') ? 'debug' : 'warn';
    const listsAgain = this.#from === undefined;
    this.#log[level]('watching stopped', { reason: describeError(failure), listsAgain });
  }

  async #resync(): Promise<void> {
    const { clock, signal, resyncMs = 10 * hourMs } = this.#options;
    while (!signal.aborted) {
      await sleep(clock, resyncMs, signal);
      if (signal.aborted) return;
      for (const object of this.#cache.values()) this.#tell(object, object);
    }
  }
}

/** `namespace/name`, or the name alone where the object has no namespace. Neither can hold a slash. */
export function keyOf({ name, namespace }: { name: string; namespace?: string | undefined }): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The way back from `keyOf`. */
export function splitKey(key: string): { name: string; namespace?: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

function changed(object: KubeObject, previous: KubeObject): boolean {
  return (
    object.metadata.resourceVersion !== previous.metadata.resourceVersion ||
    object.metadata.uid !== previous.metadata.uid
  );
}

/** Versions are numbers that grow, as of Kubernetes 1.35 by its word; where they are none, nothing is older. */
function isOlder(object: KubeObject, than: KubeObject): boolean {
  return Number(object.metadata.resourceVersion) < Number(than.metadata.resourceVersion);
}

/** The connection broke or the server is busy: the point reached still stands. */
function canResume(error: unknown): boolean {
  return (
    error instanceof Fault &&
    (error.code.startsWith('wire.') ||
      error.code === 'kube.watch.cut' ||
      refusedFor(error, 'too-many-requests'))
  );
}

class Backoff {
  readonly #entropy: Entropy | undefined;
  #failures = 0;

  constructor(entropy: Entropy | undefined) {
    this.#entropy = entropy;
  }

  nextMs(): number {
    const delayMs = Math.min(maxBackoffMs, firstBackoffMs * 2 ** Math.min(this.#failures++, 10));
    const share = this.#entropy ? this.#entropy.bytes(2).readUInt16BE() / 0xffff : 0;
    return delayMs * (1 + share);
  }

  reset(): void {
    this.#failures = 0;
  }
}
