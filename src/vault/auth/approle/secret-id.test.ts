import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hourMs, secondMs } from '../../../base/duration.ts';
import { Fault } from '../../../base/fault.ts';
import { createRole } from './app-role.ts';
import { afterUse, isOver, planSecretId } from './secret-id.ts';

const drawn = { name: 'web', uuid: 'u', role_id: 'r', hmacKey: '' };
const roleOf = (fields: Parameters<typeof createRole>[0]) => createRole(fields, drawn, Infinity).role;
const at = { nowMs: 1_000_000, maxLeaseMs: 768 * hourMs, accessor: 'a' };

const count = fc.nat(5);
const seconds = fc.nat(5_000).map((each) => each * secondMs);
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

test('no secret id is good for more than its role allows', () => {
  fc.assert(
    fc.property(count, seconds, some(count), some(seconds), (uses, ttl, askedUses, askedTtl) => {
      const role = roleOf({ secret_id_num_uses: uses, secret_id_ttl: ttl });
      const fields = {
        ...(askedUses === undefined ? {} : { num_uses: askedUses }),
        ...(askedTtl === undefined ? {} : { ttl: askedTtl }),
      };
      try {
        const made = planSecretId(fields, role, at);
        if (uses > 0) expect(made.numUses >= 1 && made.numUses <= uses).toBe(true);
        if (ttl > 0) expect(made.ttlMs >= 1 && made.ttlMs <= ttl).toBe(true);
        expect(made.expiresMs).toBe(made.ttlMs > 0 ? at.nowMs + made.ttlMs : undefined);
        expect(isOver(made, at.nowMs + made.ttlMs)).toBe(made.ttlMs > 0);
        expect(isOver(made, at.nowMs)).toBe(false);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
        const tooMany = uses > 0 && askedUses !== undefined && (askedUses === 0 || askedUses > uses);
        const tooLong = ttl > 0 && askedTtl !== undefined && (askedTtl === 0 || askedTtl > ttl);
        expect(tooMany || tooLong).toBe(true);
      }
    }),
  );
});

test('it is used up after as many logins as it counts, and never where it counts none', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), (uses) => {
      let secretId = planSecretId({ num_uses: uses }, roleOf({}), at);
      for (let used = 1; used < uses; used++) {
        const left = afterUse(secretId, at.nowMs);
        if (left === 'used up') throw new Error(`used up after ${used} of ${uses}`);
        secretId = left;
      }
      expect(afterUse(secretId, at.nowMs)).toBe('used up');
    }),
  );
  const endless = planSecretId({}, roleOf({}), at);
  expect(afterUse(endless, at.nowMs)).toBe(endless);
});

describe('metadata', () => {
  const read = (metadata: string) => planSecretId({ metadata }, roleOf({}), at).metadata;

  test.each([
    ['', {}],
    ['{"a":"b"}', { a: 'b' }],
    [Buffer.from('{"a":"b"}').toString('base64'), { a: 'b' }],
    ['a=b', { a: 'b' }],
    ['a=b, c = d', { a: 'b', c: 'd' }],
    ['a=', { a: '' }],
  ])('%j is %j', (text, metadata) => {
    expect(read(text)).toEqual(metadata);
  });

  test.each(['a', '=b', 'a=b=c', 'a=b,', '{"a":1}', '["a"]'])('%j is refused', (text) => {
    expect(() => read(text)).toThrow('failed to parse metadata');
  });

  test('whatever the text, it is pairs of texts or a fault', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          expect(Object.values(read(text)).every((value) => typeof value === 'string')).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
    );
  });

  test('blanks, however many, are trimmed', () => {
    const blanks = ' '.repeat(1_000_000);
    expect(read(`${blanks}a${blanks}b${blanks}=${blanks}c${blanks}d${blanks}`)).toEqual({
      [`a${blanks}b`]: `c${blanks}d`,
    });
    expect(() => read(`a${blanks}b`)).toThrow('failed to parse metadata');
  });
});
