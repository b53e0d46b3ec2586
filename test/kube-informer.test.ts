import net, { type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import { kubeClient } from '../src/kube/http-kube-client.ts';
import { startInformer } from '../src/kube/informer.ts';
import type { KubeClient } from '../src/kube/kube-client.ts';
import { readKubeconfig } from '../src/kube/kubeconfig.ts';
import { type ConfigMap, configMaps, namespaces } from '../src/kube/resource.ts';
import { eventually, type TestCluster, testCluster } from './support/api-server.ts';

let cluster: TestCluster;
let admin: KubeClient;

beforeAll(async () => {
  cluster = await testCluster();
  admin = cluster.client('kubectl');
  await admin.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'app' } });
});

afterAll(() => cluster?.close());

/** A wire to the API server that can be cut. */
async function cuttableWire() {
  const open = new Set<Socket>();
  const server = net.createServer((near) => {
    const far = net.connect(cluster.api.address.port, '127.0.0.1');
    for (const socket of [near, far]) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      socket.on('error', () => {});
    }
    near.pipe(far).pipe(near);
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      for (const socket of open) socket.destroy();
    },
    close: () => server.close(),
  };
}

const configMap = (name: string, value: string): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'app', labels: { followed: 'yes' } },
  data: { value },
});

test('an informer ends up with what the server has, however often its connection is cut', async () => {
  const wire = await cuttableWire();
  const access = readKubeconfig(cluster.kubeconfig);
  const server = `https://127.0.0.1:${wire.port}`;
  const client = kubeClient({ ...access, server }, { userAgent: 'capstan-test', pageSize: 3 });
  const stop = new AbortController();
  /** What the handlers were told, put together. */
  const told = new Map<string, string>();
  const informer = startInformer<ConfigMap>({
    client,
    resource: configMaps,
    options: { namespace: 'app', labelSelector: 'followed=yes' },
    clock: { ...systemClock, after: (delayMs, act) => systemClock.after(delayMs / 100, act) },
    log: silentLog,
    signal: stop.signal,
    onChange(now, before) {
      if (now) told.set(now.metadata.name, now.data!.value!);
      else told.delete(before!.metadata.name);
    },
  });
  await informer.synced;
  for (let turn = 0; turn < 120; turn++) {
    const name = `c${turn % 9}`;
    const live = await admin.get<ConfigMap>(configMaps, name, 'app');
    if (!live) await admin.create(configMaps, configMap(name, String(turn)));
    else if (turn % 4 === 0) await admin.delete(configMaps, name, 'app');
    else if (turn % 7 === 0)
      await admin.replace(configMaps, { ...live, metadata: { ...live.metadata, labels: {} } });
    else {
      const labels = { followed: 'yes' };
      await admin.replace(configMaps, {
        ...live,
        metadata: { ...live.metadata, labels },
        data: { value: String(turn) },
      });
    }
    if (turn % 10 === 9) wire.cut();
  }
  const { items } = await admin.list<ConfigMap>(configMaps, {
    namespace: 'app',
    labelSelector: 'followed=yes',
  });
  const expected = Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data!.value!]));
  expect(items.length).toBeGreaterThan(2);
  const inStep = () => JSON.stringify(sorted(told)) === JSON.stringify(sorted(Object.entries(expected)));
  await eventually(async () => (inStep() ? true : undefined));
  expect(sorted(informer.list().map(({ metadata, data }) => [metadata.name, data!.value!] as const))).toEqual(
    sorted(Object.entries(expected)),
  );
  stop.abort();
  await informer.stopped;
  client.close();
  wire.close();
});

function sorted(entries: Iterable<readonly [string, string]>): (readonly [string, string])[] {
  return [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

test('optimistic locking and uid preconditions come through', async () => {
  const stored = await admin.create(configMaps, configMap('locked', '1'));
  await admin.replace(configMaps, { ...stored, data: { value: '2' } });
  await expect(admin.replace(configMaps, { ...stored, data: { value: '3' } })).rejects.toMatchObject({
    code: 'kube.conflict',
  });
  await expect(admin.create(configMaps, configMap('locked', '4'))).rejects.toMatchObject({
    code: 'kube.already-exists',
  });
  await expect(admin.delete(configMaps, 'locked', 'app', { uid: 'another' })).rejects.toMatchObject({
    code: 'kube.conflict',
  });
  expect(await admin.delete(configMaps, 'locked', 'app', { uid: stored.metadata.uid! })).toBe(true);
  expect(await admin.delete(configMaps, 'locked', 'app')).toBe(false);
  expect(await admin.get(configMaps, 'locked', 'app')).toBeUndefined();
});

test('a client without credentials is told so', async () => {
  const { server, ca } = readKubeconfig(cluster.kubeconfig);
  const nobody = kubeClient({ server, ca: ca! }, { userAgent: 'capstan-test' });
  await expect(nobody.list(configMaps)).rejects.toMatchObject({ code: 'kube.unauthorized' });
  nobody.close();
});
