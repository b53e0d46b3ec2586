import { expect, test } from 'vitest';
import { newMetrics } from './metrics.ts';

test('counters, gauges and histograms read as Prometheus reads them', () => {
  const metrics = newMetrics(() => 0);
  const counted = metrics.counter('requests_total', 'Requests, by what\nbecame of them.');
  counted.add({ status: '200', path: 'a"b\\c' });
  counted.add({ status: '200', path: 'a"b\\c' }, 2);
  const took = metrics.histogram('took_ms', 'How long.', [1, 10]);
  for (const ms of [0.5, 1, 7, 70]) took.observe(ms, { op: 'read' });
  let held = 3;
  metrics.gauge('held', 'Things held.', () => held);
  held = 4;
  expect(metrics.text()).toBe(`# HELP held Things held.
# TYPE held gauge
held 4
# HELP requests_total Requests, by what\\nbecame of them.
# TYPE requests_total counter
requests_total{status="200",path="a\\"b\\\\c"} 3
# HELP took_ms How long.
# TYPE took_ms histogram
took_ms_bucket{op="read",le="1"} 2
took_ms_bucket{op="read",le="10"} 3
took_ms_bucket{op="read",le="+Inf"} 4
took_ms_sum{op="read"} 78.5
took_ms_count{op="read"} 4
`);
});

test('a name is the same one again, and keeps its kind', () => {
  const metrics = newMetrics(() => 0);
  metrics.counter('a', 'A.').add();
  metrics.counter('a', 'A.').add();
  expect(metrics.text()).toContain('a 2\n');
  expect(() => metrics.gauge('a', 'A.', () => 1)).toThrow('a is a counter');
  metrics.gauge('g', 'G.', () => 1);
  metrics.gauge('g', 'G.', () => 2);
  expect(metrics.text()).toContain('g 2\n');
});
