import { expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import { jsonLog, silentLog } from '../base/log.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { startController } from './controller.ts';
import { workQueue } from './work-queue.ts';

test('a reconcile that throws comes again after its backoff, with one line in the log for each attempt', async () => {
  const clock = new ManualClock();
  const queue = workQueue({ clock, initialBackoffMs: 1_000 });
  const lines: string[] = [];
  let attempts = 0;
  const controller = startController({
    name: 'bundles',
    queue,
    clock,
    log: jsonLog(clock, (line) => lines.push(line)),
    reconcile: async () => {
      attempts++;
      if (attempts < 3)
        throw new Fault('the server is away', { code: 'wire.request.refused', blame: 'peer' });
    },
  });
  queue.add('a');
  await clock.advance(0);
  expect(attempts).toBe(1);
  await clock.advance(1_000);
  expect(attempts).toBe(2);
  await clock.advance(2_000);
  expect(attempts).toBe(3);
  await clock.advance(100_000);
  expect(attempts).toBe(3);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { controller: 'bundles', key: 'a', reason: 'the server is away', attempt: 1, retryInMs: 1_000 },
    { code: 'wire.request.refused', attempt: 2, retryInMs: 2_000 },
  ]);
  expect(queue.failures('a')).toBe(0);
  await controller.close();
});

test('a reconcile may ask to be called again later', async () => {
  const clock = new ManualClock();
  const queue = workQueue({ clock });
  const calledMs: number[] = [];
  const startMs = clock.now();
  const controller = startController({
    name: 'renewals',
    queue,
    clock,
    log: silentLog,
    reconcile: async () => {
      calledMs.push(clock.now() - startMs);
      return { requeueAfterMs: 60_000 };
    },
  });
  queue.add('a');
  await clock.advance(150_000);
  expect(calledMs).toEqual([0, 60_000, 120_000]);
  await controller.close();
});

test('closing waits for the work under way and takes no more', async () => {
  const clock = new ManualClock();
  const queue = workQueue({ clock });
  const gate = Promise.withResolvers<void>();
  const done: string[] = [];
  const controller = startController({
    name: 'slow',
    queue,
    clock,
    log: silentLog,
    reconcile: async (key) => {
      await gate.promise;
      done.push(key);
    },
  });
  queue.add('a');
  queue.add('b');
  await clock.advance(0);
  const closed = controller.close();
  gate.resolve();
  await closed;
  expect(done).toEqual(['a']);
});

test('several workers never share a key', async () => {
  const clock = new ManualClock();
  const queue = workQueue({ clock });
  let atOnce = 0;
  let most = 0;
  const controller = startController({
    name: 'wide',
    queue,
    clock,
    log: silentLog,
    concurrency: 4,
    reconcile: async () => {
      most = Math.max(most, ++atOnce);
      queue.add('a');
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
    },
  });
  queue.add('a');
  for (let turn = 0; turn < 10; turn++) await clock.advance(1);
  await controller.close();
  expect(most).toBe(1);
});
