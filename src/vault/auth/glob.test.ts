import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesGlob } from './glob.ts';

test('a glob matches what the expression matches that it stands for', () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
  fc.assert(
    fc.property(part, part, (pattern, text) => {
      const parts = pattern.split('*').map((literal) => literal.replaceAll('.', '\\.'));
      const expression = new RegExp(`^${parts.join('.*')}$`, 's');
      expect(matchesGlob(pattern, text)).toBe(expression.test(text));
    }),
    { numRuns: 5_000 },
  );
});

test('many stars cost no more than few', () => {
  expect(matchesGlob(`${'*a'.repeat(2_000)}b`, 'a'.repeat(50_000))).toBe(false);
});
