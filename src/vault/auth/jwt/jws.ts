import { constants, type KeyObject, verify } from 'node:crypto';
import { Fault } from '../../../base/fault.ts';

/** The algorithms of RFC 7518 and RFC 8037 that prove something to whoever has only a public key. */
const algorithms = {
  RS256: { type: 'rsa', hash: 'sha256' },
  RS384: { type: 'rsa', hash: 'sha384' },
  RS512: { type: 'rsa', hash: 'sha512' },
  PS256: { type: 'rsa', hash: 'sha256', pss: true },
  PS384: { type: 'rsa', hash: 'sha384', pss: true },
  PS512: { type: 'rsa', hash: 'sha512', pss: true },
  ES256: { type: 'ec', hash: 'sha256', curve: 'prime256v1' },
  ES384: { type: 'ec', hash: 'sha384', curve: 'secp384r1' },
  ES512: { type: 'ec', hash: 'sha512', curve: 'secp521r1' },
  EdDSA: { type: 'ed25519', hash: null },
} as const satisfies Record<string, Algorithm>;

interface Algorithm {
  type: string;
  hash: string | null;
  pss?: boolean;
  curve?: string;
}

export type JwsAlgorithm = keyof typeof algorithms;

export const jwsAlgorithms = Object.keys(algorithms) as readonly JwsAlgorithm[];

/** RSA keys below this prove nothing (RFC 7518 section 3.3). */
const leastRsaBits = 2_048;
const longestToken = 64 * 1_024;

/** A JSON Web Token taken apart; nothing in it is proven. */
export interface Jws {
  algorithm: JwsAlgorithm;
  keyId: string | undefined;
  claims: Readonly<Record<string, unknown>>;
  signed: Buffer;
  signature: Buffer;
}

/** A compact JWS whose payload is a JSON object (RFC 7515, RFC 7519). @throws Fault `vault.jwt` */
export function readJws(text: string): Jws {
  if (text.length > longestToken) throw malformed('it is too long');
  const parts = text.split('.');
  const [header, payload, signature] = parts;
  if (parts.length !== 3) throw malformed('it has not three parts');
  const { alg, kid, crit, b64 } = objectOf(header!, 'header');
  if (crit !== undefined || b64 !== undefined) throw malformed('its header asks for an extension');
  const algorithm = jwsAlgorithms.find((name) => name === alg);
  if (!algorithm) throw malformed(`unexpected signature algorithm ${JSON.stringify(alg)}`);
  return {
    algorithm,
    keyId: typeof kid === 'string' ? kid : undefined,
    claims: objectOf(payload!, 'payload'),
    signed: Buffer.from(`${header}.${payload}`),
    signature: bytesOf(signature!),
  };
}

/** Whether the holder of `key` signed it. A key is only asked what its own kind of algorithm can tell. */
export function isSignedBy({ algorithm: name, signed, signature }: Jws, key: KeyObject): boolean {
  const algorithm: Algorithm = algorithms[name];
  if (key.type !== 'public' || key.asymmetricKeyType !== algorithm.type) return false;
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (algorithm.curve !== undefined && namedCurve !== algorithm.curve) return false;
  if (algorithm.type === 'rsa' && modulusLength < leastRsaBits) return false;
  const padding = algorithm.pss
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {};
  return verify(algorithm.hash, signed, { key, dsaEncoding: 'ieee-p1363', ...padding }, signature);
}

function objectOf(text: string, what: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytesOf(text).toString());
  } catch (error) {
    throw malformed(`its ${what} is no JSON`, error);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw malformed(`its ${what} is no JSON object`);
  }
  return Object.assign(Object.create(null) as Record<string, unknown>, parsed);
}

function bytesOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  // Node passes over what is no base64url, and two texts would stand for one token.
  if (text === '' || bytes.toString('base64url') !== text) throw malformed('it is not base64url');
  return bytes;
}

function malformed(why: string, cause?: unknown): Fault {
  return new Fault(`malformed jwt: ${why}`, { code: 'vault.jwt', blame: 'caller', cause });
}
