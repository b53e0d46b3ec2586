import { createHash, sign, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { seededEntropy } from '../../base/entropy.ts';
import { DerReader, tags, writeDer } from '../../x509/der.ts';
import { type Curve, generateKey } from '../../x509/key.ts';
import { oids } from '../../x509/oid.ts';
import { curves, publicKeyBytes, rsaNumbers } from '../../x509/spki.ts';
import { ecdsaDer, ecSpki, rsaSpki } from './hsm-key.ts';

const entropy = seededEntropy('hsm keys');

test.each<Curve>(['P-256', 'P-384', 'P-521'])(
  '%s: public keys and signatures as tokens give them',
  (curve) => {
    for (let round = 0; round < 50; round++) {
      const key = generateKey({ type: 'ec', curve }, entropy);
      const { spki } = key.publicKey;
      const parameters = writeDer((writer) => writer.oid(curves[curve].oid));
      const point = publicKeyBytes(spki);
      // In an octet string as the standard has it, and bare as some tokens do.
      expect(
        ecSpki(
          parameters,
          writeDer((writer) => writer.octetString(point)),
        ),
      ).toEqual(spki);
      expect(ecSpki(parameters, point)).toEqual(spki);
      const bytes = createHash('sha256').update(String(round)).digest();
      const pair = sign('sha256', bytes, { key: key.key, dsaEncoding: 'ieee-p1363' });
      const der = ecdsaDer(pair);
      expect(verify('sha256', bytes, key.publicKey.key, der)).toBe(true);
      expect(new DerReader(der).enter(tags.sequence).integer()[0]! < 0x80).toBe(true);
    }
  },
);

test('RSA: a modulus is no negative number, whatever its first bit', async () => {
  const key = generateKey({ type: 'rsa', bits: 2_048 }, entropy);
  const { modulus, exponent } = rsaNumbers(publicKeyBytes(key.publicKey.spki));
  expect(rsaSpki(modulus, exponent)).toEqual(key.publicKey.spki);
  expect(rsaSpki(Buffer.concat([Buffer.alloc(1), modulus]), exponent)).toEqual(key.publicKey.spki);
});

test('a curve that is not known here is told as what it is', () => {
  const other = writeDer((writer) => writer.oid(oids.sha256));
  expect(ecSpki(other, Buffer.from([4, 1, 2])).includes(other)).toBe(true);
});
