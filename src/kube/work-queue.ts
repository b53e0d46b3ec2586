import type { Cancel, Clock } from '../base/clock.ts';
import { minuteMs } from '../base/duration.ts';

/**
 * Keys waiting to be worked on. A key is in the queue at most once, is handed to one worker at a time, and when
 * it is added while being worked on comes back after `done`; so that the work always sees the newest state and
 * bursts of changes cost one run.
 */
export interface WorkQueue {
  /** Puts `key` in the queue, unless it is there. */
  add(key: string): void;
  /** Puts it there `delayMs` from now; of several delays for one key the earliest counts. */
  addAfter(key: string, delayMs: number): void;
  /** Puts it there after its backoff, which doubles with each call until `forget`; answers the delay. */
  retry(key: string): number;
  /** Resets the backoff of `key`. */
  forget(key: string): void;
  /** How often `key` has been retried since it was last forgotten. */
  failures(key: string): number;
  /** The next key, once there is one; undefined when the queue is closed. Each needs its `done`. */
  next(): Promise<string | undefined>;
  done(key: string): void;
  /** Keys that wait to be worked on now, delayed ones not counted. */
  readonly size: number;
  /** Drops everything that waits and ends every `next`. */
  close(): void;
}

export interface WorkQueueOptions {
  clock: Clock;
  /** Delay of a key's first retry. */
  initialBackoffMs?: number;
  maxBackoffMs?: number;
}

export function workQueue(options: WorkQueueOptions): WorkQueue {
  const { clock, initialBackoffMs = 500, maxBackoffMs = 5 * minuteMs } = options;
  const waiting = new Set<string>();
  const working = new Set<string>();
  /** Added while being worked on. */
  const again = new Set<string>();
  const delayed = new Map<string, { dueMs: number; cancel: Cancel }>();
  const failures = new Map<string, number>();
  const takers: ((key: string | undefined) => void)[] = [];
  let closed = false;

  function add(key: string): void {
    if (closed) return;
    if (working.has(key)) {
      again.add(key);
      return;
    }
    const taker = waiting.has(key) ? undefined : takers.shift();
    if (!taker) {
      waiting.add(key);
      return;
    }
    working.add(key);
    taker(key);
  }

  function addAfter(key: string, delayMs: number): void {
    if (closed) return;
    if (delayMs <= 0) {
      add(key);
      return;
    }
    const dueMs = clock.now() + delayMs;
    const earlier = delayed.get(key);
    if (earlier && earlier.dueMs <= dueMs) return;
    earlier?.cancel();
    const cancel = clock.after(delayMs, () => {
      delayed.delete(key);
      add(key);
    });
    delayed.set(key, { dueMs, cancel });
  }

  return {
    add,
    addAfter,
    retry(key) {
      const failed = failures.get(key) ?? 0;
      failures.set(key, failed + 1);
      // 2^30 is past every sensible limit; beyond it the power would overflow.
      const delayMs = Math.min(maxBackoffMs, initialBackoffMs * 2 ** Math.min(failed, 30));
      addAfter(key, delayMs);
      return delayMs;
    },
    forget(key) {
      failures.delete(key);
    },
    failures: (key) => failures.get(key) ?? 0,
    next() {
      if (closed) return Promise.resolve(undefined);
      const [key] = waiting;
      if (key === undefined) return new Promise((resolve) => takers.push(resolve));
      waiting.delete(key);
      working.add(key);
      return Promise.resolve(key);
    },
    done(key) {
      working.delete(key);
      if (again.delete(key)) add(key);
    },
    get size() {
      return waiting.size;
    },
    close() {
      closed = true;
      waiting.clear();
      again.clear();
      for (const { cancel } of delayed.values()) cancel();
      delayed.clear();
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
}
