import { Session } from 'node:inspector/promises';
import { arch, cpus, freemem, hostname, platform, release, totalmem, uptime } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Clock, sleep } from '../../base/clock.ts';
import { type Metrics, newMetrics } from '../../base/metrics.ts';
import type { Diagnostics } from '../../vault/sys/diagnostics.ts';

/** This process and its machine. */
export function systemDiagnostics(clock: Clock): Diagnostics {
  let profiling: Promise<unknown> = Promise.resolve();
  return {
    host: () => ({
      cpu: cpus().map(({ model, speed }, cpu) => ({ cpu, cores: 1, modelName: model, mhz: speed })),
      host: {
        hostname: hostname(),
        uptime: Math.floor(uptime()),
        os: platform(),
        kernelVersion: release(),
        kernelArch: arch(),
      },
      memory: {
        total: totalmem(),
        free: freemem(),
        used: totalmem() - freemem(),
        usedPercent: (100 * (totalmem() - freemem())) / totalmem(),
      },
    }),
    profile(durationMs) {
      // The inspector keeps one profile at a time.
      const taken = profiling.then(() => profile(clock, durationMs));
      profiling = taken.catch(() => {});
      return taken;
    },
  };
}

async function profile(clock: Clock, durationMs: number): Promise<Buffer> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await sleep(clock, durationMs);
    const { profile: taken } = await session.post('Profiler.stop');
    return Buffer.from(JSON.stringify(taken));
  } finally {
    session.disconnect();
  }
}

/** Metrics of this process, under the names that Prometheus's own clients use. */
export function processMetrics(): Metrics {
  const metrics = newMetrics(() => performance.now());
  const delay = monitorEventLoopDelay();
  delay.enable();
  metrics.gauge('process_cpu_seconds_total', 'CPU time spent, in seconds.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.gauge('process_resident_memory_bytes', 'Memory in use.', () => process.memoryUsage.rss());
  metrics.gauge(
    'process_start_time_seconds',
    'When the process started, in seconds since the epoch.',
    () => performance.timeOrigin / 1_000,
  );
  metrics.gauge(
    'nodejs_heap_size_used_bytes',
    'JavaScript memory in use.',
    () => process.memoryUsage().heapUsed,
  );
  metrics.gauge(
    'nodejs_eventloop_lag_p99_seconds',
    'How late timers ran since the last scrape, at the 99th percentile.',
    () => {
      const p99 = delay.percentile(99) / 1e9;
      delay.reset();
      return p99;
    },
  );
  return metrics;
}
