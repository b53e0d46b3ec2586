import {
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  type V1ConfigMap,
  Watch,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, type TestCluster, testCluster } from './support/api-server.ts';
import { anchorDefinition } from './support/test-definition.ts';

let cluster: TestCluster;
let config: KubeConfig;
let core: CoreV1Api;

beforeAll(async () => {
  cluster = await testCluster();
  config = new KubeConfig();
  config.loadFromString(cluster.kubeconfig);
  core = config.makeApiClient(CoreV1Api);
});

afterAll(() => cluster?.close());

const namespace = 'default';

test('creates, reads, replaces and deletes', async () => {
  const created = await core.createNamespacedSecret({
    namespace,
    body: { metadata: { name: 'token' }, stringData: { token: 'hvs.abc' } },
  });
  expect(created.data).toEqual({ token: Buffer.from('hvs.abc').toString('base64') });
  expect(created.metadata?.creationTimestamp).toBeInstanceOf(Date);
  const read = await core.readNamespacedSecret({ namespace, name: 'token' });
  await core.replaceNamespacedSecret({
    namespace,
    name: 'token',
    body: Object.assign(read, { data: { other: 'eA==' } }),
  });
  expect((await core.readNamespacedSecret({ namespace, name: 'token' })).data).toEqual({ other: 'eA==' });
  await core.deleteNamespacedSecret({ namespace, name: 'token' });
  await expect(core.readNamespacedSecret({ namespace, name: 'token' })).rejects.toMatchObject({ code: 404 });
});

test('lists in pages', async () => {
  for (const name of ['a', 'b', 'c']) {
    await core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name, labels: { paged: 'yes' } } },
    });
  }
  const names: (string | undefined)[] = [];
  let token: string | undefined;
  do {
    const page = await core.listNamespacedConfigMap({
      namespace,
      limit: 2,
      labelSelector: 'paged=yes',
      ...(token ? { _continue: token } : {}),
    });
    names.push(...page.items.map(({ metadata }) => metadata?.name));
    token = page.metadata?.['_continue'];
  } while (token);
  expect(names).toEqual(['a', 'b', 'c']);
});

test('its informer follows', async () => {
  const informer = makeInformer<V1ConfigMap>(config, `/api/v1/namespaces/${namespace}/configmaps`, () =>
    core.listNamespacedConfigMap({ namespace }),
  );
  const seen: string[] = [];
  informer.on('add', ({ metadata }) => seen.push(`+${metadata?.name}`));
  informer.on('update', ({ metadata, data }) => seen.push(`~${metadata?.name} ${data?.['n']}`));
  informer.on('delete', ({ metadata }) => seen.push(`-${metadata?.name}`));
  await informer.start();
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'followed' } } });
  await eventually(async () => seen.includes('+followed') || undefined);
  const objects = KubernetesObjectApi.makeApiClient(config);
  await objects.patch(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'followed', namespace },
      data: { n: '1' },
    } satisfies V1ConfigMap,
    undefined,
    undefined,
    undefined,
    undefined,
    PatchStrategy.StrategicMergePatch,
  );
  await eventually(async () => seen.includes('~followed 1') || undefined);
  await core.deleteNamespacedConfigMap({ namespace, name: 'followed' });
  await eventually(async () => seen.includes('-followed') || undefined);
  await informer.stop();
});

test('applies on the server, and works with custom resources', async () => {
  const objects = KubernetesObjectApi.makeApiClient(config);
  const { loadYaml } = await import('@kubernetes/client-node');
  await objects.create(loadYaml<KubernetesObject>(anchorDefinition));
  const custom = config.makeApiClient(CustomObjectsApi);
  const at = { group: 'test.capstan.dev', version: 'v1', namespace, plural: 'anchors' };
  const body = {
    apiVersion: 'test.capstan.dev/v1',
    kind: 'Anchor',
    metadata: { name: 'bower' },
    spec: { chain: 'iron' },
  };
  await eventually(async () => {
    try {
      return (await custom.listNamespacedCustomObject(at)) as object;
    } catch {
      return undefined;
    }
  });
  const created = (await custom.createNamespacedCustomObject({ ...at, body })) as { spec: unknown };
  expect(created.spec).toEqual({ chain: 'iron', weight: 7 });
  const applied = await objects.patch(
    { ...body, metadata: { name: 'bower', namespace }, spec: { chain: 'rope' } } as unknown as V1ConfigMap,
    undefined,
    undefined,
    'tester',
    true,
    PatchStrategy.ServerSideApply,
  );
  expect((applied as unknown as { spec: unknown }).spec).toEqual({ chain: 'rope', weight: 7 });
  await expect(
    custom.createNamespacedCustomObject({ ...at, body: { ...body, metadata: { name: 'bad' }, spec: {} } }),
  ).rejects.toMatchObject({ code: 422 });
});

test('its watch resumes from the revision it saw last', async () => {
  const watch = new Watch(config);
  const { metadata } = await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: 'before' } },
  });
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'after' } } });
  const seen: string[] = [];
  const request = await watch.watch(
    `/api/v1/namespaces/${namespace}/configmaps`,
    { resourceVersion: metadata?.resourceVersion },
    (type, object: V1ConfigMap) => seen.push(`${type} ${object.metadata?.name}`),
    () => {},
  );
  await eventually(async () => seen.length > 0 || undefined);
  expect(seen).toEqual(['ADDED after']);
  request.abort();
});
