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
  const { client, resource, clock, signal, resyncMs = 10 * hourMs } = options;
  const log = options.log.with({ resource: resource.plural });
  let cache = new Map<string, T>();
  const first = Promise.withResolvers<void>();
  // Whoever does not wait for the first list is not to be bothered by its absence.
  first.promise.catch(() => {});

  function tell(object: T | undefined, previous: T | undefined): void {
    try {
      options.onChange?.(object, previous);
    } catch (error) {
      log.error('handling a change failed', { reason: describeError(error) });
    }
  }

  /** Replaces the cache as a whole, then tells the difference: no handler sees half of a list. */
  async function list(): Promise<string> {
    const { items, resourceVersion } = await client.list<T>(resource, options.options);
    if (signal.aborted) return resourceVersion;
    const before = cache;
    cache = new Map(items.map((item) => [keyOf(item.metadata), item]));
    for (const [key, object] of cache) {
      const previous = before.get(key);
      if (!previous || changed(object, previous)) tell(object, previous);
    }
    for (const [key, previous] of before) if (!cache.has(key)) tell(undefined, previous);
    first.resolve();
    return resourceVersion;
  }

  function take(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    const key = keyOf(object.metadata);
    const previous = cache.get(key);
    if (type === 'DELETED') {
      if (cache.delete(key)) tell(undefined, previous);
      return;
    }
    cache.set(key, object);
    if (!previous || changed(object, previous)) tell(object, previous);
  }

  async function follow(): Promise<void> {
    const backoff = backoffOf(options);
    let from: string | undefined;
    while (!signal.aborted) {
      const startedMs = clock.now();
      let progressed = false;
      let failure: unknown;
      try {
        from ??= await list();
        const watch = client.watch<T>(resource, { ...options.options, resourceVersion: from, signal });
        for await (const { type, object } of watch) {
          progressed = true;
          from = object.metadata.resourceVersion!;
          if (type !== 'BOOKMARK') take(type, object);
        }
      } catch (error) {
        failure = error;
        if (!canResume(error)) from = undefined;
      }
      if (signal.aborted) return;
      if (failure !== undefined) {
        const level = refusedFor(failure, 'expired') ? 'debug' : 'warn';
        log[level]('watching stopped', { reason: describeError(failure), listsAgain: from === undefined });
      }
      if (progressed) backoff.reset();
      const lasted = failure === undefined && clock.now() - startedMs >= shortWatchMs;
      const resumeAtOnce = progressed && (failure === undefined || refusedFor(failure, 'expired'));
      if (!lasted && !resumeAtOnce) await sleep(clock, backoff.nextMs(), signal);
    }
  }

  async function resync(): Promise<void> {
    while (!signal.aborted) {
      await sleep(clock, resyncMs, signal);
      if (signal.aborted) return;
      for (const object of [...cache.values()]) tell(object, object);
    }
  }

  const stopped = Promise.all([follow(), resync()]).then(() => {
    first.reject(
      new Fault(`watching ${resource.plural} was stopped before the first list`, {
        code: 'kube.informer.stopped',
        blame: 'operator',
      }),
    );
  });
  return {
    synced: first.promise,
    stopped,
    get: (name, namespace) => cache.get(keyOf({ name, namespace })),
    list: (namespace) => {
      const all = [...cache.values()];
      return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
    },
  };
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

/** The connection broke or the server is busy: the point reached still stands. */
function canResume(error: unknown): boolean {
  return (
    error instanceof Fault &&
    (error.code.startsWith('wire.') ||
      error.code === 'kube.watch.cut' ||
      refusedFor(error, 'too-many-requests'))
  );
}

function backoffOf({ entropy }: { entropy?: Entropy }): { nextMs(): number; reset(): void } {
  let failures = 0;
  return {
    nextMs() {
      const delayMs = Math.min(maxBackoffMs, firstBackoffMs * 2 ** Math.min(failures++, 10));
      const share = entropy ? entropy.bytes(2).readUInt16BE() / 0xffff : 0;
      return delayMs * (1 + share);
    },
    reset() {
      failures = 0;
    },
  };
}
