import { createHmac, timingSafeEqual, verify } from 'node:crypto';
import { type AccountKey, hashOf, readJwk, signatureAlgorithms } from './jwk.ts';
import { malformed, Problem } from './problem.ts';

/** Much more than any request has: a CSR of a hundred names is a tenth of it. */
const longestText = 256 * 1_024;

/** A JWS in flattened JSON form (RFC 7515 section 7.2.2), taken apart but not believed yet. */
export interface UnverifiedJws {
  header: Readonly<Record<string, unknown>>;
  /** What the signature is over. */
  signed: Buffer;
  payload: Buffer;
  signature: Buffer;
}

/** A request that was signed, as RFC 8555 section 6.2 wants it. */
export interface SignedRequest {
  /** Exactly one of the two: the URL of an account, or a key. */
  kid?: string;
  key?: AccountKey;
  url: string;
  nonce: string;
  /** Undefined for POST-as-GET. */
  payload: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Takes a JWS apart, strictly: the three members of the flattened form and no other, base64url in its one proper
 * form, a protected header without extensions.
 *
 * @throws Problem `malformed`
 */
export function readJws(value: unknown): UnverifiedJws {
  const members = objectOf(value, 'the JWS');
  const extra = Object.keys(members).find((name) => !['protected', 'payload', 'signature'].includes(name));
  if (extra !== undefined) {
    throw malformed(
      `the JWS must be in flattened form with nothing unprotected; it has ${JSON.stringify(extra)}`,
    );
  }
  const part = (name: string): { text: string; bytes: Buffer } => {
    const text = members[name];
    if (typeof text !== 'string') throw malformed(`the JWS has no ${name}`);
    return { text, bytes: decodeBase64Url(text, `the ${name} of the JWS`) };
  };
  const [head, payload, signature] = [part('protected'), part('payload'), part('signature')];
  const header = readObject(head.bytes, 'the protected header of the JWS');
  if ('crit' in header || 'b64' in header) throw malformed('the JWS uses extensions (crit, b64)');
  return {
    header,
    signed: Buffer.from(`${head.text}.${payload.text}`),
    payload: payload.bytes,
    signature: signature.bytes,
  };
}

/** What a request's protected header says. @throws Problem `malformed`, `badPublicKey`, `badSignatureAlgorithm` */
export function readRequestHeader({ header }: UnverifiedJws): Omit<SignedRequest, 'payload'> {
  const { kid, jwk, url, nonce } = header;
  if ((kid === undefined) === (jwk === undefined)) {
    throw malformed('the protected header must have either jwk or kid, and not both');
  }
  if (typeof url !== 'string') throw malformed('the protected header has no url');
  if (typeof nonce !== 'string' || nonce === '') throw new Problem('badNonce', 'the JWS has no nonce');
  algorithmOf(header);
  if (jwk !== undefined) return { key: readJwk(jwk), url, nonce };
  if (typeof kid !== 'string') throw malformed('the kid is not a text');
  return { kid, url, nonce };
}

/**
 * Whether `key` signed it, by the algorithm that goes with the key and no other.
 *
 * @throws Problem `malformed` where it did not, `badSignatureAlgorithm`
 */
export function verifyJws({ header, signed, signature }: UnverifiedJws, key: AccountKey): void {
  const algorithm = algorithmOf(header);
  if (algorithm !== key.algorithm) {
    throw new Problem(
      'badSignatureAlgorithm',
      `this key signs with ${key.algorithm}, not with ${algorithm}`,
      {
        algorithms: [key.algorithm],
      },
    );
  }
  if (!signatureFits(key, signed, signature)) {
    throw malformed('the signature of the JWS is not that of its key');
  }
}

function signatureFits({ algorithm, key }: AccountKey, signed: Buffer, signature: Buffer): boolean {
  try {
    return verify(hashOf(algorithm), signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch (error) {
    // OpenSSL refuses some keys only when they are used.
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_OSSL')) return false;
    throw error;
  }
}

function algorithmOf({ alg }: UnverifiedJws['header']) {
  const known = signatureAlgorithms.find((name) => name === alg);
  if (known) return known;
  throw new Problem(
    'badSignatureAlgorithm',
    `signatures by ${JSON.stringify(alg) ?? 'nothing'} are not taken`,
    {
      algorithms: signatureAlgorithms,
    },
  );
}

const macHashes: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

/** Whether whoever holds the secret of an external account made the inner JWS (RFC 8555 section 7.3.4). */
export function verifyMac({ header, signed, signature }: UnverifiedJws, secret: Buffer): boolean {
  const hash = Object.hasOwn(macHashes, String(header.alg)) ? macHashes[String(header.alg)] : undefined;
  if (hash === undefined) {
    throw new Problem(
      'badSignatureAlgorithm',
      'an external account binding is made with HS256, HS384 or HS512',
      {
        algorithms: Object.keys(macHashes),
      },
    );
  }
  const wanted = createHmac(hash, secret).update(signed).digest();
  return signature.length === wanted.length && timingSafeEqual(signature, wanted);
}

/** The payload as an object; undefined where it is empty, as in POST-as-GET. @throws Problem `malformed` */
export function readPayload({ payload }: UnverifiedJws): Readonly<Record<string, unknown>> | undefined {
  return payload.length === 0 ? undefined : readObject(payload, 'the payload of the JWS');
}

/** Base64url without padding, in its one proper form. @throws Problem `malformed` */
export function decodeBase64Url(text: string, what: string): Buffer {
  if (text.length > longestText) throw malformed(`${what} is longer than ${longestText} characters`);
  const bytes = /^[\w-]*$/.test(text) ? Buffer.from(text, 'base64url') : undefined;
  if (bytes?.toString('base64url') !== text) throw malformed(`${what} is not base64url without padding`);
  return bytes;
}

function readObject(bytes: Buffer, what: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw malformed(`${what} is not JSON`, error);
  }
  return objectOf(parsed, what);
}

/** @throws Problem `malformed` */
export function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw malformed(`${what} is not an object`);
}
