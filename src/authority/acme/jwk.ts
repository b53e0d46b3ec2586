import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { Problem } from './problem.ts';

/** How keys sign (RFC 7518 section 3.1, RFC 8037), with what each asks of the key. */
const algorithms = {
  RS256: { kty: 'RSA', crv: undefined, hash: 'sha256' },
  ES256: { kty: 'EC', crv: 'P-256', hash: 'sha256' },
  ES384: { kty: 'EC', crv: 'P-384', hash: 'sha384' },
  ES512: { kty: 'EC', crv: 'P-521', hash: 'sha512' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', hash: undefined },
} as const;

export type SignatureAlgorithm = keyof typeof algorithms;

export const signatureAlgorithms = Object.keys(algorithms) as readonly SignatureAlgorithm[];

const rsaBits = { least: 2048, most: 8192 };

/** A public key as JWS writes it, in its one canonical form: two spellings of a key are one account. */
export interface AccountKey {
  /** Required members alone, such as `{ crv, kty, x, y }`, in the order of RFC 7638 section 3. */
  jwk: Readonly<Record<string, string>>;
  algorithm: SignatureAlgorithm;
  /** SHA-256 of `jwk`, base64url (RFC 7638): what key authorizations hold. */
  thumbprint: string;
  /** SubjectPublicKeyInfo, DER. */
  spki: Buffer;
  key: KeyObject;
}

/** @throws Problem `badPublicKey` for what is no public key, or none that is taken here */
export function readJwk(value: unknown): AccountKey {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badKey('the jwk is not an object');
  }
  const given = value as Record<string, unknown>;
  const named = Object.entries(algorithms).find(
    ([, { kty, crv }]) => given.kty === kty && (crv === undefined || given.crv === crv),
  ) as [SignatureAlgorithm, { kty: string }] | undefined;
  if (!named) throw badKey('the key is of no kind that is taken: RSA, P-256, P-384, P-521 or Ed25519');
  // Whoever sends a private key has lost it.
  if ('d' in given || 'k' in given) throw badKey('the jwk holds a private key');
  let key: KeyObject;
  try {
    key = createPublicKey({ key: given, format: 'jwk' });
  } catch (error) {
    throw new Problem('badPublicKey', 'the jwk is no valid key', { cause: error });
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && (bits < rsaBits.least || bits > rsaBits.most)) {
    throw badKey(`RSA keys take from ${rsaBits.least} to ${rsaBits.most} bits; this one has ${bits}`);
  }
  return accountKey(key, named[0]);
}

/** What a stored key comes back as. */
export function accountKeyOf(jwk: AccountKey['jwk']): AccountKey {
  return readJwk(jwk);
}

function accountKey(key: KeyObject, algorithm: SignatureAlgorithm): AccountKey {
  const exported = Object.entries(key.export({ format: 'jwk' })).map(([name, part]) => [name, String(part)]);
  const jwk = Object.fromEntries(exported.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))) as Record<
    string,
    string
  >;
  const thumbprint = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url');
  return { jwk, algorithm, thumbprint, spki: key.export({ format: 'der', type: 'spki' }), key };
}

/** The hash that goes with an algorithm; undefined where the algorithm brings its own. */
export function hashOf(algorithm: SignatureAlgorithm): string | undefined {
  return algorithms[algorithm].hash;
}

function badKey(detail: string): Problem {
  return new Problem('badPublicKey', detail);
}
