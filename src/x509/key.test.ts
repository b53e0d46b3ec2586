import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { seededEntropy, systemEntropy } from '../base/entropy.ts';
import {
  generateKey,
  generateKeyAsync,
  readPrivateKey,
  readPublicKey,
  samePublicKey,
  writePrivateKey,
} from './key.ts';
import { encodePem } from './pem.ts';
import { signerOf, verifySignature } from './signature.ts';

const p256 = { type: 'ec', curve: 'P-256' } as const;
const key = generateKey(p256, systemEntropy);

test('the same entropy gives the same EC key, in range on every curve', () => {
  for (const curve of ['P-224', 'P-256', 'P-384', 'P-521'] as const) {
    const spec = { type: 'ec', curve } as const;
    const made = generateKey(spec, seededEntropy(curve));
    expect(samePublicKey(made.publicKey, generateKey(spec, seededEntropy(curve)).publicKey)).toBe(true);
    expect(readPrivateKey(writePrivateKey(made, 'pkcs8')).publicKey.spki).toEqual(made.publicKey.spki);
  }
});

test('a scalar that is out of range is drawn again', () => {
  const draws = [Buffer.alloc(32, 0xff), Buffer.alloc(32), Buffer.alloc(32, 1)];
  const made = generateKey(p256, { bytes: () => draws.shift()! });
  expect(draws).toEqual([]);
  expect(made.key.export({ format: 'jwk' }).d).toBe(Buffer.alloc(32, 1).toString('base64url'));
});

test('a private key shows nothing of itself', () => {
  for (const shown of [
    `key: ${key as unknown as string}`,
    JSON.stringify({ key }),
    inspect(key),
    inspect({ key }, { showHidden: true }),
  ]) {
    expect(shown).toContain('••••••');
    expect(shown).not.toContain(key.key.export({ format: 'jwk' }).d);
  }
});

test('RSA is generated from 2048 to 8192 bits', async () => {
  for (const bits of [1024, 2047.5, 16_384]) {
    await expect(generateKeyAsync({ type: 'rsa', bits }, systemEntropy)).rejects.toThrow(
      'cannot be generated',
    );
  }
});

test('public keys that are none are refused, points off the curve when they are used', () => {
  const { spki } = key.publicKey;
  const changed = (at: number, byte: number) => {
    const bytes = Buffer.from(spki);
    bytes[at] = byte;
    return bytes;
  };
  expect(() => readPublicKey(changed(26, 2))).toThrow('uncompressed');
  expect(() => readPublicKey(changed(22, 8))).toThrow('elliptic curve 1.2.840.10045.3.1.8');
  expect(() => readPublicKey(changed(12, 2))).toThrow('public keys of algorithm 1.2.840.10045.2.2');
  const offCurve = readPublicKey(changed(60, spki[60]! ^ 1));
  expect(() => offCurve.key).toThrow('the public key is none');
  const signature = { algorithm: signerOf(key).algorithm, bytes: spki, signature: spki, publicKey: offCurve };
  expect(verifySignature(signature)).toBe(false);
});

test('what is no private key is refused in words without a byte of it', () => {
  const text = (label: string, bytes: Buffer) => encodePem(label, bytes);
  expect(() => readPrivateKey('')).toThrow('there is no private key in PEM form');
  expect(() => readPrivateKey(text('CERTIFICATE', Buffer.from('secret')))).toThrow('only CERTIFICATE');
  for (const label of ['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY']) {
    expect(() => readPrivateKey(text(label, Buffer.from('secret')))).toThrow(
      /^the private key is not valid, or not of a kind that is known$/,
    );
  }
  expect(() => readPrivateKey(text('OPENSSH PRIVATE KEY', Buffer.from('x')))).toThrow(
    'only OPENSSH PRIVATE KEY',
  );
});

test('parameters before an EC key are passed over, as openssl ecparam writes them', () => {
  const pem = encodePem('EC PARAMETERS', Buffer.from('06082a8648ce3d030107', 'hex'));
  expect(readPrivateKey(pem + writePrivateKey(key, 'traditional')).spec).toEqual(p256);
});

test('an algorithm verifies only with its own kind of key', async () => {
  const bytes = Buffer.from('what is signed');
  const signers = await Promise.all(
    [p256, { type: 'ed25519' } as const, { type: 'rsa', bits: 2048 } as const].map(async (spec) =>
      signerOf(await generateKeyAsync(spec, systemEntropy)),
    ),
  );
  for (const signer of signers) {
    const signature = await signer.sign(bytes);
    for (const other of signers) {
      const signed = { algorithm: other.algorithm, bytes, signature, publicKey: signer.publicKey };
      expect(verifySignature(signed)).toBe(other === signer);
    }
  }
});
