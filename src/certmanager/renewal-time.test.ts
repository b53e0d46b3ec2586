import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hourMs, minuteMs } from '../base/duration.ts';
import { nextAttemptMs, retryDelayMs } from './backoff.ts';
import { parseCron } from './cron.ts';
import type { CertificateSpec } from './kinds.ts';
import { renewalTime } from './renewal-time.ts';

const start = Date.UTC(2026, 0, 1);
const life = (hours: number) => ({ notBefore: start, notAfter: start + hours * hourMs });
const spec = (fields: Partial<CertificateSpec>): CertificateSpec => ({
  secretName: 's',
  issuerRef: { name: 'i' },
  ...fields,
});

test.each<[string, number, Partial<CertificateSpec>, number | undefined]>([
  ['the main job: 48h less 25h', 48, { renewBefore: '25h' }, 23],
  ['by default at two thirds', 48, {}, 32],
  ['renewBefore as long as the life falls back', 48, { renewBefore: '48h' }, 32],
  ['renewBefore past the life falls back', 24, { renewBefore: '25h' }, 16],
  ['a percentage of what remains', 100, { renewBeforePercentage: 25 }, 75],
  ['a percentage of 100 falls back', 90, { renewBeforePercentage: 100 }, 60],
  ['renewBefore outranks the percentage', 48, { renewBefore: '1h', renewBeforePercentage: 50 }, 47],
  ['text that is no duration falls back', 48, { renewBefore: 'soon' }, 32],
  ['disabled', 48, { renewal: { policy: 'Disabled' } }, undefined],
])('renewal: %s', (_, hours, fields, expected) => {
  const at = renewalTime(life(hours), spec(fields));
  expect(at === undefined ? undefined : (at - start) / hourMs).toBe(expected);
});

test('renewal is in whole seconds, rounded down', () => {
  expect(renewalTime({ notBefore: start, notAfter: start + 10_000 }, spec({}))).toBe(start + 6_000);
});

test('renewal always lies in the life of the certificate, and not at its end', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 60, max: 10 * 365 * 24 * 3_600 }),
      fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
      fc.option(fc.integer({ min: -10, max: 200 }), { nil: undefined }),
      (seconds, before, percentage) => {
        const lifetime = { notBefore: start, notAfter: start + seconds * 1_000 };
        const fields = {
          ...(before === undefined ? {} : { renewBefore: `${before}s` }),
          ...(percentage === undefined ? {} : { renewBeforePercentage: percentage }),
        };
        const at = renewalTime(lifetime, spec(fields))!;
        expect(at).toBeGreaterThanOrEqual(lifetime.notBefore);
        expect(at).toBeLessThan(lifetime.notAfter);
      },
    ),
  );
});

const window = (cron: string, windowDuration: string, timezone?: string) =>
  spec({
    renewBefore: '25h',
    renewal: {
      policy: 'RenewBefore',
      windows: [{ cron, windowDuration, ...(timezone === undefined ? {} : { timezone }) }],
    },
  });

test.each([
  ['an open window changes nothing', '0 22 * * *', '2h', '2026-01-01T23:00:00.000Z'],
  ['a closed one puts it off to the next', '0 4 * * *', '2h', '2026-01-02T04:00:00.000Z'],
  ['in its own zone', '0 4 * * *', '2h', '2026-01-02T03:00:00.000Z', 'Europe/Berlin'],
])('renewal windows: %s', (_, cron, duration, expected, zone?: string) => {
  expect(new Date(renewalTime(life(48), window(cron, duration, zone))!).toISOString()).toBe(expected);
});

test.each([
  ['never open before the end', '0 0 1 7 *', '2h', undefined],
  ['no cron', 'at night', '2h', undefined],
  ['no zone', '0 4 * * *', '2h', 'Mars/Olympus'],
])('windows that are of no use are told: %s', (_, cron, duration, zone) => {
  expect(() => renewalTime(life(48), window(cron, duration, zone))).toThrow(
    expect.objectContaining({ code: 'certmanager.renewal.window' }),
  );
});

test.each([
  ['*/15 * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:15:00.000Z'],
  ['5/20 8-10 * * *', '2026-01-01T00:00:00Z', '2026-01-01T08:05:00.000Z'],
  ['0 0 * * SUN', '2026-01-01T00:00:00Z', '2026-01-04T00:00:00.000Z'],
  ['0 0 13 * fri', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00.000Z'],
  ['0 12 29 feb *', '2026-01-01T00:00:00Z', '2028-02-29T12:00:00.000Z'],
  ['@hourly', '2026-01-01T00:00:00Z', '2026-01-01T01:00:00.000Z'],
])('cron %s after %s', (expression, after, expected) => {
  const afterMs = Date.parse(after);
  const next = parseCron(expression, 'UTC').next(afterMs, afterMs + 4 * 366 * 24 * hourMs);
  expect(new Date(next!).toISOString()).toBe(expected);
});

test.each(['* * * *', '60 * * * *', '0 0 0 * *', '5-1 * * * *', '*/0 * * * *', 'x * * * *', '1-2-3 * * * *'])(
  'cron refuses %s',
  (expression) => {
    expect(() => parseCron(expression, 'UTC')).toThrow(expect.objectContaining({ code: 'certmanager.cron' }));
  },
);

test('failures wait 1, 2, 4, 8, 16, 32 hours, and 32 from there on', () => {
  const hours = [1, 2, 3, 4, 5, 6, 7, 40].map(
    (failedIssuanceAttempts) =>
      (nextAttemptMs({ lastFailureTime: '2026-01-01T00:00:00Z', failedIssuanceAttempts })! - start) / hourMs,
  );
  expect(hours).toEqual([1, 2, 4, 8, 16, 32, 32, 32]);
  expect(nextAttemptMs({ lastFailureTime: '2026-01-01T00:00:00Z' })).toBe(start + hourMs);
  expect(nextAttemptMs({ lastFailureTime: '2026-01-01T00:00:00Z', failedIssuanceAttempts: -3 })).toBe(
    start + hourMs,
  );
  expect(nextAttemptMs({})).toBeUndefined();
});

test('what may pass is asked again in 5 seconds, doubling, five minutes at most', () => {
  const delays: number[] = [];
  for (let now = start; delays.length < 9; now += delays.at(-1)!) delays.push(retryDelayMs(start, now));
  expect(delays.map((delay) => delay / 1_000)).toEqual([5, 5, 10, 20, 40, 80, 160, 300, 300]);
  expect(retryDelayMs(start, start + 10 * hourMs)).toBe(5 * minuteMs);
});
