import type { Clock } from '../base/clock.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import type { WorkQueue } from './work-queue.ts';

export interface ControllerOptions {
  name: string;
  queue: WorkQueue;
  /**
   * Brings what `key` names to where it should be: reads what is, decides, acts. Never runs twice at once for one
   * key. When it throws it is called again after a backoff that doubles; when it answers a delay, after that.
   */
  reconcile: (key: string) => Promise<{ requeueAfterMs?: number | undefined } | void>;
  clock: Clock;
  log: Log;
  /** How many keys are worked on at once. */
  concurrency?: number;
}

export interface Controller {
  /** Takes no further key, and resolves when those being worked on are done. */
  close(): Promise<void>;
}

/** Works through `queue` until closed. */
export function startController(options: ControllerOptions): Controller {
  const { name, queue, clock, concurrency = 1 } = options;
  const log = options.log.with({ controller: name });

  async function work(): Promise<void> {
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      await attempt(key);
      queue.done(key);
    }
  }

  async function attempt(key: string): Promise<void> {
    const startedMs = clock.now();
    try {
      const { requeueAfterMs } = (await options.reconcile(key)) ?? {};
      queue.forget(key);
      if (requeueAfterMs !== undefined) queue.addAfter(key, requeueAfterMs);
      log.debug('reconciled', { key, tookMs: clock.now() - startedMs, requeueAfterMs });
    } catch (error) {
      const retryInMs = queue.retry(key);
      log.warn('reconcile failed', {
        key,
        reason: describeError(error),
        ...(error instanceof Fault ? { code: error.code } : { stack: (error as Error)?.stack }),
        attempt: queue.failures(key),
        retryInMs,
      });
    }
  }

  const workers = Array.from({ length: concurrency }, work);
  return {
    async close() {
      queue.close();
      await Promise.all(workers);
    },
  };
}
