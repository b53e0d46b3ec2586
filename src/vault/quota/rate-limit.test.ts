import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limitFor, RateCounter, type RateLimit } from './rate-limit.ts';

const limit = (over: Partial<RateLimit>): RateLimit => ({
  name: over.path ?? 'x',
  path: '',
  rate: 2,
  intervalMs: 1_000,
  blockMs: 0,
  ...over,
});

describe('the limit that counts', () => {
  const limits = ['', 'pki/', 'pki/sign/*', 'pki/sign/web*', 'pki/sign/web', 'other/*'].map((path) =>
    limit({ path }),
  );
  test.each([
    ['sys/mounts', undefined, ''],
    ['pki/roles/', 'pki/', 'pki/'],
    ['pki/sign/mail', 'pki/', 'pki/sign/*'],
    ['pki/sign/web-2', 'pki/', 'pki/sign/web*'],
    ['pki/sign/web', 'pki/', 'pki/sign/web'],
    ['pki/sign/web/', 'pki/', 'pki/sign/web'],
  ])('of %s is the closest', (path, mount, chosen) => {
    expect(limitFor(limits, path, mount)?.path).toBe(chosen);
    expect(limitFor(limits.toReversed(), path, mount)?.path).toBe(chosen);
  });

  test('may be none', () => {
    expect(limitFor([limit({ path: 'pki/' })], 'sys/mounts', 'sys/')).toBeUndefined();
  });
});

test('a client is refused for the rest of its interval, others are not', () => {
  const counter = new RateCounter(limit({}));
  const taken = (client: string, ms: number): unknown => {
    const { allowed, remaining, resetMs } = counter.take(client, ms);
    return [allowed, remaining, resetMs];
  };
  expect(taken('a', 100)).toEqual([true, 1, 1_100]);
  expect(taken('a', 200)).toEqual([true, 0, 1_100]);
  expect(taken('a', 1_099)).toEqual([false, 0, 1_100]);
  expect(taken('b', 1_099)).toEqual([true, 1, 2_099]);
  expect(taken('a', 1_100)).toEqual([true, 1, 2_100]);
});

test('who goes over the limit is blocked for as long as was asked', () => {
  const counter = new RateCounter(limit({ rate: 1, blockMs: 5_000 }));
  expect(counter.take('a', 0).allowed).toBe(true);
  expect(counter.take('a', 10)).toEqual({ allowed: false, limit: 1, remaining: 0, resetMs: 5_010 });
  expect(counter.take('a', 5_009).allowed).toBe(false);
  expect(counter.take('a', 5_010).allowed).toBe(true);
});

test('no interval of a client holds more than the limit', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.nat(700)), { maxLength: 60 }),
      fc.integer({ min: 1, max: 5 }),
      (requests, rate) => {
        const counter = new RateCounter(limit({ rate }));
        const allowed: Record<string, { startMs: number; count: number }> = {};
        let now = 0;
        for (const [client, pause] of requests) {
          now += pause;
          const known = allowed[client];
          const window = known && now < known.startMs + 1_000 ? known : { startMs: now, count: 0 };
          allowed[client] = window;
          const { allowed: passed } = counter.take(client, now);
          expect(passed).toBe(window.count < rate);
          if (passed) window.count += 1;
        }
      },
    ),
  );
});
