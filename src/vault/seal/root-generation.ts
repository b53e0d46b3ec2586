import { base62, type Entropy, randomText, uuid } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { invalidRequest } from '../faults.ts';
import { checkShareLength, GatheredShares } from './key-shares.ts';

const prefix = 'hvs.';
/** Vault's root tokens are shorter than the others: 24 characters behind their prefix. */
const drawnLength = 24;
/** As many characters as the token has that it hides. */
export const otpLength = prefix.length + drawnLength;

export interface RootGenerationOptions {
  /** How many shares of the key it takes. */
  required(): number;
  /** @throws Fault for a key that is not the one */
  check(key: Buffer): Promise<void>;
  /** Makes `id` a root token, for good once it resolves. */
  issue(id: string): Promise<void>;
  entropy: Entropy;
  log: Log;
}

export interface RootGenerationStatus {
  nonce: string;
  started: boolean;
  progress: number;
  required: number;
}

interface Attempt {
  nonce: string;
  otp: Buffer;
  given: GatheredShares;
}

/** A new root token for whoever brings enough shares: told only xored with a one-time password that its asker chose. */
export class RootGeneration {
  readonly #options: RootGenerationOptions;
  #attempt: Attempt | undefined;

  constructor(options: RootGenerationOptions) {
    this.#options = options;
  }

  status(): RootGenerationStatus {
    return {
      nonce: this.#attempt?.nonce ?? '',
      started: this.#attempt !== undefined,
      progress: this.#attempt?.given.count ?? 0,
      required: this.#options.required(),
    };
  }

  /** Begins, with the password `otp` or, where it is empty, one that is drawn and answered. @throws Fault `vault.request.invalid` */
  init(otp: string): string {
    const { entropy, log } = this.#options;
    const password = otp || randomText(entropy, otpLength, base62);
    if (Buffer.byteLength(password) !== otpLength) throw invalidRequest('OTP string has incorrect length');
    if (this.#attempt) throw invalidRequest('root generation already in progress');
    this.#attempt = { nonce: uuid(entropy), otp: Buffer.from(password), given: new GatheredShares() };
    log.info('the generation of a root token has begun', { nonce: this.#attempt.nonce });
    return otp ? '' : password;
  }

  cancel(): void {
    this.#attempt?.given.drop();
    this.#attempt?.otp.fill(0);
    this.#attempt = undefined;
  }

  /** One share; the token, encoded, once there are enough. @throws Fault `vault.request.invalid` */
  async update(share: Buffer, nonce: string): Promise<{ progress: number; encodedToken: string }> {
    checkShareLength(share, 'invalid key: ');
    const attempt = this.#attempt;
    if (!attempt) throw invalidRequest('no root generation in progress');
    if (nonce !== attempt.nonce) {
      const name = JSON.stringify(attempt.nonce);
      throw invalidRequest(`incorrect nonce supplied; nonce for this root generation operation is ${name}`);
    }
    if (!attempt.given.take(share)) {
      throw invalidRequest('given key has already been provided during this generation operation');
    }
    const progress = attempt.given.count;
    if (progress < this.#options.required()) return { progress, encodedToken: '' };
    await this.#authenticate(attempt.given);
    const { entropy, log } = this.#options;
    const id = prefix + randomText(entropy, drawnLength, base62);
    await this.#options.issue(id);
    const encodedToken = encodeToken(id, attempt.otp);
    this.cancel();
    log.warn('a root token was generated', { nonce });
    return { progress, encodedToken };
  }

  async #authenticate(given: GatheredShares): Promise<void> {
    try {
      const key = given.combine();
      await this.#options.check(key).finally(() => key.fill(0));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const doing =
        error.code === 'vault.shamir'
          ? 'failed to compute root key'
          : 'root generation aborted: unable to authenticate';
      throw invalidRequest(`${doing}: ${error.message}`, error);
    }
  }
}

/** @throws Fault `vault.request.invalid` where the two do not belong together */
export function decodeToken(encoded: string, otp: string): string {
  if (!/^[A-Za-z0-9+/]+$/.test(encoded))
    throw invalidRequest("error decoding base64'd token: it is no base64");
  const [bytes, password] = [Buffer.from(encoded, 'base64'), Buffer.from(otp)];
  if (bytes.length !== password.length) {
    throw invalidRequest(
      `error xoring token: length of byte slices is not equivalent: ${bytes.length} != ${password.length}`,
    );
  }
  return Buffer.from(bytes.map((byte, at) => byte ^ password[at]!)).toString();
}

/** Vault's encoding: each byte xored with the password's, as base64 without padding. */
export function encodeToken(token: string, otp: Buffer): string {
  const bytes = Buffer.from(token).map((byte, at) => byte ^ otp[at]!);
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
