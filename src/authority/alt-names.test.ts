import { expect, test } from 'vitest';
import { type AltNameRequest, decideAltNames } from './alt-names.ts';

const none: AltNameRequest = {
  commonName: '',
  excludeCommonName: false,
  altNames: [],
  ipSans: [],
  uriSans: [],
  otherSans: [],
};
const dns = (request: Partial<AltNameRequest>) =>
  decideAltNames({ ...none, ...request }).map((name) => name.value);

test('the common name is an alternative name unless it is excluded', () => {
  expect(decideAltNames({ ...none, commonName: 'root.linkerd.cluster.local' })).toEqual([
    { type: 'dns', value: 'root.linkerd.cluster.local' },
  ]);
  expect(dns({ commonName: 'root.linkerd.cluster.local', excludeCommonName: true })).toEqual([]);
  expect(dns({ commonName: 'ops@example.com' })).toEqual(['ops@example.com']);
});

test('a common name that is no host name is none, without a word', () => {
  for (const commonName of ['Example Root CA', 'under_score', '-dash', 'a..b'])
    expect(dns({ commonName })).toEqual([]);
  expect(dns({ commonName: '*.example.com' })).toEqual(['*.example.com']);
  expect(dns({ commonName: 'münchen.example' })).toEqual(['xn--mnchen-3ya.example']);
});

test('names stand once, by kind in Vault’s order', () => {
  const names = decideAltNames({
    ...none,
    commonName: 'a.example',
    altNames: ['ops@example.com', 'b.example', 'a.example'],
    ipSans: ['10.0.0.1', '::1'],
    uriSans: ['spiffe://a/b'],
    otherSans: ['1.3.6.1.4.1.311.20.2.3;UTF8:me@example.com'],
  });
  expect(names.map(({ type }) => type)).toEqual(['other', 'dns', 'dns', 'email', 'ip', 'ip', 'uri']);
  expect(names[0]).toEqual({
    type: 'other',
    oid: '1.3.6.1.4.1.311.20.2.3',
    value: Buffer.from('\x0c\x0eme@example.com', 'latin1'),
  });
});

test.each([
  [{ ipSans: ['10.0.0'] }, 'the value "10.0.0" is not a valid IP address'],
  [{ uriSans: ['not a uri'] }, 'is not a valid URI'],
  [{ otherSans: ['1.2.3'] }, 'expected OID;UTF8:text'],
  [{ otherSans: ['1.2.3;IA5:x'] }, 'only utf8 other SANs are supported'],
  [{ otherSans: ['x;UTF8:x'] }, '"x" is not an object identifier'],
  [{ altNames: ['xn--a.\u0378'] }, 'is not a domain name'],
])('%j is refused', (request, message) => {
  expect(() => dns(request)).toThrow(message);
});
