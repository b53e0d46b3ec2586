import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface RawKey {
  alg: string;
  privateKey: KeyObject;
  jwk: Record<string, string>;
}

export function rawKey(alg: 'RS256' | 'ES256' | 'ES384' | 'ES512' | 'EdDSA' = 'ES256'): RawKey {
  const { privateKey, publicKey } = pair(alg);
  return { alg, privateKey, jwk: publicKey.export({ format: 'jwk' }) as Record<string, string> };
}

function pair(alg: string) {
  if (alg === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519');
  const namedCurve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg]!;
  return generateKeyPairSync('ec', { namedCurve });
}

/** The account key of a PEM file. */
export function rawKeyOf(pem: string, alg: string): RawKey {
  const privateKey = createPrivateKey(pem);
  return { alg, privateKey, jwk: privateKey.export({ format: 'jwk' }) as Record<string, string> };
}

export const base64url = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const hashes: Record<string, string | undefined> = {
  RS256: 'sha256',
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
};

/** A JWS in flattened form; `payload` undefined for POST-as-GET. */
export function jws(
  header: object,
  payload: unknown,
  { privateKey, alg }: Pick<RawKey, 'privateKey' | 'alg'>,
) {
  const parts = {
    protected: base64url({ alg, ...header }),
    payload: payload === undefined ? '' : base64url(payload),
  };
  const bytes = Buffer.from(`${parts.protected}.${parts.payload}`);
  const signature = sign(hashes[alg], bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return { ...parts, signature: signature.toString('base64url') };
}

/** One that a secret signs, as external account bindings are. */
export function macJws(
  header: object,
  payload: unknown,
  secret: string,
  alg: 'HS256' | 'HS384' | 'HS512' = 'HS256',
) {
  const parts = { protected: base64url({ alg, ...header }), payload: base64url(payload) };
  const signature = createHmac(alg.replace('HS', 'sha'), Buffer.from(secret, 'base64url'))
    .update(`${parts.protected}.${parts.payload}`)
    .digest('base64url');
  return { ...parts, signature };
}

export interface RawReply {
  status: number;
  headers: Headers;
  text: string;
  body: Record<string, unknown>;
}

/** An ACME client that does what it is told, right or wrong. */
export class RawClient {
  readonly base: string;
  key: RawKey;
  kid: string | undefined;

  constructor(directoryUrl: string, key: RawKey = rawKey()) {
    this.base = directoryUrl.replace(/\/directory$/, '');
    this.key = key;
  }

  async nonce(): Promise<string> {
    const response = await fetch(`${this.base}/new-nonce`, { method: 'HEAD' });
    return response.headers.get('replay-nonce')!;
  }

  /** `path`: below the directory, or a whole URL. */
  async post(path: string, payload?: unknown, header: object = {}): Promise<RawReply> {
    const url = path.startsWith('http') ? path : `${this.base}/${path}`;
    const by = this.kid === undefined ? { jwk: this.key.jwk } : { kid: this.kid };
    return this.send(url, jws({ ...by, nonce: await this.nonce(), url, ...header }, payload, this.key));
  }

  async send(url: string, body: unknown, contentType = 'application/jose+json'): Promise<RawReply> {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    const json = /json/.test(response.headers.get('content-type') ?? '') && text !== '';
    const parsed = (json ? JSON.parse(text) : {}) as Record<string, unknown>;
    return { status: response.status, headers: response.headers, text, body: parsed };
  }

  /** Makes the account. */
  async register(payload: object = {}): Promise<RawReply> {
    const reply = await this.post('new-account', payload);
    this.kid = reply.headers.get('location') ?? undefined;
    return reply;
  }
}

/** The type of a problem, without what all have in common. */
export function problemType({ body }: RawReply): string {
  return String(body.type).replace('urn:ietf:params:acme:error:', '');
}
