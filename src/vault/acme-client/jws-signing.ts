import { createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { type AccountKey, hashOf, readJwk } from '../../authority/acme/jwk.ts';
import type { SecretText } from '../../base/secret.ts';

/** What signs the requests of an account. */
export interface AccountSigner {
  publicKey: AccountKey;
  privateKey: KeyObject;
}

export interface ExternalAccount {
  keyId: string;
  /** Base64url. */
  macKey: SecretText;
}

export function accountSigner(privateKey: KeyObject): AccountSigner {
  return { publicKey: readJwk(createPublicKey(privateKey).export({ format: 'jwk' })), privateKey };
}

/** A JWS in flattened form (RFC 7515 section 7.2.2) as JSON; `payload` undefined for POST-as-GET. */
export function signedJws(header: object, payload: object | undefined, signer: AccountSigner): string {
  const { algorithm } = signer.publicKey;
  return flattened({ alg: algorithm, ...header }, payload, (bytes) =>
    sign(hashOf(algorithm), bytes, { key: signer.privateKey, dsaEncoding: 'ieee-p1363' }),
  );
}

/** What binds an account to one outside of ACME (RFC 8555 section 7.3.4), as an object. */
export function accountBinding(url: string, { keyId, macKey }: ExternalAccount, account: AccountKey): object {
  const mac = (bytes: Buffer) =>
    createHmac('sha256', Buffer.from(macKey.reveal(), 'base64url')).update(bytes).digest();
  return JSON.parse(flattened({ alg: 'HS256', kid: keyId, url }, account.jwk, mac)) as object;
}

function flattened(
  header: object,
  payload: object | undefined,
  signatureOf: (bytes: Buffer) => Buffer,
): string {
  const head = encoded(header);
  const body = payload === undefined ? '' : encoded(payload);
  const signature = signatureOf(Buffer.from(`${head}.${body}`)).toString('base64url');
  return JSON.stringify({ protected: head, payload: body, signature });
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
