import { expect, test } from 'vitest';
import { isUsableFrom, isWithin, readCidrs } from './bound-cidrs.ts';

test('networks and addresses are read, one address standing for itself', () => {
  expect(readCidrs(['10.0.0.0/8', '192.0.2.1/32', '192.0.2.2', '2001:db8::/32', '::1/128'])).toEqual([
    '10.0.0.0/8',
    '192.0.2.1',
    '192.0.2.2',
    '2001:db8::/32',
    '::1',
  ]);
});

test.each(['', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10.0.0/8', 'host', '::/129', '1.2.3.4/8/8'])(
  '%j is refused',
  (text) => {
    expect(() => readCidrs([text])).toThrow(expect.objectContaining({ code: 'vault.request.invalid' }));
  },
);

test.each([
  ['10.1.2.3', ['10.0.0.0/8'], true],
  ['11.1.2.3', ['10.0.0.0/8'], false],
  ['::ffff:10.1.2.3', ['10.0.0.0/8'], true],
  ['::ffff:11.1.2.3', ['10.0.0.0/8'], false],
  ['2001:db8::5', ['10.0.0.0/8', '2001:db8::/32'], true],
  ['2001:db9::5', ['2001:db8::/32'], false],
  ['192.0.2.1', ['192.0.2.1'], true],
  ['192.0.2.2', ['192.0.2.1'], false],
  ['', ['0.0.0.0/0', '::/0'], false],
  ['10.1.2.3', [], false],
])('%j in %j: %s', (address, cidrs, expected) => {
  expect(isWithin(cidrs, address)).toBe(expected);
});

test('a token that is bound nowhere is good from anywhere', () => {
  expect(isUsableFrom({}, '')).toBe(true);
  expect(isUsableFrom({ boundCidrs: ['192.0.2.1'] }, '192.0.2.1')).toBe(true);
  expect(isUsableFrom({ boundCidrs: ['192.0.2.1'] }, '')).toBe(false);
});
