import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededEntropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { silentLog } from '../../base/log.ts';
import { invalidRequest } from '../faults.ts';
import { sameSecret } from './key-shares.ts';
import { Rekey } from './rekey.ts';
import { combineShares } from './shamir.ts';
import { type ShareCount, sharesOf } from './share-count.ts';

/** What a mixed crowd may do to a rekey, each with what it has: shares that are good, old, altered or of another key. */
type Step =
  | { does: 'init'; count: ShareCount; verify: boolean }
  | { does: 'update'; share: number; from: 'present' | 'told' | 'altered' }
  | { does: 'verify'; share: number; from: 'present' | 'told' | 'altered' }
  | { does: 'cancel' }
  | { does: 'restart' };

const counts = fc.constantFrom(
  { shares: 1, threshold: 1 },
  { shares: 2, threshold: 2 },
  { shares: 3, threshold: 2 },
);
const sources = ['present', 'told', 'altered'] as const;
const giving = <Does extends 'update' | 'verify'>(does: Does, usual: 'present' | 'told') =>
  fc.record({
    does: fc.constant(does),
    share: fc.nat(2),
    from: fc.oneof(
      { weight: 6, arbitrary: fc.constant(usual) },
      { weight: 1, arbitrary: fc.constantFrom(...sources) },
    ),
  });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('init' as const), count: counts, verify: fc.boolean() }),
  },
  { weight: 6, arbitrary: giving('update', 'present') },
  { weight: 6, arbitrary: giving('verify', 'told') },
  { weight: 1, arbitrary: fc.constantFrom({ does: 'cancel' as const }, { does: 'restart' as const }) },
);

function rebuilt(shares: readonly Buffer[], { threshold }: ShareCount): Buffer {
  return threshold === 1 ? Buffer.from(shares[0]!) : combineShares(shares.slice(-threshold));
}

test('whatever is given in whatever order, the key in force is one that enough of its holders were told, and gave back where that was asked', async () => {
  /** Over all runs, with verification and without: else nothing would be shown. */
  const ends = { verified: 0, unverified: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const entropy = seededEntropy('model');
      let count: ShareCount = { shares: 3, threshold: 2 };
      let key = entropy.bytes(32);
      let present = sharesOf(key, count, entropy);
      let told: { shares: Buffer[]; count: ShareCount } | undefined;
      let asked: { count: ShareCount; verify: boolean } | undefined;
      /** Good shares that were taken, by place, since the last time that they were dropped. */
      const given = { update: new Set<number>(), verify: new Set<number>() };
      let replaced = 0;
      const rekey = new Rekey(
        {
          name: 'barrier',
          required: () => count.threshold,
          async check(offered) {
            if (!sameSecret(offered, key)) throw invalidRequest('not the key');
            expect(given.update.size).toBeGreaterThanOrEqual(count.threshold);
          },
          async replace(next, nextCount) {
            replaced += 1;
            ends[asked!.verify ? 'verified' : 'unverified'] += 1;
            if (asked!.verify) expect(given.verify.size).toBeGreaterThanOrEqual(nextCount.threshold);
            key = Buffer.from(next);
            count = nextCount;
          },
        },
        { entropy, log: silentLog },
      );
      const offer = async (does: 'update' | 'verify', share: Buffer, good: number | undefined) => {
        if (good !== undefined) given[does].add(good);
        const before = replaced;
        if (does === 'update') {
          const done = await rekey.update(share, rekey.status().nonce);
          if (done) told = { shares: done.shares.map((each) => Buffer.from(each)), count: asked!.count };
        } else await rekey.verify(share, rekey.status().verificationNonce);
        // What has just come into force is what was told.
        if (replaced > before) {
          expect(sameSecret(rebuilt(told!.shares, told!.count), key)).toBe(true);
          present = told!.shares;
        }
      };
      for (const each of steps) {
        const before = { key: Buffer.from(key), replaced };
        try {
          if (each.does === 'init') {
            rekey.init(each.count, each.verify);
            asked = each;
            told = undefined;
          } else if (each.does === 'cancel') rekey.cancel();
          else if (each.does === 'restart') rekey.restartVerification();
          else {
            const from = each.from === 'told' ? (told?.shares ?? present) : present;
            const at = each.share % from.length;
            const share = Buffer.from(from[at]!);
            if (each.from === 'altered') share[0]! ^= 1;
            const own = each.does === 'update' ? present : told?.shares;
            await offer(each.does, share, each.from !== 'altered' && from === own ? at : undefined);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
          // What is refused changes nothing.
          expect([sameSecret(key, before.key), replaced]).toEqual([true, before.replaced]);
        }
        if (rekey.status().progress === 0) given.update.clear();
        if (!rekey.status().started || rekey.verification().progress === 0) given.verify.clear();
      }
      expect(sameSecret(rebuilt(present, count), key)).toBe(true);
    }),
    { numRuns: 300 },
  );
  expect(ends.verified).toBeGreaterThan(10);
  expect(ends.unverified).toBeGreaterThan(10);
});
