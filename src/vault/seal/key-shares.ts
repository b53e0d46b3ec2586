import { timingSafeEqual } from 'node:crypto';
import { invalidRequest } from '../faults.ts';
import type { RawFields } from '../routing/fields.ts';
import { combineShares } from './shamir.ts';

/** AES-128's key is the shortest that Vault takes for one; the longest is AES-256's as a share. */
const shortestKeyBytes = 16;
const longestKeyBytes = 33;

/** Shares of one key on their way to being enough of them. They are wiped once they are of no more use. */
export class GatheredShares {
  #shares: Buffer[] = [];

  get count(): number {
    return this.#shares.length;
  }

  /** Takes `share`; false, and it is wiped, where it is there already. */
  take(share: Buffer): boolean {
    if (this.#shares.some((held) => sameSecret(held, share))) {
      share.fill(0);
      return false;
    }
    this.#shares.push(share);
    return true;
  }

  /** The key that they are shares of, if they are of one; a single share is it. @throws Fault `vault.shamir` */
  combine(): Buffer {
    try {
      return this.#shares.length === 1 ? Buffer.from(this.#shares[0]!) : combineShares(this.#shares);
    } finally {
      this.drop();
    }
  }

  drop(): void {
    for (const share of this.#shares) share.fill(0);
    this.#shares = [];
  }
}

/** Takes the same time wherever two secrets of one length differ. */
export function sameSecret(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

/** @throws Fault `vault.request.invalid`, its message after `doing` */
export function checkShareLength({ length }: Buffer, doing = ''): void {
  if (length < shortestKeyBytes) {
    throw invalidRequest(`${doing}key is shorter than minimum ${shortestKeyBytes} bytes`);
  }
  if (length > longestKeyBytes) {
    throw invalidRequest(`${doing}key is longer than maximum ${longestKeyBytes} bytes`);
  }
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** From 16 to 33 bytes: what else reads as hex is tried as base64, as Vault does. */
const hex = /^(?:[0-9a-fA-F]{2}){16,33}$/;

/** A request's `key`. @throws Fault `vault.request.invalid`; `orElse` is what could have been given in its place */
export function readShare(given: RawFields, orElse = ''): Buffer {
  const key = given.key ?? '';
  if (key === '') throw invalidRequest(`'key' must be specified in request body as JSON${orElse}`);
  if (typeof key === 'string' && hex.test(key)) return Buffer.from(key, 'hex');
  if (typeof key === 'string' && base64.test(key)) return Buffer.from(key, 'base64');
  throw invalidRequest("'key' must be a valid hex or base64 string");
}

/** Shares as they are told: in both spellings, and wiped. */
export function toldShares(shares: readonly Buffer[]): { hex: string[]; base64: string[] } {
  const told = {
    hex: shares.map((share) => share.toString('hex')),
    base64: shares.map((share) => share.toString('base64')),
  };
  for (const share of shares) share.fill(0);
  return told;
}
