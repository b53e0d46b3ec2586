import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  asciiDomain,
  matchesGlob,
  otherNameProblem,
  permitsAddress,
  permitsCommonName,
  permitsName,
  permitsSubjectSerial,
  permitsUserId,
} from './name-rules.ts';
import { type Role, roleDefaults } from './role.ts';

const role = (said: Partial<Role>): Role => ({ ...roleDefaults, ...said });

/** The documented rules over again, by labels and patterns where the code goes by endings. */
function modelPermits(name: string, said: Role): boolean {
  const at = name.split('@');
  if (at.length > 2) return false;
  const host = at.at(-1)!;
  const labels = host.split('.');
  const stars = host.split('*').length - 1;
  const starred = stars > 0;
  if (starred && (stars > 1 || !labels[0]!.includes('*') || at.length === 2)) return false;
  if (starred && !said.allow_wildcard_certificates) return false;
  const plain = starred ? labels.slice(1) : labels;
  if (said.enforce_hostnames) {
    const dotted = plain.length > 1 && plain.at(-1) === '' ? plain.slice(0, -1) : plain;
    const sound = (label: string) =>
      /^[a-z0-9-]{1,63}$/i.test(label) && !label.startsWith('-') && !label.endsWith('-');
    const alone = starred && plain.join('') === '' && plain.length <= 1;
    if ((!alone && !dotted.every(sound)) || dotted.join('.').length > 253) return false;
    const [before = '', after = ''] = starred ? labels[0]!.split('*') : [];
    if (![before, after].every((part) => part === '' || sound(part))) return false;
  }
  if (said.allow_any_name) return true;
  const below = (domain: string) => {
    const base = domain.split('.');
    return plain.length > base.length && plain.slice(-base.length).join('.') === domain;
  };
  const same = (a: string, b: string) => a.localeCompare(b, 'en', { sensitivity: 'accent' }) === 0;
  const rest = plain.join('.');
  const local = (domain: string) => rest === domain || (said.allow_subdomains && below(domain));
  if (said.allow_localhost && (local('localhost') || local('localdomain'))) return true;
  return said.allowed_domains.some((domain) => {
    if (domain === '') return false;
    const glob = new RegExp(
      `^${domain
        .split('*')
        .map((part) => part.replaceAll(/[.@]/g, '\\$&'))
        .join('.*')}$`,
      's',
    );
    return (
      (said.allow_bare_domains && (same(name, domain) || (at.length === 2 && same(host, domain)))) ||
      (said.allow_subdomains && (below(domain) || (starred && same(rest, domain)))) ||
      (said.allow_glob_domains && domain.includes('*') && glob.test(name))
    );
  });
}

const labels = ['a', 'B', 'example', 'com', 'EXAMPLE', 'localhost', 'localdomain', 'x-y', '-x', 'a_b', ''];
const label = fc.constantFrom(...labels, '*', 'f*o', '*a', 'a*', '**', 'x'.repeat(63), 'x'.repeat(64));
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
const suffixed = fc
  .tuple(host, fc.constantFrom('', '.example.com', '.com', '.localhost', 'example.com', '.'))
  .map(([front, end]) => front + end);
const anyName = fc.oneof(
  suffixed,
  fc.tuple(fc.constantFrom('me', '', '*'), suffixed).map((parts) => parts.join('@')),
  fc.tuple(host, host, host).map((parts) => parts.join('@')),
);
const domains = fc.array(
  fc.constantFrom(
    'example.com',
    'com',
    'a.example.com',
    '*.example.com',
    'a*',
    '*',
    'EXAMPLE.com',
    '',
    'me@*',
  ),
  { maxLength: 3 },
);
const anyRole = fc
  .record({
    allow_any_name: fc.boolean(),
    allow_bare_domains: fc.boolean(),
    allow_glob_domains: fc.boolean(),
    allow_localhost: fc.boolean(),
    allow_subdomains: fc.boolean(),
    allow_wildcard_certificates: fc.boolean(),
    enforce_hostnames: fc.boolean(),
    allowed_domains: domains,
  })
  // Any name is the dull half.
  .map((said) => role({ ...said, allow_any_name: said.allow_any_name && said.allow_bare_domains }));

test('names pass as the documented rules say', () => {
  let passed = 0;
  fc.assert(
    fc.property(anyName, anyRole, (name, said) => {
      const expected = modelPermits(name, said);
      if (expected) passed++;
      expect(permitsName(name, said)).toBe(expected);
    }),
    { numRuns: 20_000 },
  );
  expect(passed).toBeGreaterThan(1_000);
});

test('what passes with a flag off passes with it on', () => {
  const flags = ['allow_bare_domains', 'allow_glob_domains', 'allow_localhost', 'allow_subdomains'] as const;
  fc.assert(
    fc.property(anyName, anyRole, fc.constantFrom(...flags), (name, said, flag) => {
      const off = permitsName(name, { ...said, [flag]: false });
      expect(off && !permitsName(name, { ...said, [flag]: true })).toBe(false);
    }),
    { numRuns: 5_000 },
  );
});

test('a glob is a pattern in which the star stands for anything', () => {
  const text = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 8 }).map((letters) => letters.join(''));
  const pattern = fc
    .array(fc.constantFrom('a', 'b', '.', '*'), { maxLength: 8 })
    .map((letters) => letters.join(''));
  fc.assert(
    fc.property(pattern, text, (glob, subject) => {
      const regular = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
      expect(matchesGlob(glob, subject)).toBe(regular.test(subject));
    }),
    { numRuns: 10_000 },
  );
});

test('an address passes where it has the first bits of a range', () => {
  const bits = (bytes: readonly number[]) => bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const four = fc.array(fc.constantFrom(0, 1, 127, 128, 129, 255), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(four, four, fc.integer({ min: 0, max: 32 }), (network, address, length) => {
      const said = role({ allowed_ip_sans_cidr: [`${network.join('.')}/${length}`] });
      const within = bits(network).slice(0, length) === bits(address).slice(0, length);
      expect(permitsAddress(address.join('.'), said)).toBe(within);
      // The same address, told as one of IPv6.
      expect(permitsAddress(`::ffff:${address.join('.')}`, said)).toBe(within);
    }),
  );
});

test.each([
  ['2001:db8::1', ['2001:db8::/32'], true],
  ['2001:db9::1', ['2001:db8::/32'], false],
  ['2001:db8:8000::', ['2001:db8::/33'], false],
  ['10.0.0.1', ['2001:db8::/32', '10.0.0.0/8'], true],
  ['10.0.0.1', ['::/0'], false],
  ['10.0.0.1', [], true],
  ['no address', [], false],
])('address %s in %j: %s', (address, ranges, passes) => {
  expect(permitsAddress(address, role({ allowed_ip_sans_cidr: ranges }))).toBe(passes);
});

test.each([
  [['disabled'], 'Some Body', true],
  [['hostname'], 'a.example', true],
  [['hostname'], 'me@a.example', false],
  [['email'], 'me@a.example', true],
  [['email'], 'a.example', false],
  [['email', 'hostname'], 'Some Body', false],
])('with validations %j the common name %s passes: %s', (cn_validations, name, passes) => {
  expect(permitsCommonName(name, role({ cn_validations, allow_any_name: true }))).toBe(passes);
});

test('other names pass by identifier and value', () => {
  const allowed = (...allowed_other_sans: string[]) => role({ allowed_other_sans });
  const upn = { oid: '1.3.6.1.4.1.311.20.2.3', value: 'dev@x' };
  expect(otherNameProblem(upn, allowed())).toBe('unlisted');
  expect(otherNameProblem(upn, allowed('*'))).toBeUndefined();
  expect(otherNameProblem(upn, allowed(`${upn.oid};utf8:dev*`))).toBeUndefined();
  expect(otherNameProblem(upn, allowed(`${upn.oid};UTF-8:ops*`))).toBe('value');
  expect(otherNameProblem(upn, allowed('1.2.3;utf8:*'))).toBe('unlisted');
  // A star among others is none.
  expect(otherNameProblem(upn, allowed('*', '1.2.3;utf8:*'))).toBe('unlisted');
});

test('user ids and subject serial numbers pass by pattern', () => {
  const ids = role({ allowed_user_ids: ['Alice', 'svc-*'] });
  expect(['alice', 'svc-1', 'bob'].map((id) => permitsUserId(id, ids))).toEqual([true, true, false]);
  const serials = role({ allowed_serial_numbers: ['X1', 'Y*'] });
  expect(['X1', 'x1', 'Y22', 'Z'].map((text) => permitsSubjectSerial(text, serials))).toEqual([
    true,
    false,
    true,
    false,
  ]);
  expect(permitsUserId('anyone', role({}))).toBe(false);
  expect(permitsSubjectSerial('1', role({}))).toBe(false);
});

test.each([
  ['bücher.example', { ascii: 'xn--bcher-kva.example' }],
  ['a.example.', { ascii: 'a.example.' }],
  ['a..example', { badLabel: 'a..example' }],
  ['', { badLabel: '' }],
  [`${'a'.repeat(64)}.example`, { badLabel: 'a'.repeat(64) }],
  ['a.'.repeat(128), { badLabel: 'a.'.repeat(128) }],
])('%s in ASCII', (name, expected) => {
  expect(asciiDomain(name)).toEqual(expected);
});
