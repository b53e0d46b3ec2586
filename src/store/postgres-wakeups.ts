import type { Pool, PoolClient } from 'pg';

/** How soon who watches looks again where no notification came: one may be lost with its connection. */
const slowPollMs = 5_000;
/** Notifications that come closer together than this wake once: a busy store has more commits than looks are worth. */
const quietMs = 10;

/** Tells watchers when other nodes, or this one, have committed: on one connection, held from the first watch on. */
export class PostgresWakeups {
  readonly #pool: Pool;
  readonly #schema: string;
  readonly #waiting = new Set<() => void>();
  #listening: Promise<void> | undefined;
  #client: PoolClient | undefined;
  #heard = 0;
  #quiet: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(pool: Pool, schema: string) {
    this.#pool = pool;
    this.#schema = schema;
  }

  /** As `Arm` has it: listening before anyone looks, so that nothing goes unheard after the look. */
  async arm(): Promise<(signal: AbortSignal) => Promise<void>> {
    this.#listening ??= this.#listen();
    await this.#listening;
    const heard = this.#heard;
    return (signal) => this.#next(heard, signal);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#quiet);
    this.#client?.release(true);
    this.#client = undefined;
    this.#wake();
  }

  #next(heard: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted || this.#closed || this.#heard > heard) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, slowPollMs);
      timer.unref();
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #wake(): void {
    this.#heard += 1;
    for (const done of this.#waiting) done();
  }

  /** A server that cannot be reached is found out by whoever looks; until then there is the slow poll. */
  async #listen(): Promise<void> {
    try {
      const client = await this.#pool.connect();
      const lost = () => {
        if (this.#client !== client) return;
        this.#client = undefined;
        this.#listening = undefined;
        client.release(true);
        this.#wake();
      };
      client.on('error', lost).on('end', lost);
      client.on('notification', ({ payload }) => {
        if (payload === this.#schema) this.#hear();
      });
      this.#client = client;
      await client.query('LISTEN capstan');
      if (this.#closed) this.close();
    } catch {
      this.#client?.release(true);
      this.#client = undefined;
      this.#listening = undefined;
    }
  }

  #hear(): void {
    this.#quiet ??= setTimeout(() => {
      this.#quiet = undefined;
      this.#wake();
    }, quietMs).unref();
  }
}
