import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { durationProblem, formatDuration, hourMs, minuteMs, parseDuration, secondMs } from './duration.ts';
import { Fault } from './fault.ts';

test.each([
  ['2160h', 2160 * hourMs],
  ['48h0m0s', 48 * hourMs],
  ['1h30m', 90 * minuteMs],
  ['1.5h', 90 * minuteMs],
  ['90d', 90 * 24 * hourMs],
  ['250ms', 250],
  ['-5s', -5 * secondMs],
  ['0', 0],
])('reads %s', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '5', 'h', '1x', '1h ', ' 1h', '1h2', '--1h', '1e3s', '1hm'])('refuses %j', (text) => {
  expect(() => parseDuration(text)).toThrow(Fault);
});

test.each([
  [48 * hourMs, '48h0m0s'],
  [90 * secondMs, '1m30s'],
  [1_500, '1.5s'],
  [250, '250ms'],
  [0, '0s'],
  [-secondMs, '-1s'],
])('prints %d ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('what is printed reads back as the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 3);
    }),
  );
});

test('never fails with anything but a fault', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        expect(typeof parseDuration(text)).toBe('number');
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
  );
});

test.each([
  ['', 'time: invalid duration ""'],
  ['soon', 'time: invalid duration "soon"'],
  ['1.5', 'time: missing unit in duration "1.5"'],
  ['1h30', 'time: missing unit in duration "1h30"'],
  ['1zz', 'time: unknown unit "zz" in duration "1zz"'],
])('Go says of %j: %s', (text, problem) => {
  expect(durationProblem(text)).toBe(problem);
});

test.each(['1', '1.', '.1', '1h'])('what is none is told to be none however long it is: %s', (part) => {
  const text = `${part.repeat(500_000)}x`;
  expect(() => parseDuration(text)).toThrow('is not a duration');
  expect(durationProblem(text)).toMatch(/^time: (invalid|missing unit|unknown unit)/);
});
