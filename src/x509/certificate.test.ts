import { X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { exampleChain, exampleNow, issue } from '../../test/support/example-chain.ts';
import { dayMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import {
  certificatePem,
  fingerprint,
  isSelfSigned,
  isSignedBy,
  newSerial,
  readCertificate,
  readCertificates,
  serialText,
} from './certificate.ts';
import { oids } from './oid.ts';

const { root, intermediate, leaf } = await exampleChain();

test('what is built is what was asked for, and what Node reads in it', () => {
  const { certificate } = intermediate;
  expect(certificate).toMatchObject({
    version: 3,
    isCa: true,
    pathLength: 0,
    keyUsage: ['cert sign', 'crl sign'],
    notBefore: exampleNow - dayMs,
    notAfter: exampleNow + dayMs,
  });
  expect(certificate.extendedKeyUsage).toBeUndefined();
  expect(certificate.authorityKeyId).toEqual(root.certificate.subjectKeyId);
  expect(leaf.certificate.extendedKeyUsage).toEqual([oids.serverAuth, oids.clientAuth]);
  const node = new X509Certificate(certificate.der);
  expect(node.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(fingerprint(certificate));
  expect(node.checkIssued(new X509Certificate(root.certificate.der))).toBe(true);
  expect(node.verify(root.certificate.publicKey.key)).toBe(true);
  expect(BigInt(`0x${node.serialNumber}`)).toBe(BigInt(`0x${certificate.serial.toString('hex')}`));
});

test('who signed what', () => {
  expect(isSelfSigned(root.certificate)).toBe(true);
  expect(isSelfSigned(intermediate.certificate)).toBe(false);
  expect(isSignedBy(leaf.certificate, intermediate.certificate)).toBe(true);
  expect(isSignedBy(leaf.certificate, root.certificate)).toBe(false);
});

test('PEM holds them in order, among whatever else', () => {
  const text = [leaf, root].map(({ certificate }) => certificatePem(certificate)).join('\n# between\n');
  expect(readCertificates(text).map(({ der }) => der)).toEqual([leaf.certificate.der, root.certificate.der]);
  expect(readCertificates('')).toEqual([]);
});

test('serial numbers are positive, at most 20 octets, in their shortest form and below 2^159', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(19), (random, zeros) => {
      const draws = [Buffer.alloc(20), Buffer.from(random).fill(0, 0, zeros), Buffer.alloc(20, 7)];
      const serial = newSerial({ bytes: () => draws.shift()! });
      expect(serial.length).toBeLessThanOrEqual(20);
      expect(serial[0]).toBeLessThan(0x80);
      expect(serial[0] === 0 && serial[1]! < 0x80).toBe(false);
      expect(serial.some((byte) => byte > 0)).toBe(true);
    }),
  );
  expect(serialText(Buffer.from('0080ff01', 'hex'))).toBe('80:ff:01');
});

test.each([
  ['zero', Buffer.from([0])],
  ['negative', Buffer.from([0x80])],
  ['nothing', Buffer.alloc(0)],
  ['not in its shortest form', Buffer.from([0, 1])],
  ['longer than 21 octets', Buffer.alloc(22, 1)],
])('no certificate is built with a serial number that is %s', async (_, serial) => {
  await expect(issue({ name: 'a', override: { serial } })).rejects.toBeInstanceOf(Fault);
});

test('times outside of four digits of a year cannot be built', async () => {
  for (const notAfter of [Date.UTC(10_000, 0), Number.NaN, Number.POSITIVE_INFINITY]) {
    await expect(issue({ name: 'a', override: { notAfter } })).rejects.toThrow(
      'from the year 0 to the year 9999',
    );
  }
  const { certificate } = await issue({
    name: 'a',
    override: { notAfter: Date.UTC(9999, 11, 31, 23, 59, 59) },
  });
  expect(certificate.notAfter).toBe(Date.UTC(9999, 11, 31, 23, 59, 59));
});

test('a malformed certificate is told by what is wrong and where', () => {
  const cut = leaf.certificate.der.subarray(0, -1);
  expect(() => readCertificate(cut)).toThrow(
    /^the certificate is malformed: not valid DER: at byte 0: \d+ bytes promised, \d+ there$/,
  );
  expect(() => readCertificate(Buffer.concat([leaf.certificate.der, Buffer.from([0])]))).toThrow(
    'a byte left over',
  );
});
