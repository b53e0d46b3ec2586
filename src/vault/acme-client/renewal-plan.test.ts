import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs, secondMs } from '../../base/duration.ts';
import { type Failures, failedAgain, nextRenewalStep, readSuggestion, retryAtMs } from './renewal-plan.ts';

const held = { notBefore: 0, notAfter: 90 * dayMs };
const plan = (
  nowMs: number,
  facts: Partial<Parameters<typeof nextRenewalStep>[0]> = {},
): ReturnType<typeof nextRenewalStep> =>
  nextRenewalStep({ held, suggestion: undefined, failures: undefined, ...facts }, nowMs);

test('a first one at once, then the CA is asked when it is to be renewed', () => {
  expect(plan(0, { held: undefined })).toEqual({ act: 'order' });
  expect(plan(dayMs)).toEqual({ act: 'ask' });
  const suggestion = { renewAtMs: 50 * dayMs, askAtMs: 2 * dayMs };
  expect(plan(dayMs, { suggestion })).toEqual({ act: 'wait', untilMs: 2 * dayMs });
  expect(plan(2 * dayMs, { suggestion })).toEqual({ act: 'ask' });
  expect(plan(50 * dayMs, { suggestion })).toEqual({ act: 'order' });
});

test('without a suggestion at two thirds of its life, and never after its end whatever is suggested', () => {
  const silent = { renewAtMs: undefined, askAtMs: 100 * dayMs };
  expect(plan(59 * dayMs, { suggestion: silent })).toEqual({ act: 'wait', untilMs: 60 * dayMs });
  expect(plan(60 * dayMs, { suggestion: silent })).toEqual({ act: 'order' });
  const late = { renewAtMs: 200 * dayMs, askAtMs: 200 * dayMs };
  expect(plan(80 * dayMs, { suggestion: late })).toEqual({ act: 'wait', untilMs: 85.5 * dayMs });
});

test('failures put it off, whoever was away for less than who refused', () => {
  const delays = (kind: Failures['kind'], times: number) => {
    let failures: Failures | undefined;
    return Array.from({ length: times }, () => {
      failures = failedAgain(failures, { kind, lastMs: 0, retryAfterMs: undefined });
      return retryAtMs(failures);
    });
  };
  expect(delays('away', 6).map((ms) => ms / secondMs)).toEqual([5, 10, 20, 40, 60, 60]);
  expect(delays('refused', 11).map((ms) => ms / minuteMs)).toEqual([
    ...[1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360],
  ]);
  const long = failedAgain(undefined, { kind: 'away', lastMs: 0, retryAfterMs: undefined });
  expect(
    failedAgain({ ...long, count: 100 }, { kind: 'refused', lastMs: 0, retryAfterMs: undefined }).count,
  ).toBe(1);
  const asked = failedAgain(undefined, { kind: 'refused', lastMs: 0, retryAfterMs: 3 * hourMs });
  expect(retryAtMs(asked)).toBe(3 * hourMs);
  expect(retryAtMs({ ...asked, retryAfterMs: 1e12 })).toBe(dayMs);
});

test('its end is a time to wake at, since something else is shown then', () => {
  const failures: Failures = {
    kind: 'refused',
    count: 1,
    lastMs: held.notAfter - 1_000,
    retryAfterMs: undefined,
  };
  const suggestion = { renewAtMs: undefined, askAtMs: Infinity };
  expect(plan(held.notAfter - 500, { failures, suggestion })).toEqual({
    act: 'wait',
    untilMs: held.notAfter,
  });
  expect(plan(held.notAfter, { failures, suggestion })).toEqual({
    act: 'wait',
    untilMs: failures.lastMs + minuteMs,
  });
});

test('a suggestion that makes no sense suggests nothing', () => {
  const at = { share: 0.5, nowMs: 0 };
  const window = (start: unknown, end: unknown, retryAfterMs?: number) =>
    readSuggestion({ body: { suggestedWindow: { start, end } }, retryAfterMs }, at);
  expect(window('1970-01-02T00:00:00Z', '1970-01-04T00:00:00Z', hourMs)).toEqual({
    renewAtMs: 2 * dayMs,
    askAtMs: hourMs,
  });
  expect(window('1970-01-04T00:00:00Z', '1970-01-02T00:00:00Z').renewAtMs).toBeUndefined();
  expect(window('soon', 5).renewAtMs).toBeUndefined();
  expect(readSuggestion({ body: {}, retryAfterMs: 1 }, at)).toEqual({
    renewAtMs: undefined,
    askAtMs: minuteMs,
  });
});

test('whatever the facts, it goes on: a step now, or one at a time to come', () => {
  const ms = fc.integer({ min: 0, max: 200 * dayMs });
  fc.assert(
    fc.property(
      fc.option(
        fc.tuple(ms, ms).map(([notBefore, life]) => ({ notBefore, notAfter: notBefore + life + 1 })),
        { nil: undefined },
      ),
      fc.option(fc.record({ renewAtMs: fc.option(ms, { nil: undefined }), askAtMs: ms }), { nil: undefined }),
      fc.option(
        fc.record({
          kind: fc.constantFrom('away' as const, 'refused' as const),
          count: fc.integer({ min: 1, max: 1_000 }),
          lastMs: ms,
          retryAfterMs: fc.option(ms, { nil: undefined }),
        }),
        { nil: undefined },
      ),
      ms,
      (someHeld, suggestion, failures, nowMs) => {
        const step = nextRenewalStep({ held: someHeld, suggestion, failures }, nowMs);
        if (step.act === 'wait') {
          expect(step.untilMs).toBeGreaterThan(nowMs);
          expect(step.untilMs).toBeLessThan(Infinity);
        }
      },
    ),
  );
});
