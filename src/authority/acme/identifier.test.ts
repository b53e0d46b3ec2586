import { expect, test } from 'vitest';
import { readIdentifiers } from './identifier.ts';

const read = (value: string) => readIdentifiers([{ type: 'dns', value }]);
const label = 'a'.repeat(63);

test.each([`${label}.example.com`, `*.${label}.example.com`, `${label}.${label}.${label}.${'b'.repeat(61)}`])(
  '%s is a domain',
  (name) => {
    expect(read(name)).toEqual([{ type: 'dns', value: name }]);
  },
);

// RFC 1035 section 2.3.4: no resolver can be asked for them.
test.each([
  `${label}a.example.com`,
  `*.${label}a.example.com`,
  `${label}.${label}.${label}.${'b'.repeat(62)}`,
  'a..b',
  'a.',
  'a\0.example.com',
  'a b.example.com',
  '*',
  'x.*.example.com',
])('%j is none', (name) => {
  expect(() => read(name)).toThrow(/cannot be certified/);
});
