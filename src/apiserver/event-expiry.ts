import type { Clock } from '../base/clock.ts';
import { hourMs, minuteMs } from '../base/duration.ts';
import type { Log } from '../base/log.ts';
import { type ApiObject, parseObject } from './api-object.ts';
import type { ObjectStore } from './object-store.ts';
import { fieldText } from './selectors.ts';

/** As kube-apiserver's --event-ttl. */
const lifetimeMs = hourMs;
const sweepEveryMs = 5 * minuteMs;
const events = { group: '', plural: 'events' };

/** Deletes Events an hour after they last happened; the answer stops it. */
export function startEventExpiry({
  objects,
  clock,
  log,
}: {
  objects: ObjectStore;
  clock: Clock;
  log: Log;
}): () => void {
  let cancel = () => {};
  const sweep = async () => {
    for (const { key } of objects.cache(events).list('')) {
      await objects.locked(events, key, async () => {
        const stored = objects.cache(events).get(key);
        if (stored && lastSeenMs(parseObject(stored)) < clock.now() - lifetimeMs)
          await objects.delete(events, stored);
      });
    }
  };
  const sweepAndGoOn = async () => {
    try {
      await sweep();
    } catch (error) {
      log.warn('old events could not be deleted', { error: String(error) });
    }
    next();
  };
  const next = () => {
    cancel = clock.after(sweepEveryMs, () => void sweepAndGoOn());
  };
  next();
  return () => cancel();
}

function lastSeenMs(event: ApiObject): number {
  const times = ['series.lastObservedTime', 'lastTimestamp', 'eventTime', 'metadata.creationTimestamp'];
  return Math.max(...times.map((path) => Date.parse(fieldText(event, path)) || 0));
}
