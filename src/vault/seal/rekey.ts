import { type Entropy, uuid } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { keyBytes } from '../../store/keyring.ts';
import { failed, invalidRequest } from '../faults.ts';
import { checkShareLength, GatheredShares, sameSecret } from './key-shares.ts';
import { type ShareCount, shareCountProblem, sharesOf } from './share-count.ts';

/** What a rekey replaces, and how it is asked for. */
export interface RekeyTarget {
  /** As refusals name it: `barrier` or `recovery`. */
  name: string;
  /** How many shares of the present key it takes. */
  required(): number;
  /** @throws Fault `vault.request.*` for a key that is not the present one */
  check(key: Buffer): Promise<void>;
  /** Puts `key` in the present one's place, for good once it resolves. */
  replace(key: Buffer, count: ShareCount): Promise<void>;
  /** In place of `replace` where there is no key to be told: a new root key, and nothing else. */
  renew?: () => Promise<void>;
}

export interface RekeyStatus {
  nonce: string;
  started: boolean;
  shares: number;
  threshold: number;
  progress: number;
  required: number;
  verificationRequired: boolean;
  verificationNonce: string;
}

/** What a rekey ends with; the shares are wiped by whoever tells them. */
export interface RekeyResult {
  shares: Buffer[];
  verificationRequired: boolean;
  verificationNonce: string;
}

export interface VerificationStatus {
  nonce: string;
  started: boolean;
  shares: number;
  threshold: number;
  progress: number;
}

interface Attempt {
  nonce: string;
  count: ShareCount;
  verify: boolean;
  given: GatheredShares;
  /** From when the new key is told until enough of its shares have come back. */
  verification?: { nonce: string; key: Buffer; given: GatheredShares };
}

/**
 * The replacing of a key that is told in shares: enough shares of the present one, then the shares of a new one, then,
 * if that was asked for, enough of those back before the new one counts. One attempt at a time; nothing of it is kept.
 */
export class Rekey {
  readonly #target: RekeyTarget;
  readonly #entropy: Entropy;
  readonly #log: Log;
  #attempt: Attempt | undefined;

  constructor(target: RekeyTarget, { entropy, log }: { entropy: Entropy; log: Log }) {
    this.#target = target;
    this.#entropy = entropy;
    this.#log = log;
  }

  status(): RekeyStatus {
    const attempt = this.#attempt;
    return {
      nonce: attempt?.nonce ?? '',
      started: attempt !== undefined,
      shares: attempt?.count.shares ?? 0,
      threshold: attempt?.count.threshold ?? 0,
      progress: attempt?.given.count ?? 0,
      required: this.#target.required(),
      verificationRequired: attempt?.verify ?? false,
      verificationNonce: attempt?.verification?.nonce ?? '',
    };
  }

  /** @throws Fault `vault.request.failed` for numbers that make no sense, `vault.request.invalid` during another attempt */
  init(asked: ShareCount, verify: boolean): void {
    const renews = this.#target.renew !== undefined;
    const count = renews ? { shares: 0, threshold: 0 } : asked;
    if (renews && verify) {
      throw invalidRequest(
        'requiring verification not supported when rekeying the barrier key with recovery keys',
      );
    }
    const problem = renews ? undefined : shareCountProblem(count);
    const what = this.#target.name === 'recovery' ? 'recovery' : 'rekey seal';
    if (problem) throw failed(`invalid ${what} configuration: ${problem}`);
    if (this.#attempt) throw invalidRequest('rekey already in progress');
    this.#attempt = { nonce: uuid(this.#entropy), count, verify, given: new GatheredShares() };
    this.#log.info('a rekey has begun', { target: this.#target.name, ...count, verify });
  }

  cancel(): void {
    this.#attempt?.given.drop();
    this.#attempt?.verification?.given.drop();
    this.#attempt?.verification?.key.fill(0);
    this.#attempt = undefined;
  }

  /** One share of the present key; the new key's shares once there are enough. @throws Fault `vault.request.*` */
  async update(share: Buffer, nonce: string): Promise<RekeyResult | undefined> {
    checkShareLength(share);
    const attempt = this.#attempt;
    if (!attempt) throw invalidRequest(`no ${this.#target.name} rekey in progress`);
    const { count, given, verification } = attempt;
    if (verification) {
      throw invalidRequest(
        'rekey operation already finished; verification must be performed; nonce for the verification operation is ' +
          JSON.stringify(verification.nonce),
      );
    }
    refuseOther(nonce, attempt.nonce, 'rekey');
    if (!given.take(share)) throw repeated(this.#target.name === 'recovery' ? 'rekey' : 'generation');
    if (given.count < this.#target.required()) return undefined;
    const present = combined(
      given,
      `failed to compute ${this.#target.name === 'recovery' ? 'recovery' : 'root'} key`,
    );
    await this.#target.check(present).finally(() => present.fill(0));
    return this.#finish(attempt, count);
  }

  async #finish(attempt: Attempt, count: ShareCount): Promise<RekeyResult> {
    if (this.#target.renew) {
      await this.#target.renew();
      this.#end();
      return { shares: [], verificationRequired: false, verificationNonce: '' };
    }
    const key = this.#entropy.bytes(keyBytes);
    const shares = sharesOf(key, count, this.#entropy);
    if (attempt.verify) {
      const nonce = uuid(this.#entropy);
      attempt.verification = { nonce, key, given: new GatheredShares() };
      return { shares, verificationRequired: true, verificationNonce: nonce };
    }
    await this.#target.replace(key, count).finally(() => key.fill(0));
    this.#end();
    return { shares, verificationRequired: false, verificationNonce: '' };
  }

  /** @throws Fault `vault.request.invalid` where there is no attempt */
  verification(): VerificationStatus {
    const attempt = this.#attempt;
    if (!attempt) throw invalidRequest('no rekey configuration found');
    return {
      nonce: attempt.verification?.nonce ?? '',
      started: attempt.verification !== undefined,
      shares: attempt.count.shares,
      threshold: attempt.count.threshold,
      progress: attempt.verification?.given.count ?? 0,
    };
  }

  /** One share of the new key; with enough of them it is in force, and the attempt over. @throws Fault `vault.request.*` */
  async verify(share: Buffer, nonce: string): Promise<{ nonce: string } | undefined> {
    checkShareLength(share);
    const attempt = this.#attempt;
    if (!attempt) throw invalidRequest('no rekey in progress');
    const { verification, count } = attempt;
    if (!verification) throw invalidRequest('no rekey verification in progress');
    refuseOther(nonce, verification.nonce, 'verify');
    if (!verification.given.take(share)) throw repeated('verify');
    if (verification.given.count < count.threshold) return undefined;
    const { given, key } = verification;
    // Whatever comes of it, these shares are spent, and the next attempt has another name.
    verification.nonce = uuid(this.#entropy);
    const returned = combined(given, 'failed to compute key for verification');
    const same = sameSecret(returned, key);
    returned.fill(0);
    if (!same) throw invalidRequest('rekey verification failed; incorrect key shares supplied');
    await this.#target.replace(key, count);
    key.fill(0);
    this.#end();
    return { nonce };
  }

  /** Drops the shares that came back so far. */
  restartVerification(): void {
    const verification = this.#attempt?.verification;
    if (!verification) return;
    verification.given.drop();
    verification.nonce = uuid(this.#entropy);
  }

  #end(): void {
    this.#attempt = undefined;
    this.#log.info('a rekey is done', { target: this.#target.name });
  }
}

/** Names are no secrets: each is told in the refusal itself. */
function refuseOther(given: string, nonce: string, what: string): void {
  if (given === nonce) return;
  throw invalidRequest(
    `incorrect nonce supplied; nonce for this ${what} operation is ${JSON.stringify(nonce)}`,
  );
}

function repeated(what: string): Fault {
  return invalidRequest(`given key has already been provided during this ${what} operation`);
}

function combined(given: GatheredShares, doing: string): Buffer {
  try {
    return given.combine();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw failed(`${doing}: ${error.message}`, error);
  }
}
