import type { Clock } from '../base/clock.ts';
import { hourMs } from '../base/duration.ts';
import { describeError } from '../base/fault.ts';
import { type Log, silentLog } from '../base/log.ts';
import { refusedFor } from './api-fault.ts';
import type { KubeClient } from './kube-client.ts';
import { events, type KubeObject } from './resource.ts';

export interface EventRecorder {
  /**
   * Writes an Event about `object`; the same one again within an hour raises that one's count instead. Never
   * rejects: an event is a courtesy, and what it tells of must not fail for want of it.
   */
  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): Promise<void>;
}

/** Event, core/v1, as far as it is written here. */
export interface KubeEvent extends KubeObject {
  involvedObject: Readonly<Record<string, string>>;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  count: number;
  firstTimestamp: string;
  lastTimestamp: string;
  source: { component: string };
  reportingComponent: string;
  reportingInstance: string;
}

/** Servers keep events for an hour; an older one is not there to be counted up. */
const repeatWindowMs = hourMs;
const rememberedEvents = 4_096;
const messageLimit = 1_024;
const nameAttempts = 8;
/** Events that wait for the server; more than that are dropped, with a line in the log. */
const waitingLimit = 1_000;

export function eventRecorder(options: {
  client: KubeClient;
  clock: Clock;
  /** Who reports: `cert-manager-certificates-issuing`, `trust-manager`, ... */
  component: string;
  log?: Log;
}): EventRecorder {
  const { client, clock, component, log = silentLog } = options;
  const written = new Map<string, { event: KubeEvent; writtenMs: number }>();
  /** One event is written after the other, so that a repeat finds what it repeats. */
  let last: Promise<void> = Promise.resolve();
  let ordinal = 0;
  let waiting = 0;

  async function write(
    object: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): Promise<void> {
    const { uid = '', name, namespace = '' } = object.metadata;
    const key = JSON.stringify([object.kind, namespace, name, uid, type, reason, message]);
    const earlier = written.get(key);
    const fresh = earlier && clock.now() - earlier.writtenMs < repeatWindowMs ? earlier.event : undefined;
    const event = (fresh && (await countUp(fresh))) ?? (await create(object, type, reason, message));
    written.delete(key);
    written.set(key, { event, writtenMs: clock.now() });
    const [oldest] = written.keys();
    if (written.size > rememberedEvents && oldest !== undefined) written.delete(oldest);
  }

  async function countUp({ metadata, count }: KubeEvent): Promise<KubeEvent | undefined> {
    const patch = { count: count + 1, lastTimestamp: timestamp(clock.now()) };
    try {
      return await client.mergePatch<KubeEvent>(events, metadata, patch);
    } catch (error) {
      if (refusedFor(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async function create(
    object: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): Promise<KubeEvent> {
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const now = timestamp(clock.now());
    // The name holds the time in nanoseconds, as other recorders write it; the ordinal keeps two of one
    // millisecond apart, and two recorders of one millisecond meet at `already exists`.
    for (let attempt = 1; ; attempt++) {
      const suffix = (BigInt(clock.now()) * 1_000_000n + BigInt(ordinal++ % 1_000_000)).toString(16);
      const event: KubeEvent = {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: `${name.slice(0, 230)}.${suffix}`, namespace: namespace ?? 'default' },
        involvedObject: {
          apiVersion: object.apiVersion,
          kind: object.kind,
          name,
          ...(namespace === undefined ? {} : { namespace }),
          ...(uid === undefined ? {} : { uid }),
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
        },
        type,
        reason,
        message: message.length > messageLimit ? `${message.slice(0, messageLimit - 1)}…` : message,
        count: 1,
        firstTimestamp: now,
        lastTimestamp: now,
        source: { component },
        reportingComponent: component,
        reportingInstance: '',
      };
      try {
        return await client.create(events, event);
      } catch (error) {
        if (!refusedFor(error, 'already-exists') || attempt === nameAttempts) throw error;
      }
    }
  }

  return {
    record(object, type, reason, message) {
      const about = object.metadata.name;
      if (waiting >= waitingLimit) {
        log.warn('an event was dropped: too many wait', { reason, about });
        return Promise.resolve();
      }
      waiting++;
      last = last
        .then(() => write(object, type, reason, message))
        .catch((error: unknown) => {
          log.warn('an event was not recorded', { reason, about, error: describeError(error) });
        })
        .finally(() => waiting--);
      return last;
    },
  };
}

/** RFC 3339 in whole seconds, as metav1.Time is written. */
function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
