import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { randomText, seededEntropy, systemEntropy, uuid } from './entropy.ts';

test('a seed gives the same bytes again, and other bytes for another seed', () => {
  const draw = (seed: string) => seededEntropy(seed).bytes(100).toString('hex');
  expect(draw('one')).toBe(draw('one'));
  expect(draw('one')).not.toBe(draw('two'));
  const source = seededEntropy('one');
  expect(source.bytes(32)).not.toEqual(source.bytes(32));
});

test('UUIDs are of version 4 and distinct', () => {
  const drawn = Array.from({ length: 100 }, () => uuid(systemEntropy));
  for (const one of drawn)
    expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(drawn).size).toBe(100);
});

test('random text has the length and the alphabet asked for', () => {
  fc.assert(
    fc.property(
      fc.nat(200),
      fc.uniqueArray(fc.constantFrom(...'abcdefghij0123456789'.split('')), { minLength: 1 }),
      (length, letters) => {
        const text = randomText(systemEntropy, length, letters.join(''));
        expect(text).toHaveLength(length);
        for (const letter of text) expect(letters).toContain(letter);
      },
    ),
  );
});

test('random text draws every letter evenly', () => {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
  const text = randomText(seededEntropy('even'), 62_000, alphabet);
  for (const letter of alphabet) {
    const count = text.split(letter).length - 1;
    expect(count).toBeGreaterThan(800);
    expect(count).toBeLessThan(1_200);
  }
});
