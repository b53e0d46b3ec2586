import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';

/** The most shares there can be: each has its own x coordinate, a byte other than zero. */
export const shareLimit = 255;

/**
 * Splits `secret` into `shares` parts, any `threshold` of which give it back while fewer tell nothing about it
 * (Shamir, "How to share a secret", 1979). Every byte is the value at zero of a polynomial of its own over GF(2^8)
 * with the AES polynomial; a part is the values of all of them at one x, and x as its last byte. That is the format
 * of Vault's `shamir` package, in both directions.
 *
 * @throws Fault `vault.shamir` for numbers or a secret that cannot be split
 */
export function splitSecret(
  secret: Uint8Array,
  { shares, threshold }: { shares: number; threshold: number },
  entropy: Entropy,
): Buffer[] {
  if (threshold < 2) throw shamirFault('threshold must be at least 2');
  if (shares < threshold) throw shamirFault('parts cannot be less than threshold');
  if (shares > shareLimit) throw shamirFault('parts cannot exceed 255');
  if (secret.length === 0) throw shamirFault('cannot split an empty secret');
  const parts = Array.from({ length: shares }, (_, at) => {
    const part = Buffer.alloc(secret.length + 1);
    part[secret.length] = at + 1;
    return part;
  });
  // Evenly drawn, the highest coefficient too: to leave zero out there would rule out one value for whoever holds
  // all parts but one.
  const coefficients = entropy.bytes(secret.length * (threshold - 1));
  for (const [at, byte] of secret.entries()) {
    const from = at * (threshold - 1);
    const polynomial = coefficients.subarray(from, from + threshold - 1);
    for (const part of parts) part[at] = valueAt(part[secret.length]!, byte, polynomial);
  }
  coefficients.fill(0);
  return parts;
}

/**
 * The secret that `parts` are of. From too few of them, or from altered ones, it is another text of the same length:
 * only whoever knows the secret can tell, by trying it.
 *
 * @throws Fault `vault.shamir` for parts that cannot be of one secret
 */
export function combineShares(parts: readonly Uint8Array[]): Buffer {
  const [first] = parts;
  if (!first || parts.length < 2) {
    throw shamirFault('less than two parts cannot be used to reconstruct the secret');
  }
  if (first.length < 2) throw shamirFault('parts must be at least two bytes');
  if (parts.some(({ length }) => length !== first.length)) {
    throw shamirFault('all parts must be the same length');
  }
  const xs = parts.map((part) => part[part.length - 1]!);
  if (new Set(xs).size < xs.length) throw shamirFault('duplicate part detected');
  // No part can be at zero, where the secret itself is.
  if (xs.includes(0)) throw shamirFault('a part has no coordinate');
  const weights = xs.map((x) => weightAtZero(x, xs));
  const secret = Buffer.alloc(first.length - 1);
  for (const [index, part] of parts.entries()) {
    for (let at = 0; at < secret.length; at++) secret[at]! ^= multiply(part[at]!, weights[index]!);
  }
  return secret;
}

/** By Horner's rule; `coefficients` are those of x, x^2 and so on. */
function valueAt(x: number, constant: number, coefficients: Uint8Array): number {
  let value = 0;
  for (let at = coefficients.length - 1; at >= 0; at--) value = multiply(value ^ coefficients[at]!, x);
  return value ^ constant;
}

/** What the value at `x` counts for the value at zero (Lagrange). Coordinates are no secret. */
function weightAtZero(x: number, xs: readonly number[]): number {
  let weight = 1;
  for (const other of xs) {
    if (other !== x) weight = multiply(weight, multiply(other, invert(other ^ x)));
  }
  return weight;
}

/** The product in GF(2^8), by the same steps for all factors: no table, no branch that a secret could be told from. */
function multiply(left: number, right: number): number {
  let product = 0;
  let shifted = left;
  for (let bit = 0; bit < 8; bit++) {
    product ^= shifted & -((right >> bit) & 1);
    shifted = ((shifted << 1) ^ (0x11b & -(shifted >> 7))) & 0xff;
  }
  return product;
}

/** The inverse, as the power 254 (2 + 4 + ... + 128) that it is in a field of 256; zero for zero. */
function invert(value: number): number {
  let inverse = 1;
  let square = value;
  for (let bit = 1; bit < 8; bit++) {
    square = multiply(square, square);
    inverse = multiply(inverse, square);
  }
  return inverse;
}

function shamirFault(message: string): Fault {
  return new Fault(message, { code: 'vault.shamir', blame: 'caller' });
}
