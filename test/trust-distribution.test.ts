import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import type { KubeEvent } from '../src/kube/event-recorder.ts';
import { installDefinitions } from '../src/kube/install-definitions.ts';
import type { KubeClient } from '../src/kube/kube-client.ts';
import {
  type ConfigMap,
  configMaps,
  events,
  type KubeObject,
  namespaces,
  type Secret,
  secrets,
} from '../src/kube/resource.ts';
import { type Bundle, type BundleSpec, bundles } from '../src/trustmanager/bundle.ts';
import { startTrustManager, type TrustManager } from '../src/trustmanager/controller.ts';
import { trustManagerDefinitions } from '../src/trustmanager/definitions.ts';
import { eventually, type TestCluster, testCluster } from './support/api-server.ts';
import { issuance } from './support/certificates.ts';
import { kubectl } from './support/kubectl.ts';

const issue = issuance('trust-distribution');
const [r1, r2] = await Promise.all([issue({ commonName: 'r1' }), issue({ commonName: 'r2' })]);

let cluster: TestCluster;
let admin: KubeClient;
let trustManager: TrustManager;

const never = new AbortController().signal;

beforeAll(async () => {
  cluster = await testCluster();
  admin = cluster.client('kubectl');
  await installDefinitions(admin, trustManagerDefinitions(), {
    manager: 'capstan',
    clock: systemClock,
    signal: never,
  });
  for (const name of ['linkerd', 'app']) await admin.create(namespaces, namespace(name));
  trustManager = await startTrustManager({
    kube: cluster.client('trust-manager'),
    clock: systemClock,
    log: silentLog,
    trustNamespace: 'linkerd',
  });
  await trustManager.synced;
});

afterAll(async () => {
  await trustManager?.close();
  await cluster?.close();
});

function namespace(name: string, labels = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

async function putSecret(name: string, pem: string): Promise<void> {
  const secret: Secret & Record<string, unknown> = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'linkerd' },
    data: { 'ca.crt': Buffer.from(pem).toString('base64') },
  };
  await admin.apply(secrets, secret, { manager: 'kubectl' });
}

async function putBundle(name: string, spec: BundleSpec): Promise<void> {
  const bundle = { apiVersion: 'trust.cert-manager.io/v1alpha1', kind: 'Bundle', metadata: { name }, spec };
  await admin.apply(bundles, bundle, { manager: 'kubectl' });
}

const target = { configMap: { key: 'ca-bundle.crt' } };

const targetIn = (name: string, namespace: string) => admin.get<ConfigMap>(configMaps, name, namespace);

const targetHolding = (name: string, namespace: string, pem: string) =>
  eventually(async () => {
    const found = await targetIn(name, namespace);
    return found?.data?.['ca-bundle.crt'] === pem.trim() ? found : undefined;
  });

const conditionOf = (name: string, reason: string) =>
  eventually(async () => {
    const bundle = await admin.get<Bundle>(bundles, name);
    return bundle?.status?.conditions?.find((condition) => condition.reason === reason);
  });

test('a bundle reaches every namespace, those that come later too, and follows its source', async () => {
  await putSecret('follows', r1.pem);
  await putBundle('follows', { sources: [{ secret: { name: 'follows', key: 'ca.crt' } }], target });
  const written = await targetHolding('follows', 'app', r1.pem);
  expect(written.metadata.labels).toEqual({ 'trust.cert-manager.io/bundle': 'follows' });
  expect(written.metadata.ownerReferences).toMatchObject([
    { kind: 'Bundle', name: 'follows', controller: true },
  ]);
  expect(await conditionOf('follows', 'Synced')).toMatchObject({
    status: 'True',
    message: 'Successfully synced Bundle to all namespaces',
    observedGeneration: 1,
  });
  await admin.create(namespaces, namespace('later'));
  await targetHolding('follows', 'later', r1.pem);
  await putSecret('follows', r2.pem);
  await targetHolding('follows', 'app', r2.pem);
  await targetHolding('follows', 'later', r2.pem);
});

test('a target that is changed or deleted by someone else is put right', async () => {
  await putBundle('drift', { sources: [{ inLine: r1.pem }], target });
  const before = await targetHolding('drift', 'app', r1.pem);
  await admin.mergePatch(
    configMaps,
    { name: 'drift', namespace: 'app' },
    { data: { 'ca-bundle.crt': 'forged' } },
  );
  await targetHolding('drift', 'app', r1.pem);
  await admin.delete(configMaps, 'drift', 'app');
  const after = await targetHolding('drift', 'app', r1.pem);
  expect(after.metadata.uid).not.toBe(before.metadata.uid);
});

test("what others keep in a target stays; the old key goes when the Bundle's changes", async () => {
  await putBundle('rekeyed', { sources: [{ inLine: r1.pem }], target });
  await targetHolding('rekeyed', 'app', r1.pem);
  await admin.mergePatch(configMaps, { name: 'rekeyed', namespace: 'app' }, { data: { mine: 'kept' } });
  await putBundle('rekeyed', { sources: [{ inLine: r1.pem }], target: { configMap: { key: 'ca.pem' } } });
  const data = await eventually(async () => {
    const found = await targetIn('rekeyed', 'app');
    return found?.data?.['ca.pem'] === undefined ? undefined : found.data;
  });
  expect(Object.keys(data).toSorted()).toEqual(['ca.pem', 'mine']);
});

test('a source that breaks leaves the targets at their last good content, says so, and recovers', async () => {
  await putSecret('breaks', r1.pem);
  await putBundle('breaks', { sources: [{ secret: { name: 'breaks', key: 'ca.crt' } }], target });
  await targetHolding('breaks', 'app', r1.pem);
  await admin.delete(secrets, 'breaks', 'linkerd');
  expect(await conditionOf('breaks', 'SourceNotFound')).toMatchObject({
    status: 'False',
    message: 'Bundle source was not found: failed to get Secret linkerd/breaks: Secret "breaks" not found',
  });
  await putSecret('breaks', `${r2.pem}${r2.keyPem}`);
  const { message } = await conditionOf('breaks', 'SourceBuildError');
  expect(message).toContain("only CERTIFICATE blocks are permitted but found 'PRIVATE KEY'");
  expect((await targetIn('breaks', 'app'))?.data).toEqual({ 'ca-bundle.crt': r1.pem.trim() });
  await putSecret('breaks', r2.pem);
  await targetHolding('breaks', 'app', r2.pem);
  await conditionOf('breaks', 'Synced');
  const told = await eventually(async () => {
    const { items } = await admin.list<KubeEvent>(events, { namespace: 'default' });
    const reasons = items
      .filter(({ involvedObject }) => involvedObject.name === 'breaks')
      .map(({ reason }) => reason);
    return new Set(reasons).size >= 3 ? new Set(reasons) : undefined;
  });
  expect(told).toEqual(new Set(['Synced', 'SourceNotFound', 'SourceBuildError']));
});

test('when the selector narrows, stale targets go, unless they hold something else', async () => {
  await admin.create(namespaces, namespace('meshed', { mesh: 'on' }));
  await putBundle('narrows', { sources: [{ inLine: r1.pem }], target });
  for (const where of ['app', 'linkerd', 'meshed']) await targetHolding('narrows', where, r1.pem);
  await admin.mergePatch(configMaps, { name: 'narrows', namespace: 'linkerd' }, { data: { mine: 'kept' } });
  await putBundle('narrows', {
    sources: [{ inLine: r1.pem }],
    target: { ...target, namespaceSelector: { matchLabels: { mesh: 'on' } } },
  });
  await eventually(async () => ((await targetIn('narrows', 'app')) === undefined ? true : undefined));
  const kept = await eventually(async () => {
    const found = await targetIn('narrows', 'linkerd');
    return found?.data?.['ca-bundle.crt'] === undefined ? found : undefined;
  });
  expect(kept.data).toEqual({ mine: 'kept' });
  expect(kept.metadata).not.toHaveProperty('ownerReferences');
  expect(kept.metadata).not.toHaveProperty('labels');
  await targetHolding('narrows', 'meshed', r1.pem);
  // The status follows the targets.
  const message = 'Successfully synced Bundle to namespaces that match this label selector: mesh=on';
  await eventually(async () => {
    const { status, observedGeneration } = await conditionOf('narrows', 'Synced');
    return observedGeneration === 2 ? status : undefined;
  });
  expect(await conditionOf('narrows', 'Synced')).toMatchObject({ status: 'True', message });
});

test('the targets of a deleted Bundle are collected', async () => {
  await putBundle('gone', { sources: [{ inLine: r1.pem }], target });
  await targetHolding('gone', 'app', r1.pem);
  await admin.delete(bundles, 'gone');
  await eventually(async () => ((await targetIn('gone', 'app')) === undefined ? true : undefined));
});

test('what is not written is refused in words', async () => {
  await putBundle('secret-target', { sources: [{ inLine: r1.pem }], target: { secret: { key: 'k' } } });
  expect(await conditionOf('secret-target', 'SecretTargetsDisabled')).toMatchObject({ status: 'False' });
});

test('real kubectl applies the Bundle of the tutorial and shows it with its columns', async () => {
  const { home } = cluster;
  writeFileSync(
    join(home, 'bundle.yaml'),
    `apiVersion: trust.cert-manager.io/v1alpha1
kind: Bundle
metadata:
  name: linkerd-identity-trust-roots
spec:
  sources:
  - secret:
      name: "linkerd-identity-issuer"
      key: "ca.crt"
  target:
    configMap:
      key: "ca-bundle.crt"
`,
  );
  await putSecret('linkerd-identity-issuer', r1.pem);
  const k = kubectl('1.35', home);
  expect(await k.ok(`apply -f ${join(home, 'bundle.yaml')}`)).toBe(
    'bundle.trust.cert-manager.io/linkerd-identity-trust-roots created\n',
  );
  await k.ok('wait --for=condition=Synced bundle/linkerd-identity-trust-roots --timeout=20s');
  const [heading, row] = (await k.ok('get bundle linkerd-identity-trust-roots')).split('\n');
  expect(heading).toMatch(/^NAME +CONFIGMAP TARGET +SECRET TARGET +SYNCED +REASON +AGE$/);
  expect(row).toMatch(/^linkerd-identity-trust-roots +ca-bundle.crt +True +Synced +\d+s$/);
  expect(await k.ok('describe bundle linkerd-identity-trust-roots')).toMatch(
    /Normal +Synced +\S+ +bundles +Successfully synced Bundle to all namespaces/,
  );
  expect(await k.ok('explain bundle.spec.sources.secret')).toContain('includeAllKeys\t<boolean>');
});
