import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeClient } from '../src/kube/kube-client.ts';
import {
  type Condition,
  type ConfigMap,
  configMaps,
  type KubeObject,
  namespaces,
  type Resource,
} from '../src/kube/resource.ts';
import { eventually, type TestCluster, testCluster } from './support/api-server.ts';
import { start } from './support/capstan.ts';
import { issuance } from './support/certificates.ts';

let cluster: TestCluster;
let admin: KubeClient;

beforeAll(async () => {
  cluster = await testCluster();
  admin = cluster.client('kubectl');
  await admin.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'linkerd' } });
});

afterAll(async () => {
  await cluster?.close();
});

const root = await issuance('controller-command')({ commonName: 'root' });

const certManager = { group: 'cert-manager.io', version: 'v1' };
const issuers: Resource = { ...certManager, kind: 'Issuer', plural: 'issuers', namespaced: true };
const bundles: Resource = {
  group: 'trust.cert-manager.io',
  version: 'v1alpha1',
  kind: 'Bundle',
  plural: 'bundles',
  namespaced: false,
};

const put = (resource: Resource, name: string, spec: unknown, namespace?: string) => {
  const { group, version, kind } = resource;
  const object = {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { name, ...(namespace ? { namespace } : {}) },
    spec,
  };
  return admin.create(resource, object);
};

const conditionOf = (resource: Resource, name: string, type: string, namespace?: string) =>
  eventually(async () => {
    const object = await admin.get<KubeObject & { status?: { conditions?: Condition[] } }>(
      resource,
      name,
      namespace,
    );
    return object?.status?.conditions?.find((condition) => condition.type === type);
  });

test('both controllers run alone, with their definitions, and end cleanly', async () => {
  const running = start([
    'controller',
    '--kubeconfig',
    join(cluster.home, 'kubeconfig'),
    '--install-crds',
    '--trust-namespace=linkerd',
    '--log-level=error',
  ]);
  await running.printed(/"event":"ready"/);
  const auth = { tokenSecretRef: { name: 'token', key: 'token' } };
  await put(
    issuers,
    'away',
    { vault: { server: 'http://127.0.0.1:1', path: 'pki/sign/x', auth } },
    'linkerd',
  );
  await put(bundles, 'roots', {
    sources: [{ inLine: root.pem }],
    target: { configMap: { key: 'ca-bundle.crt' } },
  });
  expect(await conditionOf(issuers, 'away', 'Ready', 'linkerd')).toMatchObject({
    status: 'False',
    reason: 'VaultError',
  });
  expect(await conditionOf(bundles, 'roots', 'Synced')).toMatchObject({ status: 'True' });
  const target = await admin.get<ConfigMap>(configMaps, 'roots', 'default');
  expect(target?.data?.['ca-bundle.crt']).toBe(root.pem.trim());
  running.child.kill('SIGTERM');
  const { status, stderr } = await running.finished;
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('without a server to install into, it says so and ends', async () => {
  writeFileSync(
    join(cluster.home, 'away'),
    cluster.kubeconfig.replace(/server: .*/, 'server: https://127.0.0.1:1'),
  );
  const { finished } = start(['controller', '--kubeconfig', join(cluster.home, 'away'), '--install-crds']);
  const { status, stderr } = await finished;
  expect(status).toBe(1);
  expect(stderr).toMatch(/^capstan: .*nothing listens on 127\.0\.0\.1:1/m);
});
