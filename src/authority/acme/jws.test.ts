import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readJwk } from './jwk.ts';
import { decodeBase64Url, readJws, readPayload, readRequestHeader, verifyJws, verifyMac } from './jws.ts';
import { Problem } from './problem.ts';

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const keys = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
type Algorithm = keyof typeof keys;
const jwkOf = (algorithm: Algorithm) => keys[algorithm].publicKey.export({ format: 'jwk' });

function signed(algorithm: Algorithm, header: object, payload: string) {
  const parts = { protected: encode({ alg: algorithm, ...header }), payload: encode(payload) };
  const hash = { RS256: 'sha256', ES256: 'sha256', ES384: 'sha384', ES512: 'sha512', EdDSA: undefined }[
    algorithm
  ];
  const bytes = Buffer.from(`${parts.protected}.${parts.payload}`);
  const key = { key: keys[algorithm].privateKey, dsaEncoding: 'ieee-p1363' as const };
  return { ...parts, signature: sign(hash, bytes, key).toString('base64url') };
}

const typeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return error.type;
    throw error;
  }
  return 'none';
};

const full = { nonce: 'n', url: 'https://ca.example/new-order', kid: 'https://ca.example/account/1' };

test.each(Object.keys(keys) as Algorithm[])('what a key for %s signs is taken', (algorithm) => {
  const jws = readJws(signed(algorithm, full, '{"a":1}'));
  const key = readJwk(jwkOf(algorithm));
  expect(key.algorithm).toBe(algorithm);
  verifyJws(jws, key);
  expect(readPayload(jws)).toEqual({ a: 1 });
  expect(readRequestHeader(jws)).toEqual(full);
});

test('the thumbprint of a key is that of RFC 7638 section 3.1', () => {
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
  const key = readJwk({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' });
  expect(key.thumbprint).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
});

test('two spellings of a key are one', () => {
  const { n, e, kty } = jwkOf('RS256');
  const padded = Buffer.concat([Buffer.alloc(1), Buffer.from(n!, 'base64url')]).toString('base64url');
  expect(readJwk({ e, kty, n: padded, use: 'sig' }).thumbprint).toBe(readJwk({ kty, n, e }).thumbprint);
});

test.each([
  [null],
  [[]],
  [{}],
  [{ kty: 'oct', k: 'AAAA' }],
  [{ kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA' }],
  [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }],
  [{ kty: 'OKP', crv: 'X25519', x: 'AA' }],
  [generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })],
  [keys.ES256.privateKey.export({ format: 'jwk' })],
])('%# is no key of an account', (jwk) => {
  expect(typeOf(() => readJwk(jwk))).toBe('badPublicKey');
});

test.each([
  ['none', { ...full, alg: 'none' }],
  ['HMAC', { ...full, alg: 'HS256' }],
  ['another one', { ...full, alg: 'RS1' }],
  ['no', { ...full, alg: undefined }],
  ['an algorithm that is no text', { ...full, alg: { toString: 'ES256' } }],
])('signatures by %s are refused, with what is taken', (_, header) => {
  const jws = readJws(signed('ES256', header, ''));
  expect(typeOf(() => readRequestHeader(jws))).toBe('badSignatureAlgorithm');
  expect(typeOf(() => verifyJws(jws, readJwk(jwkOf('ES256'))))).toBe('badSignatureAlgorithm');
});

test('a key signs with its own algorithm alone', () => {
  const jws = readJws(signed('ES256', full, ''));
  expect(typeOf(() => verifyJws(jws, readJwk(jwkOf('ES384'))))).toBe('badSignatureAlgorithm');
});

test.each([
  ['both kid and jwk', { ...full, jwk: jwkOf('ES256') }, 'malformed'],
  ['neither', { ...full, kid: undefined }, 'malformed'],
  ['no url', { ...full, url: undefined }, 'malformed'],
  ['no nonce', { ...full, nonce: undefined }, 'badNonce'],
  ['a nonce that is no text', { ...full, nonce: 1 }, 'badNonce'],
  ['a kid that is no text', { ...full, kid: 1 }, 'malformed'],
])('a header with %s is refused', (_, header, problem) => {
  expect(typeOf(() => readRequestHeader(readJws(signed('ES256', header, ''))))).toBe(problem);
});

test.each([
  ['an unprotected header', { header: { kid: 'x' } }],
  ['several signatures', { signatures: [] }],
  ['no payload', { payload: undefined }],
  ['padding', { payload: 'e30=' }],
  ['another alphabet', { payload: 'e+0/' }],
  ['bits that are left over', { payload: 'e31' }],
  ['a header that is no JSON', { protected: encode('{') }],
  ['a header that is no object', { protected: encode('[]') }],
  ['a header that is no UTF-8', { protected: Buffer.from([0x22, 0xff, 0x22]).toString('base64url') }],
  ['extensions', { protected: encode({ alg: 'ES256', crit: ['b64'], b64: false }) }],
])('a JWS with %s is refused', (_, change) => {
  expect(typeOf(() => readJws({ ...signed('ES256', full, '{}'), ...change }))).toBe('malformed');
});

test('no payload is POST-as-GET; an empty object is not', () => {
  expect(readPayload(readJws(signed('ES256', full, '')))).toBeUndefined();
  expect(readPayload(readJws(signed('ES256', full, '{}')))).toEqual({});
  expect(typeOf(() => readPayload(readJws(signed('ES256', full, '[]'))))).toBe('malformed');
});

test('whatever is changed in a JWS, it is refused and nothing breaks', () => {
  const good = (Object.keys(keys) as Algorithm[]).map((algorithm) => ({
    jws: signed(algorithm, full, '{"identifiers":[{"type":"dns","value":"a.example"}]}'),
    key: readJwk(jwkOf(algorithm)),
  }));
  const members = ['protected', 'payload', 'signature'] as const;
  fc.assert(
    fc.property(
      fc.constantFrom(...good),
      fc.constantFrom(...members),
      fc.nat(),
      fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('A', '_', '-', 'e30')),
      fc.nat(3),
      ({ jws, key }, member, at, put, drop) => {
        const text = jws[member];
        const start = at % text.length;
        const mutated = text.slice(0, start) + put + text.slice(start + drop);
        fc.pre(mutated !== text);
        const taken = typeOf(() => {
          const read = readJws({ ...jws, [member]: mutated });
          readRequestHeader(read);
          verifyJws(read, key);
        });
        expect(['malformed', 'badSignatureAlgorithm', 'badNonce', 'badPublicKey']).toContain(taken);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('anything at all is refused as a problem', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(typeOf(() => readJws(value))).toBe('malformed');
    }),
  );
  fc.assert(
    fc.property(fc.json(), fc.string(), (header, payload) => {
      const jws = { protected: encode(header), payload: encode(payload), signature: '' };
      typeOf(() => readRequestHeader(readJws(jws)));
      typeOf(() => readPayload(readJws(jws)));
    }),
  );
});

test('base64url is read in its one proper form', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = Buffer.from(bytes).toString('base64url');
      expect(decodeBase64Url(text, 'it')).toEqual(Buffer.from(bytes));
    }),
  );
});

test.each(['HS256', 'HS384', 'HS512'])('a binding made with %s is known by its secret', (alg) => {
  const secret = Buffer.from('secret');
  const parts = { protected: encode({ alg, kid: '1', url: full.url }), payload: encode('{}') };
  const mac = createHmac(alg.replace('HS', 'sha'), secret).update(`${parts.protected}.${parts.payload}`);
  const jws = readJws({ ...parts, signature: mac.digest('base64url') });
  expect(verifyMac(jws, secret)).toBe(true);
  expect(verifyMac(jws, Buffer.from('other'))).toBe(false);
  expect(verifyMac({ ...jws, signature: jws.signature.subarray(1) }, secret)).toBe(false);
});

test('a binding is made with a secret, not with a key', () => {
  const jws = readJws(signed('ES256', full, ''));
  expect(typeOf(() => verifyMac(jws, Buffer.from('secret')))).toBe('badSignatureAlgorithm');
  const proto = readJws({ ...signed('ES256', { ...full, alg: 'constructor' }, '') });
  expect(typeOf(() => verifyMac(proto, Buffer.from('secret')))).toBe('badSignatureAlgorithm');
});
