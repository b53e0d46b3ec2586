import { expect, test } from 'vitest';
import { scaledClock, sleep } from './clock.ts';
import { hourMs } from './duration.ts';
import { ManualClock } from './manual-clock.ts';

test('a scaled clock agrees with the machine at its origin and runs faster from there', () => {
  const real = Date.now();
  const clock = scaledClock({ originMs: real - 1_000, speed: 3_600 });
  const elapsed = clock.now() - (real - 1_000);
  expect(elapsed).toBeGreaterThanOrEqual(hourMs);
  expect(elapsed).toBeLessThan(10 * hourMs);
});

test('a timer of a scaled clock comes early in real time, not early on the clock', async () => {
  const clock = scaledClock({ originMs: Date.now(), speed: 3_600 });
  const due = clock.now() + hourMs / 60;
  await sleep(clock, hourMs / 60);
  expect(clock.now()).toBeGreaterThanOrEqual(due);
});

test('a manual clock fires timers in order, each at its due time', async () => {
  const clock = new ManualClock(0);
  const fired: [string, number][] = [];
  clock.after(30, () => fired.push(['c', clock.now()]));
  clock.after(10, () => {
    fired.push(['a', clock.now()]);
    clock.after(10, () => fired.push(['b', clock.now()]));
  });
  const cancel = clock.after(20, () => fired.push(['never', clock.now()]));
  cancel();
  await clock.advance(25);
  expect(fired).toEqual([
    ['a', 10],
    ['b', 20],
  ]);
  expect(clock.nextDueMs()).toBe(30);
  await clock.advance(5);
  expect(fired.at(-1)).toEqual(['c', 30]);
});

test('sleep ends at once when it is aborted, before or meanwhile', async () => {
  const clock = new ManualClock();
  await sleep(clock, hourMs, AbortSignal.abort());
  const stop = new AbortController();
  const slept = sleep(clock, hourMs, stop.signal);
  stop.abort();
  await slept;
  expect(clock.nextDueMs()).toBeUndefined();
});
