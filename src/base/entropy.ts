import { createHash, randomFillSync } from 'node:crypto';

/** Randomness as an argument. */
export interface Entropy {
  /** `size` fresh bytes, fit for keys, serials and tokens. */
  bytes(size: number): Buffer;
}

/** Larger draws are made by themselves. */
const pooledBytes = 64;
const pool = Buffer.allocUnsafeSlow(4_096);
let poolAt = pool.length;

/** OpenSSL's generator, seeded by the operating system; asked for many small draws at once. */
export const systemEntropy: Entropy = {
  bytes(size) {
    if (size > pooledBytes) return randomFillSync(Buffer.allocUnsafe(size));
    if (poolAt + size > pool.length) {
      randomFillSync(pool);
      poolAt = 0;
    }
    const drawn = Buffer.from(pool.subarray(poolAt, poolAt + size));
    // What was given away is nowhere else.
    pool.fill(0, poolAt, poolAt + size);
    poolAt += size;
    return drawn;
  },
};

/** The same bytes for the same seed, for tests and simulations only: whoever knows the seed knows every key. */
export function seededEntropy(seed: string): Entropy {
  let counter = 0;
  return {
    bytes(size) {
      const blocks: Buffer[] = [];
      for (let have = 0; have < size; have += 32) {
        blocks.push(createHash('sha256').update(`${seed}:${counter++}`).digest());
      }
      return Buffer.concat(blocks).subarray(0, size);
    },
  };
}

/** A random UUID, version 4 (RFC 9562 section 5.4). */
export function uuid(entropy: Entropy): string {
  const bytes = entropy.bytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** What tokens and one-time passwords are drawn from. */
export const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** `length` characters drawn evenly from `alphabet` (at most 256 characters). */
export function randomText(entropy: Entropy, length: number, alphabet: string): string {
  const usable = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of entropy.bytes(length)) {
      if (byte < usable && text.length < length) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
}
