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
  return new KeyedQueue(options);
}

class KeyedQueue implements WorkQueue {
  readonly #clock: Clock;
  readonly #initialBackoffMs: number;
  readonly #maxBackoffMs: number;
  readonly #waiting = new Set<string>();
  readonly #working = new Set<string>();
  /** Added while being worked on. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { dueMs: number; cancel: Cancel }>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor({ clock, initialBackoffMs = 500, maxBackoffMs = 5 * minuteMs }: WorkQueueOptions) {
    this.#clock = clock;
    this.#initialBackoffMs = initialBackoffMs;
    this.#maxBackoffMs = maxBackoffMs;
  }

  get size(): number {
    return this.#waiting.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    const taker = this.#waiting.has(key) ? undefined : this.#takers.shift();
    if (!taker) {
      this.#waiting.add(key);
      return;
    }
    this.#working.add(key);
    taker(key);
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.now() + delayMs;
    const earlier = this.#delayed.get(key);
    if (earlier && earlier.dueMs <= dueMs) return;
    earlier?.cancel();
    const cancel = this.#clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }

  retry(key: string): number {
    const failed = this.failures(key);
    this.#failures.set(key, failed + 1);
    // 2^30 is past every sensible limit; beyond it the power would overflow.
    const delayMs = Math.min(this.#maxBackoffMs, this.#initialBackoffMs * 2 ** Math.min(failed, 30));
    this.addAfter(key, delayMs);
    return delayMs;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  next(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const [key] = this.#waiting;
    if (key === undefined) return new Promise((resolve) => this.#takers.push(resolve));
    this.#waiting.delete(key);
    this.#working.add(key);
    return Promise.resolve(key);
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#again.clear();
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
}
