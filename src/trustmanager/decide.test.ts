import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { appliedTarget } from '../../test/support/applied-target.ts';
import { issuance } from '../../test/support/certificates.ts';
import { dayMs } from '../base/duration.ts';
import type { ConfigMap, Secret } from '../kube/resource.ts';
import type { Bundle, BundleSpec } from './bundle.ts';
import { type BundleFacts, decideAfterFailedWrite, decideBundle, type Namespace } from './decide.ts';

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
const issue = issuance('decide');
const [r1, r2] = await Promise.all([issue({ commonName: 'r1' }), issue({ commonName: 'r2' })]);

const base64 = (text: string) => Buffer.from(text).toString('base64');

const secret = (name: string, data: Record<string, string>, more: Partial<Secret> = {}): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'linkerd', ...more.metadata },
  type: more.type ?? 'Opaque',
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
});

const configMap = (name: string, data: Record<string, string>): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'linkerd' },
  data,
});

const namespace = (name: string, labels = {}, phase = 'Active'): Namespace => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
  status: { phase },
});

function bundle(spec: Partial<BundleSpec> = {}, status?: Bundle['status']): Bundle {
  return {
    apiVersion: 'trust.cert-manager.io/v1alpha1',
    kind: 'Bundle',
    metadata: { name: 'roots', uid: 'uid-1', generation: 3 },
    spec: {
      sources: [{ secret: { name: 'issuer', key: 'ca.crt' } }],
      target: { configMap: { key: 'ca-bundle.crt' } },
      ...spec,
    },
    ...(status ? { status } : {}),
  };
}

function facts(more: Partial<BundleFacts> = {}): BundleFacts {
  return {
    bundle: bundle(),
    trustNamespace: 'linkerd',
    secrets: [secret('issuer', { 'ca.crt': r1.pem, 'tls.key': r1.keyPem })],
    configMaps: [],
    namespaces: [namespace('linkerd'), namespace('app'), namespace('old', {}, 'Terminating')],
    targets: [],
    ...more,
  };
}

const synced = (message = 'Successfully synced Bundle to all namespaces') => ({
  conditions: [
    {
      type: 'Synced',
      status: 'True' as const,
      reason: 'Synced',
      message,
      lastTransitionTime: '2026-01-01T00:00:00Z',
      observedGeneration: 3,
    },
  ],
});

test('the bundle goes to every namespace that is not going away', () => {
  const plan = decideBundle(facts(), nowMs);
  expect(plan.pem).toBe(r1.pem.trim());
  expect(plan.writes.map(({ metadata }) => metadata.namespace)).toEqual(['linkerd', 'app']);
  expect(plan.writes[0]).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'roots',
      namespace: 'linkerd',
      labels: { 'trust.cert-manager.io/bundle': 'roots' },
      annotations: {
        'trust.cert-manager.io/hash': createHash('sha256').update(r1.pem.trim()).digest('hex'),
      },
      ownerReferences: [
        {
          apiVersion: 'trust.cert-manager.io/v1alpha1',
          kind: 'Bundle',
          name: 'roots',
          uid: 'uid-1',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    data: { 'ca-bundle.crt': r1.pem.trim() },
  });
  expect(plan.status).toEqual({
    conditions: [
      {
        type: 'Synced',
        status: 'True',
        reason: 'Synced',
        message: 'Successfully synced Bundle to all namespaces',
        lastTransitionTime: '2026-01-02T03:04:05Z',
        observedGeneration: 3,
      },
    ],
  });
  expect(plan.event).toMatchObject({ type: 'Normal', reason: 'Synced' });
});

test('what is in step already needs nothing', () => {
  const { writes } = decideBundle(facts(), nowMs);
  const plan = decideBundle(
    facts({ bundle: bundle({}, synced()), targets: writes.map((write) => appliedTarget(undefined, write)) }),
    nowMs,
  );
  expect(plan).toEqual({ pem: r1.pem.trim(), writes: [], removals: [] });
});

test.each<[string, (target: ConfigMap) => ConfigMap]>([
  ['its data', (target) => ({ ...target, data: { 'ca-bundle.crt': 'forged' } })],
  ['its label', (target) => ({ ...target, metadata: { ...target.metadata, labels: {} } })],
  ['its hash', (target) => ({ ...target, metadata: { ...target.metadata, annotations: {} } })],
  ['its owner', (target) => ({ ...target, metadata: { ...target.metadata, ownerReferences: [] } })],
  ['who owns its key', (target) => ({ ...target, metadata: { ...target.metadata, managedFields: [] } })],
])('a target that differs in %s is written again', (_, change) => {
  const { writes } = decideBundle(facts(), nowMs);
  const [first, second] = writes.map((write) => appliedTarget(undefined, write));
  const plan = decideBundle(
    facts({ bundle: bundle({}, synced()), targets: [change(first!), second!] }),
    nowMs,
  );
  expect(plan.writes.map(({ metadata }) => metadata.namespace)).toEqual(['linkerd']);
});

test('when the key changes, targets are written again so that the old one goes', () => {
  const { writes } = decideBundle(facts(), nowMs);
  const renamed = bundle({ target: { configMap: { key: 'ca.pem' } } });
  const plan = decideBundle(
    facts({ bundle: renamed, targets: writes.map((write) => appliedTarget(undefined, write)) }),
    nowMs,
  );
  expect(plan.writes.map(({ data }) => Object.keys(data!))).toEqual([['ca.pem'], ['ca.pem']]);
});

test('sources are gathered without repeats: secrets, ConfigMaps, inline, by name and by label', () => {
  const plan = decideBundle(
    facts({
      bundle: bundle({
        sources: [
          { secret: { selector: { matchLabels: { kind: 'root' } }, key: 'ca.crt' } },
          { configMap: { name: 'extra', includeAllKeys: true } },
          { inLine: r1.pem },
          { secret: { selector: { matchLabels: { kind: 'none' } }, key: 'ca.crt' } },
        ],
      }),
      secrets: [
        secret(
          'a',
          { 'ca.crt': r1.pem },
          { metadata: { name: 'a', namespace: 'linkerd', labels: { kind: 'root' } } },
        ),
        secret('b', { 'ca.crt': 'not looked at' }),
      ],
      configMaps: [{ ...configMap('extra', { one: r2.pem }), binaryData: { two: base64(r1.pem) } }],
    }),
    nowMs,
  );
  expect(plan.pem!.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
});

test('namespaces are chosen by selector and by the list that is allowed', () => {
  const selected = bundle({
    target: { configMap: { key: 'k' }, namespaceSelector: { matchLabels: { mesh: 'on' } } },
  });
  const namespaces = [namespace('a', { mesh: 'on' }), namespace('b'), namespace('c', { mesh: 'on' })];
  const plan = decideBundle(facts({ bundle: selected, namespaces }), nowMs);
  expect(plan.writes.map(({ metadata }) => metadata.namespace)).toEqual(['a', 'c']);
  expect(plan.event?.message).toBe(
    'Successfully synced Bundle to namespaces that match this label selector: mesh=on',
  );
  const limited = decideBundle(facts({ bundle: selected, namespaces, targetNamespaces: ['c'] }), nowMs);
  expect(limited.writes.map(({ metadata }) => metadata.namespace)).toEqual(['c']);
  expect(limited.event?.message).toBe(
    'Successfully synced Bundle to allowed namespaces that match this label selector: mesh=on',
  );
});

test('targets in namespaces that are no longer chosen are released, foreign and dying ones left alone', () => {
  const { writes } = decideBundle(facts(), nowMs);
  const [linkerd, app] = writes.map((write) => appliedTarget(undefined, write));
  const narrowed = bundle({
    target: { configMap: { key: 'ca-bundle.crt' }, namespaceSelector: { matchLabels: { mesh: 'on' } } },
  });
  const plan = (targets: ConfigMap[]) => decideBundle(facts({ bundle: narrowed, targets }), nowMs);
  const { removals } = plan([linkerd!, app!]);
  expect(removals).toEqual([
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'roots', namespace: 'linkerd', uid: 'uid-linkerd' },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'roots', namespace: 'app', uid: 'uid-app' } },
  ]);
  const dying = appliedTarget(undefined, writes[0]!, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  const foreign = appliedTarget(undefined, writes[1]!, { ownerReferences: [] });
  expect(plan([dying, foreign]).removals).toEqual([]);
});

test('a Bundle that has lost its target keeps none', () => {
  const targets = decideBundle(facts(), nowMs).writes.map((write) => appliedTarget(undefined, write));
  const { sources } = bundle().spec;
  const plan = decideBundle(facts({ bundle: { ...bundle(), spec: { sources } }, targets }), nowMs);
  expect(plan.writes).toEqual([]);
  expect(plan.removals).toHaveLength(2);
});

test.each<[string, Partial<BundleFacts>, string, string]>([
  [
    'no such Secret',
    { secrets: [] },
    'SourceNotFound',
    'Bundle source was not found: failed to get Secret linkerd/issuer: Secret "issuer" not found',
  ],
  [
    'no such key',
    { secrets: [secret('issuer', {})] },
    'SourceNotFound',
    'Bundle source was not found: no data found in Secret linkerd/issuer at key "ca.crt"',
  ],
  [
    'nothing in the sources',
    { secrets: [secret('issuer', { 'ca.crt': '# none' })] },
    'SourceNotFound',
    "Bundle source was not found: couldn't find any valid certificates in bundle",
  ],
  [
    'default CAs',
    { bundle: bundle({ sources: [{ useDefaultCAs: true }] }) },
    'SourceNotFound',
    'Bundle source was not found: no default package was specified when trust-manager was started; default CAs not available',
  ],
  [
    'a private key in the source',
    { bundle: bundle({ sources: [{ secret: { name: 'issuer', includeAllKeys: true } }] }) },
    'SourceBuildError',
    'Failed to build bundle sources: invalid PEM data in Secret linkerd/issuer at key "tls.key": invalid PEM block in bundle: only CERTIFICATE blocks are permitted but found \'PRIVATE KEY\'',
  ],
  [
    'all keys of a TLS Secret',
    {
      bundle: bundle({ sources: [{ secret: { name: 'issuer', includeAllKeys: true } }] }),
      secrets: [secret('issuer', {}, { type: 'kubernetes.io/tls' })],
    },
    'SourceBuildError',
    'Failed to build bundle sources: includeAllKeys is not supported for TLS Secrets such as linkerd/issuer',
  ],
  [
    'a Secret target',
    { bundle: bundle({ target: { secret: { key: 'k' } } }) },
    'SecretTargetsDisabled',
    'Bundle has Secret targets but the feature is disabled',
  ],
  [
    'a trust store',
    {
      bundle: bundle({
        target: { configMap: { key: 'k' }, additionalFormats: { jks: { key: 'j' }, pkcs12: { key: 'p' } } },
      }),
    },
    'AdditionalFormatsDisabled',
    'Bundle asks for additional formats (jks, pkcs12), but only PEM is written',
  ],
  [
    'a spec that admission should have refused',
    { bundle: bundle({ sources: [{ secret: { name: 'issuer' } }] }) },
    'InvalidBundle',
    `Bundle is not valid: spec.sources[0].secret: Invalid value: "key: ' ', includeAllKeys: false": source secret key must be defined when includeAllKeys is false`,
  ],
])('%s leaves the targets alone and says so', (_, more, reason, message) => {
  const targets = decideBundle(facts(), nowMs).writes.map((write) => appliedTarget(undefined, write));
  const plan = decideBundle(facts({ ...more, targets }), nowMs);
  expect(plan).toMatchObject({ writes: [], removals: [], event: { type: 'Warning', reason, message } });
  expect(plan.pem).toBeUndefined();
  expect(plan.status?.conditions).toMatchObject([{ type: 'Synced', status: 'False', reason, message }]);
  // Only what may mend itself without a change to wait for is tried again.
  expect(plan.retry !== undefined).toBe(reason === 'SourceBuildError');
});

test('the transition time stays while the status does', () => {
  const failing = {
    conditions: [{ ...synced().conditions[0]!, status: 'False' as const, reason: 'SourceBuildError' }],
  };
  const status = (before?: Bundle['status']) =>
    decideBundle(facts({ bundle: bundle({}, before), secrets: [] }), nowMs).status?.conditions?.[0];
  expect(status(failing)?.lastTransitionTime).toBe('2026-01-01T00:00:00Z');
  expect(status(synced())?.lastTransitionTime).toBe('2026-01-02T03:04:05Z');
});

test('a target that cannot be written is told with its namespace', () => {
  const { status, event } = decideAfterFailedWrite(bundle(), 'app', new Error('quota'), nowMs);
  expect(status?.conditions).toMatchObject([
    {
      status: 'False',
      reason: 'SyncConfigMapTargetFailed',
      message:
        'Failed to sync bundle ConfigMap to namespace "app": failed to patch ConfigMap app/roots: quota',
    },
  ]);
  expect(event?.message).toBe(
    'Failed to sync target ConfigMap in Namespace "app": failed to patch ConfigMap app/roots: quota',
  );
});

test('metadata of the target is part of what is written and of its hash', () => {
  const labelled = bundle({
    target: {
      configMap: { key: 'k', metadata: { labels: { z: '1', a: '2' }, annotations: { note: 'x' } } },
    },
  });
  const [write] = decideBundle(facts({ bundle: labelled }), nowMs).writes;
  expect(write!.metadata.labels).toEqual({ a: '2', z: '1', 'trust.cert-manager.io/bundle': 'roots' });
  expect(write!.metadata.annotations).toEqual({
    note: 'x',
    'trust.cert-manager.io/hash': createHash('sha256').update(`${r1.pem.trim()}notexa2z1`).digest('hex'),
  });
});

test('when expired certificates are left out, the next expiry is waited for', () => {
  const plan = decideBundle(facts({ filterExpired: true }), nowMs);
  expect(plan.againAtMs).toBe(r1.certificate.notAfter + 1);
  const later = decideBundle(facts({ filterExpired: true }), nowMs + 365 * dayMs);
  expect(later.event?.reason).toBe('SourceNotFound');
});
