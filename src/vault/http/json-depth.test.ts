import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDeeperThan } from './json-depth.ts';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test('the depth of any JSON is told as from its parsed value', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.integer({ min: 1, max: 8 }), (json, limit) => {
      expect(isDeeperThan(Buffer.from(json), limit)).toBe(depthOf(JSON.parse(json)) > limit);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['[[]]', 1, true],
  ['  {"a":{}}', 1, true],
  ['{"a":"[[[["}', 1, false],
  ['{"a":"\\"[[["}', 1, false],
  ['[],[]', 1, false],
  ['a=[[[[', 1, false],
  ['['.repeat(100_000), 300, true],
])('%s at most %d deep: %j', (text, limit, deeper) => {
  expect(isDeeperThan(Buffer.from(text), limit)).toBe(deeper);
});
