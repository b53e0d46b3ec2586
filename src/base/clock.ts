/**
 * Time as an argument. Nothing in Capstan reads the system clock or sets a timer by itself: it is handed a
 * `Clock`, so that ninety days pass in a second under test and `--speed` can run a demonstration.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Runs `act` once, `delayMs` from now on this clock; the answer cancels it. Never keeps the process alive. */
  after(delayMs: number, act: () => void): Cancel;
}

export type Cancel = () => void;

/** setTimeout counts in a signed 32-bit number of milliseconds; longer delays are waited for in pieces. */
const longestTimeoutMs = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = scaledClock({ originMs: 0, speed: 1 });

export interface ClockScale {
  /** The instant, in epoch milliseconds, at which the scaled and the real clock agree. */
  originMs: number;
  /** How many seconds pass here in one real second. */
  speed: number;
}

/** A clock that agrees with the machine's at `originMs` and runs `speed` times as fast from there. */
export function scaledClock({ originMs, speed }: ClockScale): Clock {
  const now = () => originMs + (Date.now() - originMs) * speed;
  const after = (delayMs: number, act: () => void): Cancel => {
    const dueMs = now() + delayMs;
    let timer: NodeJS.Timeout;
    const wait = () => {
      const leftMs = Math.ceil(Math.max(0, dueMs - now()) / speed);
      timer = setTimeout(leftMs > longestTimeoutMs ? wait : act, Math.min(leftMs, longestTimeoutMs));
      timer.unref();
    };
    wait();
    return () => clearTimeout(timer);
  };
  return { now: () => Math.floor(now()), after };
}

/** Resolves `delayMs` later on `clock`, or at once when `signal` aborts. Never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const stop = () => {
      cancel();
      resolve();
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    signal?.addEventListener('abort', stop, { once: true });
  });
}
