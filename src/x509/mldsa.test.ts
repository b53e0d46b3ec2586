import { createPrivateKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { seededEntropy } from '../base/entropy.ts';
import { buildCertificate, isSelfSigned, readCertificate } from './certificate.ts';
import { basicConstraints, keyUsage } from './extension.ts';
import { formatKeySpec, generateKeyAsync, readPrivateKey, readPublicKey, writePrivateKey } from './key.ts';
import { mldsaSupported } from './mldsa.ts';
import { nameOf } from './name.ts';
import { decodePem } from './pem.ts';
import { printCertificate } from './print-text.ts';
import { signatureAlgorithm, signerOf, verifySignature } from './signature.ts';
import { mldsa, mldsaLevels } from './spki.ts';

const entropy = seededEntropy('mldsa');

// A Node over an older OpenSSL has no ML-DSA: there is nothing to test then but that it says so.
describe.skipIf(!mldsaSupported()).each(mldsaLevels)('ML-DSA-%i', (level) => {
  const generate = () => generateKeyAsync({ type: 'mldsa', level }, entropy);

  test('keys have the sizes of FIPS 204, and are told by their names', async () => {
    const { publicKey, spec } = await generate();
    expect(formatKeySpec(spec)).toBe(`ML-DSA-${level}`);
    expect(readPublicKey(publicKey.spki).spec).toEqual({ type: 'mldsa', level });
    // The algorithm takes 13 bytes, the headings 9.
    expect(publicKey.spki).toHaveLength(mldsa[level].bytes + 22);
    const short = Buffer.from(publicKey.spki.subarray(0, -1));
    expect(() => readPublicKey(short)).toThrow();
  });

  test('private keys are written as their seed, and read in any form', async () => {
    const key = await generate();
    const pem = writePrivateKey(key, 'traditional');
    expect(writePrivateKey(key, 'pkcs8')).toBe(pem);
    const [{ bytes } = { bytes: Buffer.alloc(0) }] = decodePem(pem);
    // RFC 9881 appendix C.1: version, algorithm, and 32 bytes under the tag [0].
    expect(bytes).toHaveLength(54);
    expect(bytes.subarray(18, 22).toString('hex')).toBe('04228020');
    const both = createPrivateKey(pem).export({ format: 'pem', type: 'pkcs8' }).toString();
    for (const text of [pem, both]) {
      const read = readPrivateKey(text);
      expect(read.publicKey.spki).toEqual(key.publicKey.spki);
      expect(writePrivateKey(read, 'pkcs8')).toBe(pem);
    }
  });

  test('signatures hold for their key, their bytes and their level alone', async () => {
    const key = await generate();
    const signer = signerOf(key, 'SHA-512');
    expect(signatureAlgorithm(signer.algorithm)).toEqual({
      name: `ML-DSA-${level}`,
      keyType: 'mldsa',
      level,
    });
    const bytes = Buffer.from('what is signed');
    const signature = await signer.sign(bytes);
    expect(signature).toHaveLength(mldsa[level].signatureBytes);
    const signed = { algorithm: signer.algorithm, bytes, signature, publicKey: key.publicKey };
    expect(verifySignature(signed)).toBe(true);
    expect(verifySignature({ ...signed, bytes: Buffer.from('what is not') })).toBe(false);
    expect(verifySignature({ ...signed, publicKey: (await generate()).publicKey })).toBe(false);
    for (const other of mldsaLevels.filter((one) => one !== level)) {
      const { algorithm } = signerOf(await generateKeyAsync({ type: 'mldsa', level: other }, entropy));
      expect(verifySignature({ ...signed, algorithm })).toBe(false);
    }
  });

  test('a certificate is built, read, verified and printed', async () => {
    const key = await generate();
    const subject = nameOf({ commonName: 'root' });
    const template = { serial: Buffer.of(1), issuer: subject, subject, notBefore: 0, notAfter: 1_000 };
    const extensions = [keyUsage(['cert sign']), basicConstraints({ ca: true })];
    const certificate = await buildCertificate(
      { ...template, publicKey: key.publicKey, extensions },
      signerOf(key),
    );
    expect(isSelfSigned(readCertificate(certificate.der))).toBe(true);
    const text = printCertificate(certificate);
    expect(text).toContain(`Signature Algorithm: ML-DSA-${level}`);
    expect(text).toContain(`Public Key Algorithm: ML-DSA-${level}`);
  });
});

test.runIf(!mldsaSupported())('a Node without ML-DSA says so', async () => {
  await expect(generateKeyAsync({ type: 'mldsa', level: 65 }, entropy)).rejects.toThrow(
    'ML-DSA keys are not supported by this Node.js',
  );
});
