import type { Cancel, Clock } from '../../base/clock.ts';
import { dayMs, formatDuration, minuteMs } from '../../base/duration.ts';
import { describeError, Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { invalidRequest } from '../faults.ts';
import type { Barrier, KeyStatus } from './barrier.ts';

/** When the key of new values is replaced without anyone asking for it. */
export interface RotationConfig {
  enabled: boolean;
  /** After this many encryptions. */
  maxOperations: number;
  /** Once it is this old; 0 for never. */
  intervalMs: number;
}

/** Nine tenths of 2^32: random 96-bit nonces may not be drawn more often for one key (NIST SP 800-38D, 8.3). */
const mostOperations = 3_865_470_566;
const fewestOperations = 1_000_000;
const shortestIntervalMs = dayMs;
const checkIntervalMs = 5 * minuteMs;
const configKey = 'core/key-rotation';
const countKey = 'core/key-encryptions';

const standard: RotationConfig = { enabled: true, maxOperations: mostOperations, intervalMs: 0 };

/** Why a new key is due; undefined where it is not. */
export function rotationDue(config: RotationConfig, key: KeyStatus, nowMs: number): string | undefined {
  if (!config.enabled) return undefined;
  if (key.encryptions >= config.maxOperations) return 'maximum of encryptions reached';
  if (config.intervalMs > 0 && nowMs - key.installedMs >= config.intervalMs) return 'interval passed';
  return undefined;
}

/** @throws Fault `vault.request.invalid` in Vault's words */
export function checkRotationConfig({ maxOperations, intervalMs }: RotationConfig): void {
  if (intervalMs !== 0 && intervalMs < shortestIntervalMs) {
    throw invalidRequest(`interval must be greater or equal to ${formatDuration(shortestIntervalMs)}`);
  }
  if (maxOperations < fewestOperations || maxOperations > mostOperations) {
    throw invalidRequest(`max_operations must be in the range [${fewestOperations},${mostOperations}]`);
  }
}

interface Count {
  term: number;
  encryptions: number;
}

function of(count: Count, term: number): number {
  return count.term === term ? count.encryptions : 0;
}

/** The life of the key that new values are encrypted with: how much it was used, by all processes, and its end. */
export class KeyRotation {
  readonly #barrier: Barrier;
  readonly #clock: Clock;
  readonly #log: Log;
  /** As the store had it last, and how much of the barrier's own count is in it. */
  #stored: Count = { term: 0, encryptions: 0 };
  #included: Count = { term: 0, encryptions: 0 };
  #cancel: Cancel = () => {};
  #closed = false;

  constructor(barrier: Barrier, { clock, log }: { clock: Clock; log: Log }) {
    this.#barrier = barrier;
    this.#clock = clock;
    this.#log = log;
  }

  /** Reads what there is, and goes on looking by itself. */
  async start(): Promise<void> {
    this.#stored = (await this.#readCount()).count;
    this.#wait();
  }

  status(): KeyStatus {
    const status = this.#barrier.status();
    return { ...status, encryptions: this.#total(status) };
  }

  async config(): Promise<RotationConfig> {
    const entry = await this.#barrier.store.get(configKey);
    return entry ? (JSON.parse(entry.value.toString()) as RotationConfig) : standard;
  }

  /** @throws Fault `vault.request.invalid` */
  async configure(change: Partial<RotationConfig>): Promise<void> {
    const config = { ...(await this.config()), ...change };
    checkRotationConfig(config);
    await this.#barrier.store.commit({
      puts: [{ key: configKey, value: Buffer.from(JSON.stringify(config)) }],
    });
  }

  async rotate(): Promise<void> {
    await this.#barrier.rotate(this.#clock.now());
  }

  /** Adds what was counted to the store's count, and takes a new key where one is due. */
  async check(): Promise<void> {
    await this.#keepCount();
    const due = rotationDue(await this.config(), this.status(), this.#clock.now());
    if (due === undefined) return;
    await this.rotate();
    this.#log.info('the encryption key was rotated', { why: due, term: this.#barrier.status().term });
  }

  /** Ends the looking; what was counted is kept. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#keepCount().catch((error: unknown) => this.#complain(error));
  }

  #wait(): void {
    if (this.#closed) return;
    this.#cancel = this.#clock.after(checkIntervalMs, () => {
      void this.check()
        .catch((error: unknown) => this.#complain(error))
        .finally(() => this.#wait());
    });
  }

  #complain(error: unknown): void {
    this.#log.warn('the use of the encryption key could not be looked after', {
      error: describeError(error),
    });
  }

  #total(status: KeyStatus): number {
    return of(this.#stored, status.term) + this.#fresh(status);
  }

  #fresh({ term, encryptions }: KeyStatus): number {
    return encryptions - of(this.#included, term);
  }

  async #keepCount(): Promise<void> {
    const status = this.#barrier.status();
    const { term } = status;
    const { count, revision } = await this.#readCount();
    this.#stored = count;
    // A key that was replaced elsewhere counts no more.
    if (this.#fresh(status) === 0 || count.term > term) return;
    // The write itself is one more.
    const kept = { term, encryptions: this.#total(status) + 1 };
    try {
      await this.#barrier.store.commit({
        expect: [{ key: countKey, revision }],
        puts: [{ key: countKey, value: Buffer.from(JSON.stringify(kept)) }],
      });
    } catch (error) {
      // Another process was quicker; ours are added the next time.
      if (error instanceof Fault && error.code === 'store.conflict') return;
      throw error;
    }
    this.#stored = kept;
    this.#included = { term, encryptions: status.encryptions + 1 };
  }

  async #readCount(): Promise<{ count: Count; revision: number }> {
    const entry = await this.#barrier.store.get(countKey);
    if (!entry) return { count: { term: 0, encryptions: 0 }, revision: 0 };
    return { count: JSON.parse(entry.value.toString()) as Count, revision: entry.revision };
  }
}
