import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import type { Following } from '../store/following.ts';
import type { Batch, Store } from '../store/store.ts';
import { type Certificate, newSerial, serialText } from '../x509/certificate.ts';
import type { AiaUrls } from './ca-request.ts';
import { type Holdings, keysBelow, nothing, readHoldings, type Settings } from './holdings.ts';
import { noRemoteKeys, type RemoteKeys } from './issuer.ts';
import type { Circumstances } from './issuing-rules.ts';
import type { TtlLimits } from './validity.ts';

export interface AuthorityOptions {
  store: Store;
  /** Everything of this authority is below it. */
  prefix: string;
  clock: Clock;
  entropy: Entropy;
  limits: () => TtlLimits;
  /** What must hold in the store for anything written here to count. */
  guard: () => { key: string; revision: number };
  /** None where all keys are made and kept here. */
  remoteKeys?: RemoteKeys;
  /** Tells what other nodes change; none where nobody else writes to the store. */
  following?: Following;
}

/** More conflicts than this in a row mean that something else is wrong. */
const attemptLimit = 10;

/** What an authority knows, and the one way in which it writes: every part of it decides on these pages. */
export class Ledger {
  readonly options: AuthorityOptions;
  readonly at: ReturnType<typeof keysBelow>;
  #holdings: Holdings;
  /** Readings follow one another, so that none puts back what a later one has seen. */
  #reading: Promise<void> = Promise.resolve();

  private constructor(options: AuthorityOptions, holdings: Holdings) {
    this.options = options;
    this.at = keysBelow(options.prefix);
    this.#holdings = holdings;
  }

  static async open(options: AuthorityOptions): Promise<Ledger> {
    const ledger = new Ledger(options, nothing);
    const { issuers, keys, settings } = ledger.at;
    options.following?.follow([issuers, keys, settings], () => ledger.reload());
    await ledger.reload();
    return ledger;
  }

  holdings(): Holdings {
    return this.#holdings;
  }

  /**
   * Decides, and writes what was decided unless what it was decided from has changed; then it decides again. Without
   * a batch nothing is to be written.
   */
  async decideAndCommit<T>(decide: (from: Holdings) => Promise<{ batch?: Batch; result: T }>): Promise<T> {
    const { store, guard } = this.options;
    for (let attempt = 1; ; attempt++) {
      const { batch, result } = await decide(this.#holdings);
      if (!batch) return result;
      try {
        await store.commit({ ...batch, expect: [guard(), ...(batch.expect ?? [])] });
        return result;
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'store.conflict' || attempt === attemptLimit)
          throw error;
        // What the guard is read from may be out of date, too.
        await this.options.following?.fresh();
        await this.reload();
      }
    }
  }

  /** Reads what is known anew; what wrote an issuer, a key or a setting calls it. */
  reload(): Promise<void> {
    const { store, prefix, remoteKeys = noRemoteKeys } = this.options;
    const read = async () => {
      this.#holdings = await readHoldings({ store, prefix, remoteKeys }, this.#holdings);
    };
    this.#reading = this.#reading.then(read, read);
    return this.#reading;
  }

  /** `urls`: what is to be said of the issuer, as `issuerToSign` tells it. */
  circumstances(urls: AiaUrls): Circumstances {
    const { limits, clock, entropy } = this.options;
    return { urls, limits: limits(), nowMs: clock.now(), serial: newSerial(entropy) };
  }

  /**
   * What keeps `certificate`, under its serial and in its issuer's order of ends. A serial that is taken fails the
   * whole batch, and another is drawn.
   */
  record(certificate: Certificate, issuerId: string) {
    const serial = storedSerial(serialText(certificate.serial));
    const key = this.at.certificate(serial);
    const byEnd = this.at.signedEnding(issuerId, certificate.notAfter, serial);
    return {
      expect: [{ key, revision: 0 }],
      puts: [
        { key, value: certificate.der },
        { key: byEnd, value: nothingMore },
      ],
    };
  }

  settingsAsIn(from: Holdings) {
    return { key: this.at.settings, revision: from.settingsRevision };
  }

  putSettings(settings: Settings) {
    return { key: this.at.settings, value: Buffer.from(JSON.stringify(settings)) };
  }
}

/** The key says it all. */
const nothingMore = Buffer.alloc(0);

/**
 * How the store writes a serial, however a client does: `3f-6d-82` of `3F:6D:82`, `3f-6d-82` and `3f6d82`, and
 * `00-8f-01` of `8f:01` and `00:8f:01`, as DER has it.
 */
export function storedSerial(text: string): string {
  const hex = text.toLowerCase().replaceAll(/[^0-9a-f]/g, '');
  const octets = hex.match(/../g) ?? [];
  while (octets.length > 1 && octets[0] === '00') octets.shift();
  if (octets.length === 0) return '-';
  return (octets[0]! >= '80' ? ['00', ...octets] : octets).join('-');
}

/** A serial as clients are told it, of how the store writes it. */
export function toldSerial(stored: string): string {
  return stored.replace(/^00-(?=.)/, '').replaceAll('-', ':');
}
