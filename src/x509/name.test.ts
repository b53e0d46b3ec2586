import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { tags, writeDer } from './der.ts';
import { commonName, emptyName, formatName, nameOf, readName, sameName } from './name.ts';
import { oids } from './oid.ts';

const one = (tag: number, value: string, oid: string = oids.commonName) =>
  readName(
    writeDer((writer) =>
      writer.sequence(() => writer.set(() => writer.sequence(() => writer.oid(oid).text(tag, value)))),
    ),
  );

test('parts stand in the order in which Go encodes them', () => {
  const name = nameOf({
    serialNumber: '7',
    commonName: 'root.linkerd.cluster.local',
    postalCode: ['8000'],
    streetAddress: ['Quay 1'],
    province: ['ZH'],
    locality: ['Zürich'],
    organizationalUnit: ['Mesh'],
    organization: ['Capstan'],
    country: ['CH'],
  });
  expect(formatName(name)).toBe(
    'C=CH,O=Capstan,OU=Mesh,L=Zürich,ST=ZH,STREET=Quay 1,POSTALCODE=8000,CN=root.linkerd.cluster.local,SERIALNUMBER=7',
  );
  expect(name.rdns.flat().map(({ tag }) => tag)).toEqual([
    tags.printableString,
    tags.printableString,
    tags.printableString,
    tags.utf8String,
    ...Array<number>(5).fill(tags.printableString),
  ]);
  expect(commonName(name)).toBe('root.linkerd.cluster.local');
});

test('several values of one part share a set, in the order of their encodings', () => {
  const name = nameOf({ organization: ['b', 'a', 'cc'] });
  expect(name.rdns).toHaveLength(1);
  expect(formatName(name)).toBe('O=a,O=b,O=cc');
  expect(nameOf({ organization: ['cc', 'b', 'a'] }).der).toEqual(name.der);
});

test('nothing makes the empty name', () => {
  expect(nameOf({ commonName: '', organization: [] }).der).toEqual(emptyName.der);
  expect(formatName(emptyName)).toBe('');
  expect(commonName(emptyName)).toBeUndefined();
});

test('attributes without a short form are printed by their identifiers', () => {
  expect(formatName(one(tags.utf8String, 'Herr', oids.title))).toBe('UnknownOID=2.5.4.12');
  expect(formatName(one(tags.utf8String, 'x', '1.2.3'))).toBe('1.2.3=x');
});

test('names are the same without regard to case, spaces and string type; other types are compared exactly', () => {
  expect(sameName(one(tags.utf8String, ' The  Root '), one(tags.printableString, 'the root'))).toBe(true);
  expect(sameName(one(tags.utf8String, 'the root'), one(tags.utf8String, 'theroot'))).toBe(false);
  expect(sameName(one(tags.ia5String, 'Root'), one(tags.ia5String, 'root'))).toBe(false);
  expect(sameName(one(tags.utf8String, 'a'), one(tags.utf8String, 'a', oids.organization))).toBe(false);
});

test.each([
  [tags.printableString, 'a_b'],
  [tags.ia5String, 'ü'],
  [tags.numericString, '1a'],
  [tags.octetString, 'a'],
])('string type 0x%s refuses %j', (tag, value) => {
  expect(() => one(tag, value)).toThrow('holds what its string type does not allow');
});

test('every text comes back as it went in', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (value) => {
      expect(commonName(readName(nameOf({ commonName: value }).der))).toBe(value);
    }),
  );
});
