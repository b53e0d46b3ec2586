import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededEntropy, systemEntropy } from '../../base/entropy.ts';
import { combineShares, splitSecret } from './shamir.ts';

const secrets = fc.uint8Array({ minLength: 1, maxLength: 40 });
const schemes = fc
  .tuple(fc.integer({ min: 2, max: 12 }), fc.integer({ min: 0, max: 10 }))
  .map(([threshold, more]) => ({ threshold, shares: threshold + more }));

test('any of the shares, threshold or more and in any order, give the secret', () => {
  const chosen = fc
    .tuple(secrets, schemes, fc.string())
    .chain(([secret, scheme, seed]) =>
      fc
        .shuffledSubarray(splitSecret(secret, scheme, seededEntropy(seed)), { minLength: scheme.threshold })
        .map((parts) => ({ secret, parts })),
    );
  fc.assert(
    fc.property(chosen, ({ secret, parts }) => {
      expect([...combineShares(parts)]).toEqual([...secret]);
    }),
  );
});

test('one share too few leaves every secret equally possible', () => {
  // For two parts of a secret of one byte that takes three: each third value at x = 3 gives another secret.
  const parts = splitSecret(Buffer.from([7]), { shares: 3, threshold: 3 }, seededEntropy('s')).slice(0, 2);
  const possible = Array.from({ length: 256 }, (_, y) => combineShares([...parts, Buffer.from([y, 3])])[0]);
  expect(new Set(possible).size).toBe(256);
});

test('fewer shares do not give the secret', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.integer({ min: 3, max: 8 }),
      (secret, threshold) => {
        const parts = splitSecret(secret, { shares: 8, threshold }, systemEntropy);
        expect([...combineShares(parts.slice(0, threshold - 1))]).not.toEqual([...secret]);
      },
    ),
  );
});

test('an altered share gives another secret, and says nothing', () => {
  fc.assert(
    fc.property(
      secrets,
      schemes,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (secret, scheme, position, difference) => {
        const parts = splitSecret(secret, scheme, seededEntropy('altered')).slice(0, scheme.threshold);
        parts[0]![position % secret.length]! ^= difference;
        const combined = combineShares(parts);
        expect(combined.length).toBe(secret.length);
        expect([...combined]).not.toEqual([...secret]);
      },
    ),
  );
});

/** Made by OpenBao 2.6.2 (`operator init -key-shares=3 -key-threshold=2`), of an unseal key that it never tells. */
const foreign = [
  'xHpW/6W/l1xIyFGQuI0kHKx5qmwDOBwMQSmUIWZ7yKa+',
  'Fa4t6xcGNUPzr2zFO9kYUkspweX6SgW49m8dTXl2Se4l',
  '9KxuSoLfc64TqQWUURngnI+bUVJCfKNmgEWqB5RxGmt4',
].map((text) => Buffer.from(text, 'base64'));

test('shares of another maker, whose coordinates are drawn, agree on one secret', () => {
  const secret = combineShares(foreign);
  expect(secret.length).toBe(32);
  for (const left of foreign) expect(combineShares(foreign.filter((part) => part !== left))).toEqual(secret);
});

test('arithmetic is that of the AES field', () => {
  // FIPS 197 section 4.2: {57} x {83} = {c1}. The line y = 0x57 x through x = 0x83 with y = 0xc1, and at zero 0.
  const other = Buffer.from([0x57, 1]);
  expect(combineShares([Buffer.from([0xc1, 0x83]), other])).toEqual(Buffer.from([0]));
});

test('numbers and parts that make no sense are refused', () => {
  const split = (shares: number, threshold: number, secret = Buffer.from('s')) =>
    splitSecret(secret, { shares, threshold }, systemEntropy);
  expect(() => split(5, 1)).toThrow('threshold must be at least 2');
  expect(() => split(2, 3)).toThrow('parts cannot be less than threshold');
  expect(() => split(256, 3)).toThrow('parts cannot exceed 255');
  expect(() => split(5, 3, Buffer.alloc(0))).toThrow('empty');
  expect(split(255, 255)).toHaveLength(255);
  const bytes = (...values: number[]) => Buffer.from(values);
  expect(() => combineShares([bytes(1, 1)])).toThrow('less than two parts');
  expect(() => combineShares([bytes(1), bytes(2)])).toThrow('at least two bytes');
  expect(() => combineShares([bytes(1, 1), bytes(1, 2, 3)])).toThrow('the same length');
  expect(() => combineShares([bytes(1, 1), bytes(2, 1)])).toThrow('duplicate part');
  expect(() => combineShares([bytes(1, 0), bytes(2, 1)])).toThrow('no coordinate');
});
