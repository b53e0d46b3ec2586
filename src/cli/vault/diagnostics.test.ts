import { expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { processMetrics, systemDiagnostics } from './diagnostics.ts';

test('a profile is one that viewers of V8 profiles read, and two at once follow one another', async () => {
  const { profile } = systemDiagnostics(systemClock);
  for (const taken of await Promise.all([profile(20), profile(20)])) {
    const { nodes, startTime, endTime } = JSON.parse(taken.toString()) as Record<string, unknown>;
    expect(nodes).toBeInstanceOf(Array);
    expect(endTime).toBeGreaterThan(startTime as number);
  }
});

test('the machine and the process have sizes', () => {
  const { cpu, memory } = systemDiagnostics(systemClock).host();
  expect([cpu.length > 0, memory.total]).toEqual([true, expect.any(Number)]);
  expect(processMetrics().text()).toMatch(/^process_resident_memory_bytes [1-9]\d{6,}$/m);
});
