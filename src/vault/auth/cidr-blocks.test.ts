import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isWithin } from '../token/bound-cidrs.ts';
import { areWithin, checkCidrBlocks } from './cidr-blocks.ts';

const ipv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((bytes) => bytes.join('.'));
const block = fc.tuple(ipv4, fc.nat(32)).map(([address, bits]) => `${address}/${bits}`);

test('a network lies in others only if each of its addresses does', () => {
  fc.assert(
    fc.property(block, fc.array(block, { maxLength: 4 }), ipv4, (inner, outer, address) => {
      if (areWithin([inner], outer) && isWithin([inner], address)) {
        expect(isWithin(outer, address)).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a network lies in itself and in any shorter one of its address', () => {
  fc.assert(
    fc.property(ipv4, fc.nat(32), fc.nat(32), (address, a, b) => {
      const [wide, narrow] = [Math.min(a, b), Math.max(a, b)];
      expect(areWithin([`${address}/${narrow}`], [`${address}/${wide}`])).toBe(true);
      if (wide < narrow) expect(areWithin([`${address}/${wide}`], [`${address}/${narrow}`])).toBe(false);
    }),
  );
});

test('families do not mix, single addresses are networks of one', () => {
  expect(areWithin(['10.0.0.1'], ['10.0.0.0/8'])).toBe(true);
  expect(areWithin(['10.0.0.0/8'], ['10.0.0.1'])).toBe(false);
  expect(areWithin(['fe80::1'], ['0.0.0.0/0'])).toBe(false);
  expect(areWithin(['fe80::/64'], ['fe80::/10'])).toBe(true);
  expect(areWithin(['10.0.0.0/8', '11.0.0.0/8'], ['10.0.0.0/7'])).toBe(true);
});

test.each(['bad', '10.0.0.1', '10.0.0.0/33', '::/129', '10.0.0/8', ''])('%j is no network', (text) => {
  expect(() => checkCidrBlocks(['10.0.0.0/8', text])).toThrow(`invalid CIDR address: ${text}`);
});
