import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { base64url, jwt, signingKey } from '../../../../test/support/jwt.ts';
import { Fault } from '../../../base/fault.ts';
import { isSignedBy, jwsAlgorithms, readJws } from './jws.ts';
import { readKeySet, verifiesBy } from './key-set.ts';

const claims = { sub: 'a' };

const keys = new Map(jwsAlgorithms.map((algorithm) => [algorithm, signingKey('a', algorithm)]));

test.each(jwsAlgorithms)('%s is verified by its own key, and by no other', (algorithm) => {
  const key = keys.get(algorithm)!;
  const jws = readJws(jwt(key, claims));
  expect(jws.claims).toEqual(claims);
  expect(isSignedBy(jws, key.publicKey)).toBe(true);
  for (const [other, { publicKey }] of keys) {
    if (other !== algorithm) expect(isSignedBy(jws, publicKey)).toBe(false);
  }
});

describe('an attacker gets nowhere', () => {
  const rsa = signingKey('a', 'RS256');
  const payload = base64url(claims);

  test.each(['none', 'None', 'NONE', '', 'HS256', 'HS512', 'RS1', undefined, null, 7])(
    'with the algorithm %j',
    (alg) => {
      expect(() => readJws(`${base64url({ alg })}.${payload}.${base64url('x')}`)).toThrow(
        'unexpected signature algorithm',
      );
    },
  );

  test('by an HMAC under the public key', () => {
    const signed = `${base64url({ alg: 'HS256' })}.${payload}`;
    const mac = createHmac('sha256', rsa.publicPem).update(signed).digest('base64url');
    expect(() => readJws(`${signed}.${mac}`)).toThrow('unexpected signature algorithm');
  });

  test('by leaving the signature out', () => {
    const [header, body] = jwt(rsa, claims).split('.') as [string, string];
    expect(() => readJws(`${header}.${body}.`)).toThrow('malformed jwt');
    expect(() => readJws(`${header}.${body}`)).toThrow('malformed jwt');
  });

  test('by naming another algorithm of the same key', () => {
    const signed = jwt(rsa, claims, { alg: 'PS256' });
    expect(isSignedBy(readJws(signed), rsa.publicKey)).toBe(false);
    const p256 = signingKey('a', 'ES256');
    expect(isSignedBy(readJws(jwt(p256, claims, { alg: 'ES384' })), p256.publicKey)).toBe(false);
  });

  test('by extensions, embedded keys, or a token that never ends', () => {
    expect(() => readJws(jwt(rsa, claims, { crit: ['exp'] }))).toThrow('extension');
    expect(() => readJws(jwt(rsa, claims, { b64: false }))).toThrow('extension');
    const own = keys.get('RS256')!;
    const embedded = jwt(own, claims, { jwk: own.publicKey.export({ format: 'jwk' }) });
    expect(isSignedBy(readJws(embedded), rsa.publicKey)).toBe(false);
    expect(() => readJws('a'.repeat(100_000))).toThrow('too long');
  });

  test('by a short key, a DER signature, or a private key in the set', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1_024 });
    const short = jwt({ ...rsa, privateKey }, claims);
    expect(isSignedBy(readJws(short), publicKey)).toBe(false);
    const p256 = signingKey('a', 'ES256');
    const signed = jwt(p256, claims).split('.').slice(0, 2).join('.');
    const der = sign('sha256', Buffer.from(signed), p256.privateKey).toString('base64url');
    expect(isSignedBy(readJws(`${signed}.${der}`), p256.publicKey)).toBe(false);
    const symmetric = { kty: 'oct', k: base64url('secret'), kid: 'a' };
    expect(readKeySet({ keys: [symmetric, null, 7, { kty: 'RSA' }] })).toEqual([]);
  });

  test('by a key of the set that is for something else', () => {
    const jwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'a' };
    const jws = readJws(jwt(rsa, claims));
    expect(verifiesBy(jws, readKeySet({ keys: [jwk] }))).toBe(true);
    expect(verifiesBy(jws, readKeySet({ keys: [{ ...jwk, use: 'enc' }] }))).toBe(false);
    expect(verifiesBy(jws, readKeySet({ keys: [{ ...jwk, alg: 'RS512' }] }))).toBe(false);
    expect(verifiesBy(jws, readKeySet({ keys: [{ ...jwk, kid: 'b' }] }))).toBe(false);
  });
});

test('no change of a token leaves it signed', () => {
  const key = signingKey('a', 'ES256');
  const token = jwt(key, claims);
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
      const changed = token.slice(0, at) + character + token.slice(at + 1);
      if (changed === token) return;
      try {
        expect(isSignedBy(readJws(changed), key.publicKey)).toBe(false);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
    { numRuns: 500 },
  );
});

test('whatever the text, it is a token or a fault', () => {
  const part = fc.oneof(fc.string(), fc.json().map(base64url), fc.base64String());
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
      try {
        expect(Object.getPrototypeOf(readJws(parts.join('.')).claims)).toBe(null);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
    { numRuns: 2_000 },
  );
});
