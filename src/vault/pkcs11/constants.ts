import type { Attribute } from './session.ts';

// Numbers of pkcs11t.h (PKCS#11 2.40).

export const attribute = {
  class: 0x000,
  token: 0x001,
  private: 0x002,
  label: 0x003,
  keyType: 0x100,
  id: 0x102,
  sensitive: 0x103,
  encrypt: 0x104,
  decrypt: 0x105,
  sign: 0x108,
  verify: 0x10a,
  modulus: 0x120,
  modulusBits: 0x121,
  publicExponent: 0x122,
  valueLength: 0x161,
  extractable: 0x162,
  ecParameters: 0x180,
  ecPoint: 0x181,
} as const;

export const classes = { public: 2n, private: 3n, secret: 4n } as const;
export const keyTypes = { rsa: 0n, ec: 3n, aes: 0x1fn } as const;

/** CKM_ of a hash, and CKG_MGF1_ of the mask that goes with it. */
export const hashNumbers = {
  sha1: [0x220n, 1n],
  sha224: [0x255n, 5n],
  sha256: [0x250n, 2n],
  sha384: [0x260n, 3n],
  sha512: [0x270n, 4n],
} as const;

/** Of a key that only its token ever uses. */
export const neverTold: readonly Attribute[] = [
  [attribute.private, true],
  [attribute.sensitive, true],
  [attribute.extractable, false],
];
