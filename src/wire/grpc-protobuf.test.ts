import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import {
  readCertifyRequest,
  readCertifyResponse,
  writeCertifyRequest,
  writeCertifyResponse,
} from './grpc-identity.ts';
import { bytesField, integerField, readFields } from './grpc-protobuf.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));

test('requests and answers survive their encoding', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      bytes,
      bytes,
      (identity, token, certificateSigningRequest) => {
        const request = { identity, token, certificateSigningRequest };
        expect(readCertifyRequest(writeCertifyRequest(request))).toEqual(request);
      },
    ),
  );
  const epochMs = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });
  fc.assert(
    fc.property(
      bytes,
      fc.array(bytes),
      fc.option(epochMs, { nil: undefined }),
      (leaf, chain, validUntilMs) => {
        const response = { leafCertificate: leaf, intermediateCertificates: chain, validUntilMs };
        expect(readCertifyResponse(writeCertifyResponse(response))).toEqual(response);
      },
    ),
  );
});

test('the bytes are those that protobufjs writes', () => {
  const request = {
    identity: 'a.b',
    token: Buffer.from('tok'),
    certificateSigningRequest: Buffer.from([1, 2]),
  };
  expect(writeCertifyRequest(request).toString('hex')).toBe('0a03612e621203746f6b1a020102');
  const response = {
    leafCertificate: Buffer.from([9]),
    intermediateCertificates: [Buffer.from([8]), Buffer.from([7])],
    validUntilMs: 1_700_000_000_250,
  };
  expect(writeCertifyResponse(response).toString('hex')).toBe('0a01091201081201071a0b0880e2cfaa061080e59a77');
});

test('unknown fields are skipped, and of a repeated one the last counts', () => {
  const message = Buffer.concat([
    bytesField(1, Buffer.from('first')),
    integerField(900, 2n ** 63n - 1n),
    Buffer.from([0x51, 1, 2, 3, 4, 5, 6, 7, 8]),
    Buffer.from([0x55, 1, 2, 3, 4]),
    bytesField(1, Buffer.from('second')),
  ]);
  expect(readCertifyRequest(message).identity).toBe('second');
});

test('negative numbers take ten bytes, as in protobuf', () => {
  expect(integerField(1, -1n).toString('hex')).toBe('08ffffffffffffffffff01');
  expect(integerField(1, 0n).length).toBe(0);
});

test.each([
  ['a varint cut short', '0880'],
  ['a varint of eleven bytes', `08${'80'.repeat(10)}01`],
  ['a varint past 64 bits', `08${'ff'.repeat(9)}02`],
  ['a field longer than the message', '0a05616263'],
  ['a length past all bounds', '0affffffffffffffffff01'],
  ['field number zero', '0001'],
  ['a group', '0b0c'],
  ['a fixed64 cut short', '5101'],
  ['text that is not UTF-8', '0a02c328'],
  ['a string as a number', '0801'],
])('%s is refused', (_, hex) => {
  expect(() => readCertifyRequest(Buffer.from(hex, 'hex'))).toThrowError(Fault);
});

test('an answer whose time is out of range is refused', () => {
  const timestamp = (seconds: bigint, nanos: bigint) =>
    bytesField(3, Buffer.concat([integerField(1, seconds), integerField(2, nanos)]), { evenEmpty: true });
  expect(readCertifyResponse(timestamp(0n, 0n)).validUntilMs).toBe(0);
  expect(() => readCertifyResponse(timestamp(2n ** 62n, 0n))).toThrowError(Fault);
  expect(() => readCertifyResponse(timestamp(1n, 1_000_000_000n))).toThrowError(Fault);
  expect(() => readCertifyResponse(timestamp(1n, -1n))).toThrowError(Fault);
});

test('any bytes either parse or are refused with a fault', () => {
  fc.assert(
    fc.property(bytes, (message) => {
      try {
        readFields(message);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
  );
});
