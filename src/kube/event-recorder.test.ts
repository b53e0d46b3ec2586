import { expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { eventRecorder, type KubeEvent } from './event-recorder.ts';
import type { KubeClient } from './kube-client.ts';
import type { KubeObject } from './resource.ts';

const bundle: KubeObject = {
  apiVersion: 'trust.cert-manager.io/v1alpha1',
  kind: 'Bundle',
  metadata: { name: 'roots', uid: 'u1', resourceVersion: '7' },
};

/** The part of an API server that keeps events. */
function eventStore() {
  const kept = new Map<string, KubeEvent>();
  const refuse = (reason: string): never => {
    throw new Fault(reason, { code: `kube.${reason}`, blame: 'caller' });
  };
  const client = {
    async create(_: unknown, event: KubeEvent) {
      if (kept.has(event.metadata.name)) refuse('already-exists');
      kept.set(event.metadata.name, event);
      return event;
    },
    async mergePatch(_: unknown, { name }: { name: string }, patch: Partial<KubeEvent>) {
      const event = kept.get(name) ?? refuse('not-found');
      const patched = { ...event, ...patch };
      kept.set(name, patched);
      return patched;
    },
  } as unknown as KubeClient;
  return { client, kept, events: () => [...kept.values()] };
}

test('an event names its object, and its repeat counts up', async () => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  const { client, events } = eventStore();
  const recorder = eventRecorder({ client, clock, component: 'trust-manager' });
  await recorder.record(bundle, 'Normal', 'Synced', 'done');
  await clock.advance(60_000);
  await recorder.record(bundle, 'Normal', 'Synced', 'done');
  await recorder.record(bundle, 'Warning', 'SourceNotFound', 'gone');
  expect(events()).toMatchObject([
    {
      metadata: { namespace: 'default', name: expect.stringMatching(/^roots\.[0-9a-f]+$/) },
      involvedObject: { kind: 'Bundle', name: 'roots', uid: 'u1' },
      count: 2,
      firstTimestamp: '2026-01-01T12:00:00Z',
      lastTimestamp: '2026-01-01T12:01:00Z',
      source: { component: 'trust-manager' },
    },
    { type: 'Warning', reason: 'SourceNotFound', count: 1 },
  ]);
});

test('an event that the server has dropped, or that is over an hour old, is written anew', async () => {
  const clock = new ManualClock();
  const { client, kept, events } = eventStore();
  const recorder = eventRecorder({ client, clock, component: 'c' });
  await recorder.record(bundle, 'Normal', 'Synced', 'done');
  kept.clear();
  await recorder.record(bundle, 'Normal', 'Synced', 'done');
  expect(events()).toMatchObject([{ count: 1 }]);
  await clock.advance(3_600_000);
  await recorder.record(bundle, 'Normal', 'Synced', 'done');
  expect(events()).toMatchObject([{ count: 1 }, { count: 1 }]);
});

test('two recorders of one moment do not collide', async () => {
  const clock = new ManualClock();
  const { client, events } = eventStore();
  const [one, two] = ['a', 'b'].map((component) => eventRecorder({ client, clock, component }));
  await Promise.all([one!.record(bundle, 'Normal', 'A', 'm'), two!.record(bundle, 'Normal', 'B', 'm')]);
  expect(events()).toHaveLength(2);
});

test('a server that refuses events harms nobody', async () => {
  const client = {
    create: () => Promise.reject(new Fault('no', { code: 'kube.forbidden', blame: 'operator' })),
  } as unknown as KubeClient;
  const recorder = eventRecorder({ client, clock: new ManualClock(), component: 'c' });
  await expect(recorder.record(bundle, 'Normal', 'A', 'm')).resolves.toBeUndefined();
});
