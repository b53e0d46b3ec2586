import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ApiServer, startApiServer } from '../src/apiserver/server.ts';
import { minuteMs, secondMs } from '../src/base/duration.ts';
import { systemEntropy } from '../src/base/entropy.ts';
import { silentLog } from '../src/base/log.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { memoryStore } from '../src/store/memory.ts';
import { type RawApi, rawApi } from './support/raw-api.ts';

let server: ApiServer;
let api: RawApi;
let clock: ManualClock;

beforeEach(async () => {
  // TLS judges certificates by the machine's clock, so the manual one starts there.
  clock = new ManualClock(Date.now());
  server = await startApiServer({
    store: memoryStore(),
    clock,
    entropy: systemEntropy,
    log: silentLog,
    listen: { host: '127.0.0.1', port: 0 },
  });
  api = await rawApi(server);
});

afterEach(async () => {
  api.close();
  await server.close();
});

const path = '/api/v1/namespaces/default/configmaps';

function configMap(name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data };
}

async function create(name: string, data?: Record<string, string>, labels?: Record<string, string>) {
  const { status, body } = await api.send('POST', path, configMap(name, data, labels));
  expect(status).toBe(201);
  return body;
}

test('a list and the watch from its revision miss nothing and repeat nothing', async () => {
  await create('a');
  const { body: list } = await api.send('GET', path);
  await create('b');
  const watch = await api.watch(`${path}?watch=1&resourceVersion=${list.metadata.resourceVersion}`);
  await create('c');
  await api.send('DELETE', `${path}/a`);
  const events = [await watch.next(), await watch.next(), await watch.next()];
  expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
    'ADDED b',
    'ADDED c',
    'DELETED a',
  ]);
  const revisions = events.map(({ object }) => Number(object.metadata.resourceVersion));
  expect(revisions).toEqual(revisions.toSorted((one, other) => one - other));
  watch.stop();
});

test('without a revision a watch begins with what there is', async () => {
  await create('a');
  const watch = await api.watch(`${path}?watch=true&fieldSelector=metadata.name%3Da`);
  expect(await watch.next()).toMatchObject({
    type: 'ADDED',
    object: { kind: 'ConfigMap', metadata: { name: 'a' } },
  });
  watch.stop();
});

test('a streaming list ends its initial events with an annotated bookmark', async () => {
  await create('a');
  const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const watch = await api.watch(`${path}?${query}&labelSelector=none%21%3Dset`);
  const names: string[] = [];
  let event = await watch.next();
  for (; event.type === 'ADDED'; event = await watch.next()) names.push(event.object.metadata.name);
  expect(names).toEqual(['a', 'kube-root-ca.crt']);
  expect(event).toMatchObject({
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  });
  watch.stop();
  const refused = await api.send('GET', `${path}?watch=1&sendInitialEvents=true`);
  expect(refused).toMatchObject({ status: 422, body: { reason: 'Invalid' } });
});

test('an object that leaves the selection is deleted for that watcher, and added when it comes back', async () => {
  await create('a', {}, { tier: 'gold' });
  const watch = await api.watch(`${path}?watch=1&labelSelector=tier%3Dgold`);
  expect((await watch.next()).type).toBe('ADDED');
  for (const tier of ['lead', 'gold']) {
    const patch = { metadata: { labels: { tier } } };
    await api.send('PATCH', `${path}/a`, patch, { 'content-type': 'application/merge-patch+json' });
  }
  const left = await watch.next();
  expect(left).toMatchObject({ type: 'DELETED', object: { metadata: { labels: { tier: 'gold' } } } });
  expect(await watch.next()).toMatchObject({
    type: 'ADDED',
    object: { metadata: { labels: { tier: 'gold' } } },
  });
  watch.stop();
});

test('bookmarks come every minute and just before the deadline, which ends the watch', async () => {
  const { body: list } = await api.send('GET', path);
  const at = list.metadata.resourceVersion;
  const watch = await api.watch(
    `${path}?watch=1&allowWatchBookmarks=1&timeoutSeconds=90&resourceVersion=${at}`,
  );
  const { body: namespace } = await api.send('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'elsewhere' },
  });
  await clock.advance(minuteMs);
  const bookmark = await watch.next();
  expect(bookmark.type).toBe('BOOKMARK');
  // One counter for all kinds: what happened to others counts as well.
  expect(Number(bookmark.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(
    Number(namespace.metadata.resourceVersion),
  );
  await clock.advance(28 * secondMs);
  expect((await watch.next()).type).toBe('BOOKMARK');
  await clock.advance(2 * secondMs);
  await watch.ended;
});

test('pages stay at the revision of the first', async () => {
  for (const name of ['a', 'b', 'c', 'd']) await create(name, { at: 'first' });
  const { body: first } = await api.send('GET', `${path}?limit=2`);
  expect(first.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(['a', 'b']);
  expect(first.metadata.remainingItemCount).toBe(3);
  await api.send('DELETE', `${path}/c`);
  await create('bb');
  const patch = { data: { at: 'second' } };
  await api.send('PATCH', `${path}/d`, patch, { 'content-type': 'application/merge-patch+json' });
  const { body: second } = await api.send('GET', `${path}?limit=9&continue=${first.metadata.continue}`);
  expect(second.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
    'c',
    'd',
    'kube-root-ca.crt',
  ]);
  expect(second.items[1].data).toEqual({ at: 'first' });
  expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  expect(second.metadata).not.toHaveProperty('continue');
});

test('history ends: an old revision is gone, and an old page can be finished inconsistently', async () => {
  for (const name of ['a', 'b']) await create(name);
  const { body: first } = await api.send('GET', `${path}?limit=1`);
  const old = first.metadata.resourceVersion;
  await clock.advance(10 * minuteMs);
  for (let n = 0; n < 1_001; n++) {
    const patch = { data: { n: String(n) } };
    await api.send('PATCH', `${path}/a`, patch, { 'content-type': 'application/merge-patch+json' });
    if (n === 0) await clock.advance(10 * minuteMs);
  }
  const watch = await api.send('GET', `${path}?watch=1&resourceVersion=${old}`);
  expect(watch).toMatchObject({ status: 410, body: { reason: 'Expired' } });
  const page = await api.send('GET', `${path}?limit=1&continue=${first.metadata.continue}`);
  expect(page).toMatchObject({ status: 410, body: { reason: 'Expired' } });
  const { body: rest } = await api.send('GET', `${path}?continue=${page.body.metadata.continue}`);
  expect(rest.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
    'b',
    'kube-root-ca.crt',
  ]);
});

test('a revision that is not there yet is waited for, then answered with a retry', async () => {
  const { body } = await api.send('GET', path);
  const next = Number(body.metadata.resourceVersion) + 1;
  const waiting = api.send('GET', `${path}?resourceVersion=${next}`);
  await create('a');
  expect((await waiting).status).toBe(200);
  const late = api.send('GET', `${path}?resourceVersion=${next + 1_000}`);
  const deadline = setInterval(() => void clock.advance(secondMs), 5);
  expect(await late).toMatchObject({
    status: 504,
    body: { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } },
  });
  clearInterval(deadline);
});

test('an exact revision shows the past', async () => {
  const first = await create('a', { at: 'first' });
  const patch = { data: { at: 'second' } };
  await api.send('PATCH', `${path}/a`, patch, { 'content-type': 'application/merge-patch+json' });
  const { resourceVersion } = first.metadata;
  const { body } = await api.send(
    'GET',
    `${path}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`,
  );
  expect(body.items.find((item: { metadata: { name: string } }) => item.metadata.name === 'a').data).toEqual({
    at: 'first',
  });
});

test('a Table names its columns once, and watches continue it', async () => {
  await create('a', { one: '1', two: '2' });
  const accept = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
  const { body: table } = await api.send('GET', path, undefined, accept);
  expect(table).toMatchObject({
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    rows: [
      { cells: ['a', 2, '0s'], object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } } },
      { cells: ['kube-root-ca.crt', 1, '0s'] },
    ],
  });
  expect(table.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual(['Name', 'Data', 'Age']);
  const watch = await api.watch(`${path}?watch=1&resourceVersion=${table.metadata.resourceVersion}`, accept);
  await create('b');
  await create('c');
  expect((await watch.next()).object).toMatchObject({ kind: 'Table', rows: [{ cells: ['b', 0, '0s'] }] });
  expect((await watch.next()).object.columnDefinitions).toBeNull();
  watch.stop();
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' };
  const refused = await api.send('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', review, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  expect(refused.status).toBe(406);
});

test('objects can be had as YAML, times and truth values quoted', async () => {
  const created = await create('a', { on: 'yes' });
  const { headers, body } = await api.send('GET', `${path}/a`, undefined, { accept: 'application/yaml' });
  expect(headers['content-type']).toBe('application/yaml');
  expect(body).toContain(`creationTimestamp: "${created.metadata.creationTimestamp}"`);
  expect(body).toContain('"on": "yes"');
  expect(parse(body)).toEqual(created);
});

test('metadata alone can be listed and watched', async () => {
  await create('a', { heavy: 'load' });
  const { body: list } = await api.send('GET', path, undefined, {
    accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json',
  });
  expect(list.kind).toBe('PartialObjectMetadataList');
  expect(list.items[0]).toEqual({
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: expect.objectContaining({ name: 'a' }),
  });
  const watch = await api.watch(`${path}?watch=1`, {
    accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json',
  });
  expect((await watch.next()).object).not.toHaveProperty('data');
  watch.stop();
});
