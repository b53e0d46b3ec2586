import { expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs, secondMs } from '../base/duration.ts';
import { ageSince, humanDuration } from './human-duration.ts';

// The cases of k8s.io/apimachinery/pkg/util/duration.
test.each([
  [-2 * secondMs, '<invalid>'],
  [-1 * secondMs, '0s'],
  [0, '0s'],
  [secondMs - 1, '0s'],
  [119 * secondMs, '119s'],
  [2 * minuteMs, '2m'],
  [2 * minuteMs + secondMs, '2m1s'],
  [10 * minuteMs, '10m'],
  [179 * minuteMs, '179m'],
  [3 * hourMs, '3h'],
  [7 * hourMs + 59 * minuteMs, '7h59m'],
  [47 * hourMs, '47h'],
  [2 * dayMs, '2d'],
  [7 * dayMs + 23 * hourMs, '7d23h'],
  [8 * dayMs, '8d'],
  [729 * dayMs, '729d'],
  [730 * dayMs, '2y'],
  [2 * 365 * dayMs + dayMs, '2y1d'],
  [8 * 365 * dayMs, '8y'],
])('%i ms is %s', (ms, text) => {
  expect(humanDuration(ms)).toBe(text);
});

test('an age needs a time', () => {
  expect(ageSince(undefined, 0)).toBe('<unknown>');
  expect(ageSince('soon', 0)).toBe('<invalid>');
  expect(ageSince('1970-01-01T00:00:00Z', 5 * secondMs)).toBe('5s');
});
