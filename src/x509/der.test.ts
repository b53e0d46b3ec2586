import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exampleChain } from '../../test/support/example-chain.ts';
import { mutate, mutations } from '../../test/support/mutation.ts';
import { Fault } from '../base/fault.ts';
import { readCertificate } from './certificate.ts';
import { DerReader, DerWriter, defaultDerLimits, readDer, tags, writeDer } from './der.ts';
import { readRequest } from './request.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('what DER does not allow', () => {
  test.each([
    ['02 81 01 05', 'length', 'a long form where the short one fits'],
    ['04 82 00 80', 'length', 'a leading zero in a length'],
    ['30 80 00 00', 'length', 'an indefinite length'],
    ['02 85 00 00 00 00 01 05', 'length', 'a length of five bytes'],
    ['02', 'truncated', 'a lone tag'],
    ['02 82 01', 'truncated', 'half a length'],
    ['02 02 01', 'truncated', 'content that is missing'],
    ['02 00', 'integer', 'an integer of no bytes'],
    ['02 02 00 7f', 'integer', 'an integer with a spare zero'],
    ['02 02 ff 80', 'integer', 'a negative integer with a spare FF'],
    ['01 01 01', 'boolean', 'a boolean that is neither 00 nor FF'],
    ['01 02 ff ff', 'boolean', 'a boolean of two bytes'],
    ['05 01 00', 'null', 'a NULL with content'],
    ['06 00', 'oid', 'an identifier of no bytes'],
    ['06 02 2a 80', 'oid', 'an identifier that ends inside a component'],
    ['06 03 2a 80 01', 'oid', 'a component with a spare byte'],
    ['03 00', 'bit-string', 'a bit string without its count'],
    ['03 01 01', 'bit-string', 'unused bits of nothing'],
    ['03 02 08 00', 'bit-string', 'eight unused bits'],
    ['03 02 01 01', 'bit-string', 'an unused bit that is set'],
    ['1f 81 00 00', 'tag', 'a tag number above 30'],
    ['30 03 02 02 01', 'truncated', 'an element that is longer than the one around it'],
  ])('%s: %s (%s)', (bytes, kind) => {
    expect(codeOf(() => readDer(hex(bytes), (reader) => reader.anything()))).toBe(`x509.der.${kind}`);
  });

  test('bytes left over, inside and behind', () => {
    expect(codeOf(() => readDer(hex('05 00 00'), (reader) => reader.null()))).toBe('x509.der.trailing');
    const inner = new DerReader(hex('30 04 05 00 05 00')).enter(tags.sequence);
    inner.null();
    expect(codeOf(() => inner.finish())).toBe('x509.der.trailing');
  });

  test('the offset counts from the first byte of the document, however deep', () => {
    expect(() => readDer(hex('30 06 30 04 02 02 00 01'), (reader) => reader.anything())).toThrow(
      'not valid DER: at byte 4: an integer not in its shortest form',
    );
  });

  test('depth and size have limits', () => {
    const nested = (depth: number): Buffer => {
      let der: Buffer = Buffer.alloc(0);
      for (let level = 0; level < depth; level++)
        der = writeDer((writer) => writer.sequence(() => writer.raw(der)));
      return der;
    };
    const read = (depth: number) => () => readDer(nested(depth), (reader) => reader.anything());
    expect(codeOf(read(defaultDerLimits.depth))).toBe('accepted');
    expect(codeOf(read(defaultDerLimits.depth + 1))).toBe('x509.der.depth');
    const large = Buffer.alloc(defaultDerLimits.sizeBytes + 1);
    expect(codeOf(() => readDer(large, (reader) => reader.anything()))).toBe('x509.der.size');
  });
});

describe('times', () => {
  const read = (tag: number, text: string) => () =>
    readDer(
      writeDer((writer) => writer.text(tag, text)),
      (reader) => reader.time(),
    );

  test.each([
    [tags.utcTime, '491231235959Z', Date.UTC(2049, 11, 31, 23, 59, 59)],
    [tags.utcTime, '500101000000Z', Date.UTC(1950, 0, 1)],
    [tags.generalizedTime, '20500101000000Z', Date.UTC(2050, 0, 1)],
    [tags.generalizedTime, '99991231235959Z', Date.UTC(9999, 11, 31, 23, 59, 59)],
    [tags.generalizedTime, '20240229120000Z', Date.UTC(2024, 1, 29, 12)],
  ])('0x%s %s', (tag, text, time) => {
    expect(read(tag, text)()).toBe(time);
  });

  test.each([
    [tags.utcTime, '4912312359Z'],
    [tags.utcTime, '491231235959+0000'],
    [tags.utcTime, '490229000000Z'],
    [tags.utcTime, '491301000000Z'],
    [tags.utcTime, '490101240000Z'],
    [tags.utcTime, '490101000060Z'],
    [tags.generalizedTime, '20500101000000.5Z'],
    [tags.generalizedTime, '2050010100000Z'],
    [tags.generalizedTime, '20500101000000'],
  ])('0x%s %s is refused', (tag, text) => {
    expect(codeOf(read(tag, text))).toBe('x509.der.time');
  });

  test('every second that can be written is read back, in the form of its year', () => {
    const seconds = fc.integer({ min: -62_167_219_200, max: 253_402_300_799 });
    fc.assert(
      fc.property(seconds, (second) => {
        const der = writeDer((writer) => writer.time(second * 1_000));
        expect(readDer(der, (reader) => reader.time())).toBe(second * 1_000);
        const year = new Date(second * 1_000).getUTCFullYear();
        expect(der[0]).toBe(year >= 1950 && year < 2050 ? tags.utcTime : tags.generalizedTime);
      }),
    );
  });
});

/** A value of some shape that DER can hold. */
type Value =
  | { type: 'boolean'; value: boolean }
  | { type: 'integer'; value: number }
  | { type: 'octets'; value: Uint8Array }
  | { type: 'bits'; value: Uint8Array }
  | { type: 'oid'; value: string }
  | { type: 'sequence'; value: Value[] };

const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.record({ type: fc.constant('boolean' as const), value: fc.boolean() }),
    fc.record({ type: fc.constant('integer' as const), value: fc.nat() }),
    fc.record({ type: fc.constant('octets' as const), value: fc.uint8Array({ maxLength: 300 }) }),
    fc.record({ type: fc.constant('bits' as const), value: fc.uint8Array({ maxLength: 20 }) }),
    fc.record({
      type: fc.constant('oid' as const),
      value: fc
        .tuple(fc.nat(2), fc.nat(39), fc.array(fc.bigInt({ min: 0n, max: 2n ** 128n }), { maxLength: 5 }))
        .map(([arc, second, rest]) => [arc, second, ...rest].join('.')),
    }),
    fc.record({ type: fc.constant('sequence' as const), value: fc.array(tie('value'), { maxLength: 5 }) }),
  ),
}));

function write(writer: DerWriter, { type, value }: Value): void {
  if (type === 'boolean') writer.boolean(value);
  else if (type === 'integer') writer.smallInteger(value);
  else if (type === 'octets') writer.octetString(value);
  else if (type === 'bits') writer.bitString(value);
  else if (type === 'oid') writer.oid(value);
  else
    writer.sequence(() => {
      for (const inner of value) write(writer, inner);
    });
}

function read(reader: DerReader, { type, value }: Value): unknown {
  if (type === 'boolean') return { type, value: reader.boolean() };
  if (type === 'integer') return { type, value: reader.smallInteger() };
  if (type === 'octets') return { type, value: new Uint8Array(reader.octetString()) };
  if (type === 'bits') return { type, value: new Uint8Array(reader.bitStringBytes()) };
  if (type === 'oid') return { type, value: reader.oid() };
  const inner = reader.enter(tags.sequence);
  const values = value.map((each) => read(inner, each));
  inner.finish();
  return { type, value: values };
}

test('what is written reads back as the same', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const der = writeDer((writer) => write(writer, value));
      expect(readDer(der, (reader) => read(reader, value))).toEqual(value);
    }),
  );
});

/** Writes down again what the reader understood of a document, element by element. */
function again(reader: DerReader, writer: DerWriter): void {
  while (!reader.atEnd) {
    const tag = reader.nextTag!;
    if (tag & 0x20) {
      const inner = reader.enter(tag);
      writer.wrap(tag, () => again(inner, writer));
    } else if (tag === tags.boolean) writer.boolean(reader.boolean());
    else if (tag === tags.oid) writer.oid(reader.oid());
    else if (tag === tags.bitString) {
      const { bytes, unusedBits } = reader.bitString();
      writer.bitString(bytes, unusedBits);
    } else if (tag === tags.integer) writer.primitive(tag, reader.integer());
    else if (tag === tags.null) {
      reader.null();
      writer.null();
    } else writer.primitive(tag, reader.content(tag));
  }
}

/** Everything that is read only when it is asked for. */
function readAll(document: object): void {
  for (let level = document; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) {
    for (const name of Object.getOwnPropertyNames(level)) Reflect.get(document, name);
  }
}

describe('a document that somebody has changed is refused with a fault, or has one encoding', async () => {
  const { root, request } = await exampleChain();
  test.each([
    ['certificate', root.certificate.der, readCertificate],
    ['request', request.der, readRequest],
  ])('%s', (_, der, readDocument) => {
    const holds = (bytes: Buffer) => {
      const document = readDocument(bytes);
      expect(writeDer((writer) => again(new DerReader(bytes), writer))).toEqual(bytes);
      readAll(document);
    };
    holds(der);
    fc.assert(
      fc.property(mutations, (changes) => {
        expect(codeOf(() => holds(mutate(der, changes)))).toMatch(/^accepted$|^x509\./);
      }),
      { numRuns: 3_000 },
    );
  });

  test('arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const code = codeOf(() => readCertificate(Buffer.from(bytes)));
        expect(code).toBe('x509.certificate.malformed');
      }),
      { numRuns: 2_000 },
    );
  });
});
