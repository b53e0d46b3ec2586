import type { Clock } from '../../base/clock.ts';
import { hourMs } from '../../base/duration.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';

/** What one sweep ends at most; the next one follows at once. */
const pageSize = 200;
const retryMs = 10_000;
/** The last instant that has 15 digits, some 30,000 years from now: keys are in the order of their instants. */
const lastMs = 999_999_999_999_999;

/** Something whose time is over, by its entry in the store. */
export interface Due {
  key: string;
  id: string;
}

export interface ExpiryOptions {
  store: Store;
  clock: Clock;
  log: Log;
  /** Of the entries in the store; ends in a slash. */
  prefix: string;
  /** Ends them, and removes their entries once nothing is left to do for them. */
  end: (due: readonly Due[]) => Promise<void>;
}

/**
 * Ends what is over as time goes on, a page at a time: one entry in the store for each thing, in the order of their
 * ends. An entry for time 0 is due at once, whatever the thing itself says: how it is ended before its time, so that
 * whatever a crash leaves undone is done at the next start.
 */
export class Expiry {
  readonly #options: ExpiryOptions;
  #closed = false;
  #nextMs = Infinity;
  #cancel = () => {};
  #turn: Promise<void> = Promise.resolve();

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  key(atMs: number, id: string): string {
    const written = String(Math.min(Math.trunc(atMs), lastMs)).padStart(15, '0');
    return `${this.#options.prefix}${written}/${id}`;
  }

  /** Sweeps at `atMs` at the latest. */
  sweepBy(atMs: number): void {
    if (atMs < this.#nextMs) this.#sweepAt(atMs);
  }

  /** One at a time, so that nothing is ended twice at once. */
  sweep(): Promise<void> {
    const run = () => this.#sweep();
    this.#turn = this.#turn.then(run, run);
    return this.#turn;
  }

  async #sweep(): Promise<void> {
    const { store, clock, prefix, end } = this.#options;
    const now = clock.now();
    // What is made meanwhile may end before any that is seen here.
    this.#nextMs = Infinity;
    const page = (await store.list({ prefix, limit: pageSize })).map(({ key }) => {
      const [, ms, id] = /^(\d+)\/(.*)$/s.exec(key.slice(prefix.length))!;
      return { key, atMs: Number(ms), id: id! };
    });
    const due = page.filter(({ atMs }) => atMs <= now);
    if (due.length > 0) await end(due);
    const next = page.find(({ atMs }) => atMs > now)?.atMs ?? (due.length > 0 ? now : Infinity);
    this.#sweepAt(Math.min(next, now + hourMs, this.#nextMs));
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #sweepAt(atMs: number): void {
    this.#cancel();
    if (this.#closed) return;
    const { clock, log, prefix } = this.#options;
    this.#nextMs = atMs;
    this.#cancel = clock.after(Math.max(0, atMs - clock.now()), () => {
      this.sweep().catch((error: unknown) => {
        log.error('what has expired could not be removed', { of: prefix, error: String(error) });
        this.#sweepAt(clock.now() + retryMs);
      });
    });
  }
}
