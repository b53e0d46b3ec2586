import { expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import { silentLog } from '../base/log.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { type Informer, startInformer } from './informer.ts';
import type { KubeClient, WatchEvent } from './kube-client.ts';
import { type ConfigMap, configMaps } from './resource.ts';

type Step = WatchEvent<ConfigMap> | { end: true } | { fail: Fault };

/** A client whose lists and watches are told what to answer, and that notes what was asked. */
function scriptedClient(lists: (ConfigMap[] | Fault)[], watches: Step[][]) {
  const asked: string[] = [];
  let version = 100;
  const client = {
    async list() {
      const items = lists.shift() ?? [];
      asked.push('list');
      if (items instanceof Fault) throw items;
      version += 100;
      return { items, resourceVersion: String(version) };
    },
    async *watch(_: unknown, options: { resourceVersion: string; signal: AbortSignal }) {
      asked.push(`watch ${options.resourceVersion}`);
      for (const step of watches.shift() ?? []) {
        if ('fail' in step) throw step.fail;
        if ('end' in step) return;
        yield step;
      }
      if (options.signal.aborted) return;
      await new Promise((resolve) => options.signal.addEventListener('abort', resolve));
    },
  } as unknown as KubeClient;
  return { client, asked };
}

const object = (name: string, resourceVersion: string, uid = name): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'linkerd', resourceVersion, uid },
});

const fault = (code: string) => new Fault(code, { code, blame: 'peer' });

function follow(lists: (ConfigMap[] | Fault)[], watches: Step[][], resyncMs?: number) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const { client, asked } = scriptedClient(lists, watches);
  const told: string[] = [];
  const seen: string[][] = [];
  const informer: Informer<ConfigMap> = startInformer<ConfigMap>({
    client,
    resource: configMaps,
    clock,
    log: silentLog,
    signal: stop.signal,
    ...(resyncMs === undefined ? {} : { resyncMs }),
    onChange(now, before) {
      const version = (o?: ConfigMap) => o && `${o.metadata.name}@${o.metadata.resourceVersion}`;
      told.push(`${version(before) ?? '-'} > ${version(now) ?? '-'}`);
      seen.push(informer.list().map((o) => version(o)!));
    },
  });
  return { informer, clock, stop, asked, told, seen };
}

test('the first list is told whole: every handler sees all of it', async () => {
  const { informer, told, seen, stop } = follow([[object('a', '1'), object('b', '2')]], []);
  await informer.synced;
  expect(told).toEqual(['- > a@1', '- > b@2']);
  expect(seen).toEqual([
    ['a@1', 'b@2'],
    ['a@1', 'b@2'],
  ]);
  expect(informer.get('a', 'linkerd')?.metadata.resourceVersion).toBe('1');
  expect(informer.get('a')).toBeUndefined();
  expect(informer.list('other')).toEqual([]);
  stop.abort();
  await informer.stopped;
});

test('changes arrive, and a watch that ends is taken up where it stopped', async () => {
  const { informer, clock, asked, told, stop } = follow(
    [[object('a', '1')]],
    [
      [
        { type: 'MODIFIED', object: object('a', '201') },
        { type: 'ADDED', object: object('b', '202') },
        { type: 'BOOKMARK', object: object('', '210') },
        { end: true },
      ],
      [{ type: 'DELETED', object: object('a', '211') }, { fail: fault('wire.request.failed') }],
      [{ type: 'ADDED', object: object('a', '213', 'again') }],
    ],
  );
  await clock.advance(60_000);
  expect(asked).toEqual(['list', 'watch 200', 'watch 210', 'watch 211']);
  expect(told).toEqual(['- > a@1', 'a@1 > a@201', '- > b@202', 'a@201 > -', '- > a@213']);
  expect(informer.list().map(({ metadata }) => metadata.name)).toEqual(['b', 'a']);
  stop.abort();
});

test('after 410 everything is listed again and only the difference told', async () => {
  const { clock, asked, told, stop } = follow(
    [
      [object('a', '1'), object('b', '1'), object('c', '1')],
      [object('a', '1'), object('b', '250'), object('d', '251')],
    ],
    [[{ fail: fault('kube.expired') }]],
  );
  await clock.advance(5_000);
  expect(asked).toEqual(['list', 'watch 200', 'list', 'watch 300']);
  expect(told.slice(3)).toEqual(['b@1 > b@250', '- > d@251', 'c@1 > -']);
  stop.abort();
});

test('an object that was deleted and made anew between two lists is told as a change', async () => {
  const { clock, told, stop } = follow(
    [[object('a', '1', 'old')], [object('a', '9', 'new')]],
    [[{ fail: fault('kube.expired') }]],
  );
  await clock.advance(5_000);
  expect(told).toEqual(['- > a@1', 'a@1 > a@9']);
  stop.abort();
});

test('a server that is away is asked ever more rarely, and again often once it was back', async () => {
  const refused = fault('wire.request.refused');
  const { informer, clock, asked, stop } = follow([refused, refused, refused, [object('a', '1')]], []);
  await clock.advance(700);
  expect(asked).toHaveLength(1);
  await clock.advance(100);
  expect(asked).toHaveLength(2);
  await clock.advance(1_600);
  expect(asked).toHaveLength(3);
  await clock.advance(3_200);
  expect(asked).toEqual(['list', 'list', 'list', 'list', 'watch 200']);
  await informer.synced;
  stop.abort();
});

test('a watch that ends at once, again and again, is not opened in a circle', async () => {
  const { clock, asked, stop } = follow(
    [[]],
    Array.from({ length: 1_000 }, () => [{ end: true as const }]),
  );
  await clock.advance(60_000);
  expect(asked.length).toBeLessThan(12);
  stop.abort();
});

test('a refused watch lists again', async () => {
  const { clock, asked, stop } = follow([[], []], [[{ fail: fault('kube.timeout') }]]);
  await clock.advance(5_000);
  expect(asked).toEqual(['list', 'watch 200', 'list', 'watch 300']);
  stop.abort();
});

test('a resync tells of everything again', async () => {
  const { clock, told, stop } = follow([[object('a', '1')]], [], 3_600_000);
  await clock.advance(3_600_000);
  expect(told).toEqual(['- > a@1', 'a@1 > a@1']);
  stop.abort();
});

test('stopping before the first list rejects synced, and nothing else', async () => {
  const { informer, clock, stop } = follow([fault('wire.request.refused')], []);
  await clock.advance(100);
  stop.abort();
  await informer.stopped;
  await expect(informer.synced).rejects.toMatchObject({ code: 'kube.informer.stopped' });
  expect(clock.nextDueMs()).toBeUndefined();
});

test('a handler that throws loses nothing', async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const { client } = scriptedClient([[object('a', '1'), object('b', '2')]], []);
  let calls = 0;
  const informer = startInformer<ConfigMap>({
    client,
    resource: configMaps,
    clock,
    log: silentLog,
    signal: stop.signal,
    onChange() {
      calls++;
      throw new Error('handler');
    },
  });
  await informer.synced;
  expect(calls).toBe(2);
  stop.abort();
});

test('the answer to a write of its own counts at once, is not told again, and yields to what is newer', async () => {
  const { informer, clock, told, stop } = follow(
    [[object('a', '150')]],
    [
      [
        { type: 'MODIFIED', object: object('a', '201') },
        { type: 'DELETED', object: object('b', '202', 'before') },
        { type: 'ADDED', object: object('b', '203', 'mine') },
        { type: 'DELETED', object: object('b', '204', 'mine') },
      ],
    ],
  );
  // Before the watch has had a chance to speak.
  const learned = informer.synced.then(() => {
    informer.learn(object('a', '205'));
    informer.learn(object('b', '203', 'mine'));
    informer.learn(object('a', '100'));
  });
  await clock.advance(0);
  await learned;
  await clock.advance(1_000);
  expect(told).toEqual(['- > a@150', 'b@203 > -']);
  expect(informer.get('a', 'linkerd')?.metadata.resourceVersion).toBe('205');
  stop.abort();
});
