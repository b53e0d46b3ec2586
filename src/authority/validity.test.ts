import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dayMs, hourMs } from '../base/duration.ts';
import { decideValidity } from './validity.ts';

const nowMs = Date.UTC(2026, 0, 1, 12, 0, 0, 700);
const second = Date.UTC(2026, 0, 1, 12);
const limits = { defaultTtlMs: 768 * hourMs, maxTtlMs: 2_160 * hourMs };
const ask = (ttlMs: number) => ({ ttlMs, backdateMs: 30_000 });

test('begins half a minute back and lasts as long as asked, else as long as the mount says', () => {
  expect(decideValidity(ask(48 * hourMs), limits, nowMs)).toEqual({
    notBefore: second - 30_000,
    notAfter: second + 48 * hourMs,
    truncated: false,
    warnings: [],
  });
  expect(decideValidity(ask(0), limits, nowMs).notAfter).toBe(second + 768 * hourMs);
});

test('more than the mount allows is clamped, in Vault’s words', () => {
  const { notAfter, warnings } = decideValidity(ask(8_760 * hourMs), limits, nowMs);
  expect(notAfter).toBe(second + 2_160 * hourMs);
  expect(warnings).toEqual([
    'TTL "8760h0m0s" is longer than permitted maxTTL "2160h0m0s", so maxTTL is being used',
  ]);
});

test('beyond its issuer it is cut, allowed or refused, as the issuer has it', () => {
  const notAfter = second + 10 * hourMs;
  const beyond = (rule: 'truncate' | 'permit' | 'err') =>
    decideValidity(ask(dayMs), limits, nowMs, { notAfter, beyond: rule });
  expect(beyond('truncate')).toMatchObject({ notAfter, truncated: true });
  expect(beyond('permit')).toMatchObject({ notAfter: second + dayMs, truncated: false });
  expect(() => beyond('err')).toThrow(
    'cannot satisfy request, as TTL would result in notAfter of 2026-01-02T12:00:00Z that is beyond the expiration ' +
      'of the CA certificate at 2026-01-01T22:00:00Z',
  );
});

test('an issuer that is over signs nothing', () => {
  const issuer = { notAfter: nowMs - 1_000, beyond: 'truncate' as const };
  expect(() => decideValidity(ask(dayMs), limits, nowMs, issuer)).toThrow(
    /the issuer's own certificate expired/,
  );
});

test('an end may be given instead of a time, not besides one, and not before the beginning', () => {
  const notAfterMs = Date.UTC(2030, 0, 1);
  expect(decideValidity({ ...ask(0), notAfterMs }, limits, nowMs).notAfter).toBe(notAfterMs);
  expect(() => decideValidity({ ...ask(hourMs), notAfterMs }, limits, nowMs)).toThrow(
    /Either ttl or not_after/,
  );
  expect(() => decideValidity({ ...ask(0), notAfterMs: Date.UTC(2020, 0, 1) }, limits, nowMs)).toThrow(
    /Not Before \(2026-01-01T11:59:30Z\) is later than the certificate's Not After \(2020-01-01T00:00:00Z\)/,
  );
});

test('never outlives the maximum or, truncated, the issuer', () => {
  const hours = fc.integer({ min: 1, max: 5_000 }).map((n) => n * hourMs);
  fc.assert(
    fc.property(hours, hours, hours, (ttlMs, maxTtlMs, issuerLeftMs) => {
      const issuer = { notAfter: second + issuerLeftMs, beyond: 'truncate' as const };
      const { notAfter, truncated, warnings } = decideValidity(
        ask(ttlMs),
        { defaultTtlMs: hourMs, maxTtlMs },
        nowMs,
        issuer,
      );
      expect(notAfter).toBe(second + Math.min(ttlMs, maxTtlMs, issuerLeftMs));
      expect(truncated).toBe(issuerLeftMs < Math.min(ttlMs, maxTtlMs));
      expect(warnings).toHaveLength(ttlMs > maxTtlMs ? 1 : 0);
    }),
  );
});
