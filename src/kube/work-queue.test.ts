import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../base/manual-clock.ts';
import { workQueue } from './work-queue.ts';

test('a key waits once, and comes again when added while worked on', async () => {
  const queue = workQueue({ clock: new ManualClock() });
  queue.add('a');
  queue.add('a');
  queue.add('b');
  expect(queue.size).toBe(2);
  expect(await queue.next()).toBe('a');
  queue.add('a');
  expect(await queue.next()).toBe('b');
  expect(queue.size).toBe(0);
  queue.done('a');
  expect(await queue.next()).toBe('a');
});

test('a waiting worker gets the key that comes', async () => {
  const queue = workQueue({ clock: new ManualClock() });
  const taken = queue.next();
  queue.add('a');
  expect(await taken).toBe('a');
  expect(queue.size).toBe(0);
});

test('of several delays the earliest counts', async () => {
  const clock = new ManualClock();
  const queue = workQueue({ clock });
  queue.addAfter('a', 5_000);
  queue.addAfter('a', 1_000);
  queue.addAfter('a', 9_000);
  await clock.advance(999);
  expect(queue.size).toBe(0);
  await clock.advance(1);
  expect(queue.size).toBe(1);
  expect(clock.nextDueMs()).toBeUndefined();
});

test('retries double up to the limit, and start over once forgotten', () => {
  const queue = workQueue({ clock: new ManualClock(), initialBackoffMs: 100, maxBackoffMs: 1_000 });
  expect([1, 2, 3, 4, 5, 6].map(() => queue.retry('a'))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(queue.failures('a')).toBe(6);
  queue.forget('a');
  expect(queue.retry('a')).toBe(100);
});

test('closing ends the waiting and drops the timers', async () => {
  const clock = new ManualClock();
  const queue = workQueue({ clock });
  const taken = queue.next();
  queue.addAfter('a', 1_000);
  queue.close();
  expect(await taken).toBeUndefined();
  expect(clock.nextDueMs()).toBeUndefined();
  queue.add('b');
  expect(await queue.next()).toBeUndefined();
});

test('whatever the order of calls, no key is worked on twice at once and none that was added is lost', async () => {
  const key = fc.constantFrom('a', 'b', 'c');
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), key }),
    fc.record({ do: fc.constant('delay' as const), key }),
    fc.record({ do: fc.constant('take' as const), key }),
    fc.record({ do: fc.constant('done' as const), key }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = new ManualClock();
      const queue = workQueue({ clock });
      const working = new Set<string>();
      /** Keys changed since their last take. */
      const dirty = new Set<string>();
      const take = async () => {
        const taken = (await queue.next())!;
        expect(working.has(taken)).toBe(false);
        working.add(taken);
        dirty.delete(taken);
      };
      for (const { do: what, key } of steps) {
        if (what === 'add') queue.add(key);
        if (what === 'delay') {
          queue.addAfter(key, 10);
          await clock.advance(10);
        }
        if (what === 'add' || what === 'delay') dirty.add(key);
        if (what === 'take' && queue.size > 0) await take();
        if (what === 'done' && working.delete(key)) queue.done(key);
      }
      for (const key of [...working]) {
        working.delete(key);
        queue.done(key);
      }
      while (queue.size > 0) await take();
      expect([...dirty]).toEqual([]);
    }),
  );
});
