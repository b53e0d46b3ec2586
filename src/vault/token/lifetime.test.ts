import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hourMs } from '../../base/duration.ts';
import { leaseLifetime, systemLease } from './lifetime.ts';

const startMs = Date.UTC(2026, 0, 1);
const ask = { incrementMs: 0, ttlMs: 0, periodMs: 0, explicitMaxTtlMs: 0, startMs };

test('asked for, else by default, and within the maximum without a word', () => {
  expect(leaseLifetime(ask, systemLease, startMs)).toEqual({ ttlMs: 768 * hourMs, warnings: [] });
  expect(leaseLifetime({ ...ask, ttlMs: hourMs }, systemLease, startMs).ttlMs).toBe(hourMs);
  expect(leaseLifetime({ ...ask, ttlMs: hourMs, incrementMs: 2 * hourMs }, systemLease, startMs).ttlMs).toBe(
    2 * hourMs,
  );
});

test('beyond the maximum it is capped, in Vault’s words', () => {
  expect(leaseLifetime({ ...ask, ttlMs: 1_000 * hourMs }, systemLease, startMs)).toEqual({
    ttlMs: 768 * hourMs,
    warnings: ['TTL of "1000h" exceeded the effective max_ttl of "768h"; TTL value is capped accordingly'],
  });
});

test('a renewal reaches no further than the maximum from the creation', () => {
  const nowMs = startMs + 767 * hourMs + 30 * 60_000;
  expect(leaseLifetime({ ...ask, incrementMs: 2 * hourMs }, systemLease, nowMs)).toEqual({
    ttlMs: 30 * 60_000,
    warnings: ['TTL of "2h" exceeded the effective max_ttl of "30m"; TTL value is capped accordingly'],
  });
  expect(() => leaseLifetime(ask, systemLease, startMs + 768 * hourMs)).toThrow(
    'past the max TTL, cannot renew',
  );
});

test('a periodic token is renewed for ever, but for an explicit maximum', () => {
  const late = startMs + 10_000 * hourMs;
  expect(leaseLifetime({ ...ask, periodMs: 24 * hourMs }, systemLease, late).ttlMs).toBe(24 * hourMs);
  expect(leaseLifetime({ ...ask, periodMs: 1_000 * hourMs }, systemLease, startMs)).toEqual({
    ttlMs: 768 * hourMs,
    warnings: [
      'period of "1000h" exceeded the effective max_ttl of "768h"; period value is capped accordingly',
    ],
  });
  const explicit = { ...ask, periodMs: 24 * hourMs, explicitMaxTtlMs: 30 * hourMs };
  expect(leaseLifetime(explicit, systemLease, startMs + 20 * hourMs).ttlMs).toBe(10 * hourMs);
});

test('never ends after the creation plus the maximum, and warns whenever it gives less than was asked for', () => {
  const hours = fc.integer({ min: 0, max: 2_000 }).map((n) => n * hourMs);
  fc.assert(
    fc.property(
      hours,
      hours,
      hours,
      fc.integer({ min: 0, max: 767 }),
      (incrementMs, ttlMs, explicitMaxTtlMs, age) => {
        const nowMs = startMs + age * hourMs;
        const maxMs = Math.min(explicitMaxTtlMs || Infinity, systemLease.maxTtlMs);
        fc.pre(nowMs < startMs + maxMs);
        const lease = leaseLifetime({ ...ask, incrementMs, ttlMs, explicitMaxTtlMs }, systemLease, nowMs);
        const asked = incrementMs || ttlMs || systemLease.defaultTtlMs;
        expect(nowMs + lease.ttlMs).toBeLessThanOrEqual(startMs + maxMs);
        expect(lease.ttlMs).toBe(Math.min(asked, startMs + maxMs - nowMs));
        expect(lease.warnings).toHaveLength(lease.ttlMs < asked ? 1 : 0);
      },
    ),
  );
});
