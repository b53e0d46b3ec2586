import type { Cancel, Clock } from './clock.ts';

interface Timer {
  dueMs: number;
  order: number;
  act: () => void;
}

/**
 * A clock that moves only when told to, for tests and simulations. Timers fire in order of their due time
 * (ties: in order of setting), each seeing exactly its due time as `now()`.
 */
export class ManualClock implements Clock {
  #nowMs: number;
  #order = 0;
  #timers: Timer[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, act: () => void): Cancel {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, act };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** The due time of the next timer, in epoch milliseconds; undefined where none is set. */
  nextDueMs(): number | undefined {
    return this.#next()?.dueMs;
  }

  /** Moves time on by `ms`, firing what falls due; between timers the event loop turns, so promises settle. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await turn();
    for (let timer = this.#next(); timer && timer.dueMs <= endMs; timer = this.#next()) {
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      const fired = timer;
      this.#timers = this.#timers.filter((other) => other !== fired);
      fired.act();
      await turn();
    }
    this.#nowMs = endMs;
    await turn();
  }

  #next(): Timer | undefined {
    return this.#timers.reduce<Timer | undefined>(
      (first, timer) =>
        !first || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order)
          ? timer
          : first,
      undefined,
    );
  }
}

/** Lets every promise that can settle without I/O settle. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
