import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
  secrets,
} from '../src/kube/resource.ts';
import { eventually, type TestCluster, testCluster } from './support/api-server.ts';
import { start } from './support/capstan.ts';

let cluster: TestCluster;
let admin: KubeClient;
const folder = mkdtempSync(join(tmpdir(), 'capstan-controller-'));

beforeAll(async () => {
  cluster = await testCluster();
  admin = cluster.client('kubectl');
  writeFileSync(join(folder, 'config'), cluster.kubeconfig);
  await admin.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'linkerd' } });
});

afterAll(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true });
});

const certManager = { group: 'cert-manager.io', version: 'v1' };
const issuers: Resource = { ...certManager, kind: 'Issuer', plural: 'issuers', namespaced: true };
const certificates: Resource = {
  ...certManager,
  kind: 'Certificate',
  plural: 'certificates',
  namespaced: true,
};
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

const conditionHolds = (resource: Resource, name: string, type: string, namespace?: string) =>
  eventually(async () => {
    const object = await admin.get<KubeObject & { status?: { conditions?: Condition[] } }>(
      resource,
      name,
      namespace,
    );
    return object?.status?.conditions?.find(
      (condition) => condition.type === type && condition.status === 'True',
    );
  });

test('both controllers run alone: a Certificate is issued, its root distributed, and the end is clean', async () => {
  const running = start([
    'controller',
    '--kubeconfig',
    join(folder, 'config'),
    '--install-crds',
    '--trust-namespace=linkerd',
    '--log-level=warn',
  ]);
  await running.printed(/"event":"ready"/);
  await put(issuers, 'own', { selfSigned: {} }, 'linkerd');
  await conditionHolds(issuers, 'own', 'Ready', 'linkerd');
  await put(
    certificates,
    'root',
    {
      secretName: 'root',
      commonName: 'root.linkerd.cluster.local',
      isCA: true,
      issuerRef: { name: 'own', kind: 'Issuer' },
      privateKey: { algorithm: 'ECDSA' },
    },
    'linkerd',
  );
  await conditionHolds(certificates, 'root', 'Ready', 'linkerd');
  await put(bundles, 'roots', {
    sources: [{ secret: { name: 'root', key: 'ca.crt' } }],
    target: { configMap: { key: 'ca-bundle.crt' } },
  });
  await conditionHolds(bundles, 'roots', 'Synced');
  const secret = await admin.get<KubeObject & { data: Record<string, string> }>(secrets, 'root', 'linkerd');
  const target = await admin.get<ConfigMap>(configMaps, 'roots', 'default');
  expect(target?.data?.['ca-bundle.crt']).toBe(atob(secret!.data['ca.crt']!).trim());
  running.child.kill('SIGTERM');
  const { status, stderr } = await running.finished;
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('without a server to install into, it says so and ends', async () => {
  writeFileSync(
    join(folder, 'away'),
    cluster.kubeconfig.replace(/server: .*/, 'server: https://127.0.0.1:1'),
  );
  const { finished } = start(['controller', '--kubeconfig', join(folder, 'away'), '--install-crds']);
  const { status, stderr } = await finished;
  expect(status).toBe(1);
  expect(stderr).toMatch(/^capstan: .*nothing listens on 127\.0\.0\.1:1/m);
});
