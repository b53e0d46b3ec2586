import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateKey } from '../src/x509/key.ts';
import { encodePem } from '../src/x509/pem.ts';
import { type Asked, leafRequest, requestKey } from './support/leaf-request.ts';
import { any, ask, askToSign, domain, leafVault } from './support/leaf-vault.ts';
import type { TestVault } from './support/vault.ts';

// What a role does not let pass, in the words and with the statuses of OpenBao 2.6.

let vault: TestVault;
beforeAll(async () => {
  vault = await leafVault();
});
afterAll(() => vault.close());

const issue = (role: object, body: object) => ask(vault, 'issue', role, body);
const sign = (role: object, asked: Asked) => askToSign(vault, role, asked);

test.each([
  [domain, { common_name: 'example.com' }, 'common name example.com not allowed by this role'],
  [domain, { common_name: 'a.EXAMPLE.com' }, 'common name a.EXAMPLE.com not allowed by this role'],
  [
    domain,
    { common_name: 'a.example.com', alt_names: 'b.evil.com' },
    'subject alternate name b.evil.com not allowed by this role',
  ],
  [
    domain,
    { common_name: 'a.example.com', alt_names: 'b@evil.com' },
    'email address b@evil.com not allowed by this role',
  ],
  [
    { ...any, allow_wildcard_certificates: false },
    { common_name: '*.a' },
    'common name *.a not allowed by this role',
  ],
  [any, { common_name: 'foo..bar' }, 'idna: invalid label "foo..bar"'],
  [any, { common_name: 'a', ip_sans: '1.2.3.400' }, 'the value "1.2.3.400" is not a valid IP address'],
  [
    { ...any, allow_ip_sans: false },
    { common_name: 'a', ip_sans: '1.2.3.4' },
    'IP Subject Alternative Names are not allowed in this role, but was provided via the API',
  ],
  [
    { ...any, allowed_ip_sans_cidr: '10.0.0.0/8' },
    { common_name: 'a', ip_sans: '11.2.3.4' },
    'the IP address "11.2.3.4" is not allowed in this role',
  ],
  [
    any,
    { common_name: 'a', uri_sans: 'spiffe://a' },
    'URI Subject Alternative Names are not allowed in this role, but were provided via the API',
  ],
  [
    { ...any, allowed_uri_sans: 'spiffe://b*' },
    { common_name: 'a', uri_sans: 'spiffe://a' },
    'URI Subject Alternative Names were provided via the API which are not valid for this role',
  ],
  [any, { common_name: 'a', other_sans: '1.2.3;utf8:x' }, 'other SAN OID 1.2.3 not allowed by this role'],
  [
    { ...any, allowed_other_sans: '1.2.3;utf8:y*' },
    { common_name: 'a', other_sans: '1.2.3;utf8:x' },
    'other SAN x not allowed for OID 1.2.3 by this role',
  ],
  [
    { ...any, allowed_other_sans: '*' },
    { common_name: 'a', other_sans: 'x' },
    'could not parse requested other SAN: expected a semicolon in other SAN "x"',
  ],
  [any, { common_name: 'a', serial_number: 's1' }, 'serial_number s1 not allowed by this role'],
  [any, { common_name: 'a', user_ids: 'u1' }, 'user_id u1 is not allowed by this role'],
  [
    any,
    {},
    'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless "require_cn" is set to false',
  ],
  [
    any,
    { common_name: 'a', format: 'p12' },
    'the "format" path parameter must be "pem", "der", or "pem_bundle"',
  ],
  [
    any,
    { common_name: 'a', not_after: '2030-01-01T00:00:00Z' },
    'Either ttl or not_after should be provided. Both should not be provided in the same request.',
  ],
  [
    { ...any, not_before_bound: 'forbid' },
    { common_name: 'a', not_before: '2020-01-01T00:00:00Z' },
    'not_before_bound is set to forbid. not_before cannot be provided.',
  ],
  [
    { ...any, not_after_bound: 'forbid' },
    { common_name: 'a', ttl: 0, not_after: '2030-01-01T00:00:00Z' },
    'not_after_bound is set to forbid. not_after cannot be provided.',
  ],
])('issuing by %j of %j is refused', async (role, body, message) => {
  const reply = await issue(role, body);
  expect([reply.status, reply.errors]).toEqual([400, [message]]);
});

test.each<[object, Asked, string]>([
  [{ ...domain, key_type: 'rsa' }, {}, 'role requires keys of type rsa'],
  [{ ...domain, key_bits: 384 }, {}, "role requires a minimum of a 384-bit key, but CSR's key is 256 bits"],
  [
    domain,
    { names: [{ type: 'dns', value: 'evil.com' }] },
    'subject alternate name evil.com not allowed by this role',
  ],
  [
    domain,
    { names: [{ type: 'email', value: 'x@evil.com' }] },
    'email address x@evil.com not allowed by this role',
  ],
  [domain, { subject: { commonName: 'evil.com' } }, 'common name evil.com not allowed by this role'],
  [
    domain,
    { subject: { commonName: 'a.example.com', serialNumber: '7' } },
    'serial_number 7 not allowed by this role',
  ],
  [
    domain,
    { subject: { commonName: 'a.example.com', userIds: ['u'] } },
    'user_id u is not allowed by this role',
  ],
  [
    { ...domain, allow_ip_sans: false },
    { names: [{ type: 'ip', value: '10.0.0.1' }] },
    'IP Subject Alternative Names are not allowed in this role, but was provided via CSR',
  ],
  // GHSA-g892-p242-8g86: a request's addresses were once not held against the ranges.
  [
    { ...domain, allowed_ip_sans_cidr: '10.0.0.0/8' },
    { names: [{ type: 'ip', value: '11.0.0.1' }] },
    'the IP address "11.0.0.1" is not allowed in this role',
  ],
  [
    domain,
    { names: [{ type: 'uri', value: 'spiffe://a' }] },
    'URI Subject Alternative Names are not allowed in this role, but were provided via CSR',
  ],
  [
    { ...domain, allowed_other_sans: '*' },
    { names: [{ type: 'other', oid: '1.2.3', value: Buffer.from('16026869', 'hex') }] },
    'could not parse requested other SAN: no UTF-8 string found in OtherName',
  ],
])('signing by %j of %j is refused', async (role, asked, message) => {
  const reply = await sign(role, asked);
  expect([reply.status, reply.errors]).toEqual([400, [message]]);
});

test('a request that is none is refused', async () => {
  const sent = async (csr: string) => (await ask(vault, 'sign', domain, { csr })).errors;
  expect(await sent('')).toEqual(['"csr" is empty']);
  expect(await sent('junk')).toEqual(['csr contains no data']);
  const der = Buffer.from((await leafRequest()).split('\n').slice(1, -2).join(''), 'base64');
  der[der.length - 1]! ^= 1;
  expect(await sent(encodePem('CERTIFICATE REQUEST', der))).toEqual(['request signature invalid']);
});

test('a key that nobody has proven to hold gets nothing', async () => {
  // The request of one key, with the key of another in it.
  const stranger = generateKey({ type: 'ec', curve: 'P-256' }, { bytes: (size) => Buffer.alloc(size, 7) });
  const der = Buffer.from((await leafRequest()).split('\n').slice(1, -2).join(''), 'base64');
  const own = requestKey({ type: 'ec', curve: 'P-256' }).publicKey.spki;
  der.set(stranger.publicKey.spki, der.indexOf(own));
  const reply = await ask(vault, 'sign', domain, { csr: encodePem('CERTIFICATE REQUEST', der) });
  expect([reply.status, reply.errors]).toEqual([400, ['request signature invalid']]);
});
