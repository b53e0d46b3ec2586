import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface SigningKey {
  id: string;
  algorithm: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
  publicPem: string;
}

const kinds: Readonly<Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }>> = {
  RS: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  PS: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  ES: () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  Ed: () => generateKeyPairSync('ed25519'),
};

export function signingKey(id: string, algorithm = 'ES256'): SigningKey {
  const { privateKey, publicKey } =
    algorithm === 'ES384'
      ? generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
      : algorithm === 'ES512'
        ? generateKeyPairSync('ec', { namedCurve: 'secp521r1' })
        : kinds[algorithm.slice(0, 2)]!();
  const publicPem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  return { id, algorithm, privateKey, publicKey, publicPem };
}

export function jwk({ id, publicKey }: SigningKey): object {
  return { ...publicKey.export({ format: 'jwk' }), kid: id, use: 'sig' };
}

export function base64url(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** A JWT of `claims`, signed by `key`; `header` adds to what its header says, or replaces it. */
export function jwt(key: SigningKey, claims: object, header: object = {}): string {
  const head = base64url({ alg: key.algorithm, kid: key.id, typ: 'JWT', ...header });
  const signed = `${head}.${base64url(claims)}`;
  const hash = key.algorithm === 'EdDSA' ? null : `sha${key.algorithm.slice(2)}`;
  const pss = key.algorithm.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {};
  const signature = sign(hash, Buffer.from(signed), {
    key: key.privateKey,
    dsaEncoding: 'ieee-p1363',
    ...pss,
  });
  return `${signed}.${signature.toString('base64url')}`;
}
