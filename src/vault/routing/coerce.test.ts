import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration } from '../../base/duration.ts';
import * as coerce from './coerce.ts';

test.each([
  [true, true],
  ['true', true],
  ['T', true],
  [1, true],
  ['1', true],
  ['', false],
  ['false', false],
  [0, false],
  [null, false],
])('boolean of %j is %s', (value, expected) => {
  expect(coerce.boolean(value)).toBe(expected);
});

test.each([
  [5, 5],
  ['5', 5],
  ['-1', -1],
  ['0x10', 16],
  ['', 0],
  [true, 1],
])('integer of %j is %s', (value, expected) => {
  expect(coerce.integer(value)).toBe(expected);
});

test.each([
  ['48h0m0s', 172_800_000],
  ['2160h', 7_776_000_000],
  ['90d', 7_776_000_000],
  ['3600', 3_600_000],
  [3600, 3_600_000],
  [' 1m ', 60_000],
  ['', 0],
  [null, 0],
  ['-5s', -5_000],
])('duration of %j is %d ms', (value, expected) => {
  expect(coerce.durationMs(value)).toBe(expected);
});

test('reads every duration that Go prints, to the second', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 9 }), (seconds) => {
      expect(coerce.durationMs(formatDuration(seconds * 1_000))).toBe(seconds * 1_000);
      expect(coerce.durationMs(String(seconds))).toBe(seconds * 1_000);
    }),
  );
});

test('lists come as arrays, or as one text that is split only where commas part', () => {
  expect(coerce.commaList('a, b,,c')).toEqual(['a', 'b', 'c']);
  expect(coerce.commaList(['a,b', ' c '])).toEqual(['a,b', 'c']);
  expect(coerce.commaList('')).toEqual([]);
  expect(coerce.list('a,b')).toEqual(['a,b']);
  expect(coerce.list(['a', 1])).toEqual(['a', '1']);
  expect(coerce.list('')).toEqual([]);
});

test('pairs come as an object or as key=value', () => {
  expect(coerce.pairs({ a: 'b', n: 1 })).toEqual({ a: 'b', n: '1' });
  expect(coerce.pairs(['a=b=c'])).toEqual({ a: 'b=c' });
});

test('instants come in RFC 3339 or as seconds', () => {
  expect(coerce.instantMs('2027-01-31T12:00:00Z')).toBe(Date.UTC(2027, 0, 31, 12));
  expect(coerce.instantMs('2027-01-31T12:00:00+02:00')).toBe(Date.UTC(2027, 0, 31, 10));
  expect(coerce.instantMs('1800000000')).toBe(1_800_000_000_000);
});

test.each([
  [coerce.boolean, 'maybe'],
  [coerce.integer, '5x'],
  [coerce.integer, 1.5],
  [coerce.integer, {}],
  [coerce.durationMs, '5 parsecs'],
  [coerce.durationMs, []],
  [coerce.durationMs, '2562048h'],
  [coerce.durationMs, 9_223_372_037],
  [coerce.durationMs, '99999999999999999999'],
  [coerce.text, {}],
  [coerce.object, 'a'],
  [coerce.pairs, 'novalue'],
  [coerce.instantMs, '31.1.2027'],
  [coerce.instantMs, '2027-13-01T00:00:00Z'],
] as const)('%o refuses %j', (read, value) => {
  expect(() => read(value)).toThrow(expect.objectContaining({ blame: 'caller' }));
});

test.each([
  () => coerce.text({ secret: 'sesame' }),
  () => coerce.text(['sesame', 'x']),
  () => coerce.list([{ secret: 'sesame' }]),
  () => coerce.pairs('sesame'),
  () => coerce.pairs({ a: { b: 'sesame' } }),
  () => coerce.object(['sesame']),
  () => coerce.boolean({ secret: 'sesame' }),
  () => coerce.instantMs(['sesame', 'x']),
])('what does not fit is not repeated where a secret may be inside', (read) => {
  expect(read).toThrow(/^(?!.*sesame)expected /);
});
