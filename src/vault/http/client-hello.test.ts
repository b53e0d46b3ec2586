import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { offeredProtocols } from './client-hello.ts';

const vector = (lengthBytes: number, content: Buffer) => {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(content.length, 0, lengthBytes);
  return Buffer.concat([length, content]);
};
const extension = (kind: number, content: Buffer) =>
  Buffer.concat([Buffer.of(kind >> 8, kind & 0xff), vector(2, content)]);

/** As RFC 8446 section 4.1.2 has it, in records of so many bytes. */
function hello(
  protocols: readonly string[],
  { before = 0, recordBytes = 16_000, sessionBytes = 32 } = {},
): Buffer {
  const names = protocols.map((name) => vector(1, Buffer.from(name, 'latin1')));
  const extensions = [
    extension(51, Buffer.alloc(before)),
    ...(protocols.length > 0 ? [extension(16, vector(2, Buffer.concat(names)))] : []),
    extension(43, Buffer.from('0303', 'hex')),
  ];
  const body = Buffer.concat([
    Buffer.alloc(34, 3),
    vector(1, Buffer.alloc(sessionBytes)),
    vector(2, Buffer.from('13011302', 'hex')),
    vector(1, Buffer.of(0)),
    vector(2, Buffer.concat(extensions)),
  ]);
  const message = Buffer.concat([Buffer.of(1), vector(3, body)]);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += recordBytes) {
    const part = message.subarray(at, at + recordBytes);
    records.push(Buffer.concat([Buffer.from('160301', 'hex'), vector(2, part)]));
  }
  return Buffer.concat(records);
}

const hellos = fc.record({
  protocols: fc.array(fc.string({ minLength: 1, maxLength: 20, unit: 'binary-ascii' }), { maxLength: 4 }),
  shape: fc.record({
    before: fc.integer({ min: 0, max: 2_000 }),
    recordBytes: fc.integer({ min: 50, max: 16_000 }),
    sessionBytes: fc.constantFrom(0, 32),
  }),
});

test('what a hello offers, in however many records, and not before it is whole', () => {
  fc.assert(
    fc.property(hellos, fc.nat(), fc.uint8Array(), ({ protocols, shape }, cut, after) => {
      const bytes = hello(protocols, shape);
      expect(offeredProtocols(bytes)).toEqual(protocols);
      expect(offeredProtocols(bytes.subarray(0, cut % bytes.length))).toBe('more');
      expect(offeredProtocols(Buffer.concat([bytes, after]))).toEqual(protocols);
    }),
  );
});

test('anything else offers nothing', () => {
  fc.assert(
    fc.property(hellos, fc.nat(), fc.nat(255), ({ protocols, shape }, at, value) => {
      const bytes = hello(protocols, shape);
      bytes[at % bytes.length] = value;
      const offered = offeredProtocols(bytes);
      expect(offered === 'more' || Array.isArray(offered)).toBe(true);
    }),
  );
  expect(offeredProtocols(Buffer.from('GET / HTTP/1.1\r\n'))).toEqual([]);
  expect(offeredProtocols(Buffer.alloc(0))).toBe('more');
  // Whoever never ends is not waited for.
  const endless = vector(2, Buffer.concat([Buffer.of(1, 255, 255, 255), Buffer.alloc(9_000)]));
  const record = Buffer.concat([Buffer.from('160301', 'hex'), endless]);
  expect(offeredProtocols(record)).toBe('more');
  expect(offeredProtocols(Buffer.concat([record, record]))).toEqual([]);
});
