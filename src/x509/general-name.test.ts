import { BlockList, isIPv6, SocketAddress } from 'node:net';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readDer, writeDer } from './der.ts';
import { formatGeneralName, type GeneralName, readGeneralNames, writeGeneralName } from './general-name.ts';
import { formatIp, parseIp } from './ip-address.ts';
import { nameOf } from './name.ts';
import { decodeOid, encodeOid, isOid } from './oid.ts';

test('every type comes back as it was written', () => {
  const names: GeneralName[] = [
    { type: 'dns', value: '*.example.com' },
    { type: 'email', value: 'a@example.com' },
    { type: 'uri', value: 'spiffe://cluster.local/ns/default/sa/web' },
    { type: 'ip', value: '192.0.2.1' },
    { type: 'ip', value: '2001:db8::1' },
    { type: 'rid', value: '1.2.3.4' },
    { type: 'directory', value: nameOf({ commonName: 'a' }) },
    { type: 'other', oid: '1.2.3', value: Buffer.from('0500', 'hex') },
    { type: 'x400', value: Buffer.from('a3020500', 'hex') },
    { type: 'edi', value: Buffer.from('a5020500', 'hex') },
  ];
  const der = writeDer((writer) =>
    writer.sequence(() => {
      for (const name of names) writeGeneralName(writer, name);
    }),
  );
  expect(readDer(der, (reader) => readGeneralNames(reader))).toEqual(names);
  expect(names.map(formatGeneralName).slice(3, 8)).toEqual([
    'ip:192.0.2.1',
    'ip:2001:db8::1',
    'rid:1.2.3.4',
    'directory:CN=a',
    'other:1.2.3',
  ]);
});

test.each([
  [{ type: 'dns', value: 'zürich.example' }, 'holds characters that are not ASCII'],
  [{ type: 'ip', value: '192.0.2.256' }, '"192.0.2.256" is not an IP address'],
  [{ type: 'ip', value: 'fe80::1%eth0' }, 'is not an IP address'],
  [{ type: 'rid', value: '3.1' }, '"3.1" is not an object identifier'],
] as const)('%j cannot be written', (name, message) => {
  expect(() => writeDer((writer) => writeGeneralName(writer, name))).toThrow(message);
});

test.each([
  ['30 00', 'a list of names that is empty'],
  ['30 03 87 01 01', 'an IP address of 1 bytes; it takes 4 or 16'],
  ['30 03 82 01 e9', 'the dns name holds characters that are not ASCII'],
  ['30 03 89 01 00', 'tag 0x89 is none of a general name'],
])('%s cannot be read', (hex, message) => {
  const der = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  expect(() => readDer(der, (reader) => readGeneralNames(reader))).toThrow(message);
});

test('IPv6 is printed as RFC 5952 and Go have it', () => {
  for (const [address, printed] of [
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ] as const) {
    expect(formatIp(parseIp(address)!)).toBe(printed);
  }
});

test('every address reads back, and is the one that Node takes it for', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(65_535), (random, zeros) => {
      const bytes = Buffer.from(random.map((byte, index) => ((zeros >> index) & 1 ? 0 : byte)));
      const text = formatIp(bytes);
      if (isIPv6(text)) {
        expect(parseIp(text)).toEqual(bytes);
        const list = new BlockList();
        list.addAddress(new SocketAddress({ address: text, family: 'ipv6' }));
        expect(list.check(bytes.toString('hex').match(/.{4}/g)!.join(':'), 'ipv6')).toBe(true);
      }
    }),
  );
});

test('object identifiers have one encoding, and it reads back', () => {
  const component = fc.oneof(fc.nat(300), fc.bigInt({ min: 0n, max: 2n ** 130n }));
  fc.assert(
    fc.property(fc.nat(2), fc.nat(39), fc.array(component, { maxLength: 5 }), (arc, second, rest) => {
      const dotted = [arc, second, ...rest].join('.');
      expect(isOid(dotted)).toBe(true);
      expect(decodeOid(encodeOid(dotted))).toBe(dotted);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (content) => {
      const dotted = decodeOid(content);
      if (dotted !== undefined) expect(encodeOid(dotted)).toEqual(Buffer.from(content));
    }),
  );
  for (const none of ['', '1', '1.40', '3.1', '1.2.', '01.2', '1.02', '1.2.x', '1.-2'])
    expect(isOid(none)).toBe(false);
});
