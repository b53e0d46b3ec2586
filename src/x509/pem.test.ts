import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import { decodePem, encodePem } from './pem.ts';

const block = encodePem('CERTIFICATE', Buffer.from('a certificate'));

test('lines are 64 characters, and the last one ends in a newline', () => {
  expect(encodePem('X', Buffer.alloc(49))).toBe(
    `-----BEGIN X-----\n${'A'.repeat(64)}\nAA==\n-----END X-----\n`,
  );
});

test('text around blocks is ignored, and so are carriage returns', () => {
  const text = `subject=CN=a\n${block}Bag Attributes\n  friendlyName: b\n${block.replaceAll('\n', '\r\n')}`;
  expect(decodePem(text).map(({ label }) => label)).toEqual(['CERTIFICATE', 'CERTIFICATE']);
  expect(decodePem('nothing in PEM')).toEqual([]);
});

test.each([
  ['an END that is missing', block.split('-----END')[0]!, 'line 1: BEGIN CERTIFICATE without its END'],
  ['another END', block.replace('END CERTIFICATE', 'END KEY'), 'line 3: END KEY closes BEGIN CERTIFICATE'],
  ['a BEGIN inside', block.split('-----END')[0]! + block, 'line 1: BEGIN CERTIFICATE without its END'],
  ['what is not base64', block.replace('YSB', 'Y%B'), 'line 1: not base64'],
  ['half a group', block.replace('YSB', 'SB'), 'line 1: not base64'],
  ['bits that do not count', block.replace('ZQ==', 'ZR=='), 'line 1: not base64 in its one proper form'],
  ['header lines', block.replace('\n', '\nComment: x\n\n'), 'line 1: not base64'],
])('%s is refused with its line', (_, text, message) => {
  expect(() => decodePem(`\n${text}`)).toThrow(
    message.replace(/line (\d)/, (_, n) => `line ${Number(n) + 1}`),
  );
});

test('an encrypted key of the old form is called that', () => {
  const pem = encodePem('RSA PRIVATE KEY', Buffer.from('x')).replace('\n', '\nProc-Type: 4,ENCRYPTED\n\n');
  expect(() => decodePem(pem)).toThrow('the RSA PRIVATE KEY is encrypted');
});

test('whatever is encoded comes back', () => {
  const blocks = fc.array(
    fc.record({ label: fc.constantFrom('A', 'B C', 'X509 CRL'), bytes: fc.uint8Array() }),
  );
  fc.assert(
    fc.property(blocks, (written) => {
      const text = written.map(({ label, bytes }) => encodePem(label, bytes)).join('between\n');
      expect(decodePem(text)).toEqual(
        written.map(({ label, bytes }) => ({ label, bytes: Buffer.from(bytes) })),
      );
    }),
  );
});

test('never fails with anything but a fault', () => {
  const lines = fc.constantFrom(
    '-----BEGIN A-----',
    '-----END A-----',
    '-----BEGIN',
    'QUJD',
    'x: y',
    '-----',
    '',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(lines, fc.string())), (text) => {
      try {
        expect(decodePem(text.join('\n'))).toBeInstanceOf(Array);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
  );
});
