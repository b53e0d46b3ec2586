import { expect, test } from 'vitest';
import { dropNulls, nameChecker, prepareCreate, prepareUpdate, validateMeta } from './builtin-rules.ts';
import type { FieldError } from './field-error.ts';
import type { Json } from './structural.ts';

const core = (kind: string) => ({ group: '', kind });
const apps = (kind: string) => ({ group: 'apps', kind });
const rbac = (kind: string) => ({ group: 'rbac.authorization.k8s.io', kind });
const texts = (errors: readonly FieldError[]) => errors.map(({ field, message }) => `${field}: ${message}`);
const base64 = (text: string) => Buffer.from(text).toString('base64');

test('a Secret: stringData is folded in, its type is said, and neither type nor frozen data change', () => {
  const { object, errors } = prepareCreate(core('Secret'), {
    data: { a: base64('1') },
    stringData: { b: '2' },
  });
  expect(object).toEqual({ type: 'Opaque', data: { a: base64('1'), b: base64('2') } });
  expect(errors).toEqual([]);
  const tls = prepareCreate(core('Secret'), { type: 'kubernetes.io/tls', data: { 'tls.crt': '' } });
  expect(texts(tls.errors)).toEqual(['data[tls.key]: Required value']);
  expect(texts(prepareUpdate(core('Secret'), { type: 'x' }, object).errors)).toEqual([
    'type: Invalid value: "x": field is immutable',
  ]);
  const frozen = { ...object, immutable: true };
  expect(texts(prepareUpdate(core('Secret'), { ...object, data: {} }, frozen).errors)).toEqual([
    'immutable: Forbidden: field is immutable when `immutable` is set',
    'data: Forbidden: field is immutable when `immutable` is set',
  ]);
});

test('data: keys and size', () => {
  const { errors } = prepareCreate(core('Secret'), { data: { 'a/b': '', '..': '' } });
  expect(texts(errors)).toEqual([
    "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    'data[..]: Invalid value: "..": must not be \'..\'',
  ]);
  const big = 'x'.repeat(1024 * 1024);
  expect(prepareCreate(core('ConfigMap'), { data: { big } }).errors).toEqual([]);
  expect(texts(prepareCreate(core('ConfigMap'), { data: { big, a: '1' } }).errors)).toEqual([
    'data: Too long: may not be more than 1048576 bytes',
  ]);
  expect(texts(prepareCreate(core('ConfigMap'), { data: { a: '' }, binaryData: { a: '' } }).errors)).toEqual([
    'binaryData[a]: Invalid value: "a": duplicate of key present in data',
  ]);
});

test('bytes are kept as Go writes them, whatever breaks they were sent with', () => {
  const folded = prepareCreate(core('Secret'), { data: { a: 'QU\nJD\r\n', b: 'QR==' } });
  expect(folded.object).toMatchObject({ data: { a: 'QUJD', b: 'QQ==' } });
  const map = prepareCreate(core('ConfigMap'), { data: { c: 'QU\nJD' }, binaryData: { a: 'QU\nJD' } });
  expect(map.object).toEqual({ data: { c: 'QU\nJD' }, binaryData: { a: 'QUJD' } });
});

test('a Namespace waits for what it holds, and can be selected by its name', () => {
  expect(prepareCreate(core('Namespace'), { metadata: { name: 'linkerd' }, spec: {} }).object).toEqual({
    metadata: { name: 'linkerd', labels: { 'kubernetes.io/metadata.name': 'linkerd' } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  });
  const deleting = {
    metadata: { name: 'a', deletionTimestamp: '2026-01-01T00:00:00Z' },
    spec: {},
    status: {},
  };
  expect(prepareUpdate(core('Namespace'), deleting, deleting).object).toMatchObject({
    spec: {},
    status: { phase: 'Terminating' },
  });
});

test('a Deployment is filled in as upstream does, twice to the same', () => {
  const given = {
    spec: {
      selector: { matchLabels: { app: 'web' } },
      strategy: {},
      template: {
        metadata: { labels: { app: 'web' }, creationTimestamp: null },
        spec: {
          containers: [
            {
              name: 'a',
              image: 'nginx',
              ports: [{ containerPort: 80 }],
              readinessProbe: { httpGet: { port: 80 } },
            },
            { name: 'b', image: 'r.io:5000/b:1.2' },
          ],
          volumes: [{ name: 's', secret: { secretName: 'x' } }, { name: 'e' }],
        },
      },
    },
  };
  const { object, errors } = prepareCreate(apps('Deployment'), given);
  expect(errors).toEqual([]);
  expect(object).toMatchObject({
    spec: {
      replicas: 1,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          restartPolicy: 'Always',
          containers: [
            {
              imagePullPolicy: 'Always',
              ports: [{ containerPort: 80, protocol: 'TCP' }],
              readinessProbe: { periodSeconds: 10, httpGet: { path: '/', port: 80, scheme: 'HTTP' } },
            },
            { imagePullPolicy: 'IfNotPresent', terminationMessagePath: '/dev/termination-log' },
          ],
          volumes: [{ secret: { defaultMode: 420 } }, { name: 'e', emptyDir: {} }],
        },
      },
    },
  });
  expect(prepareUpdate(apps('Deployment'), object, object)).toEqual({ object, errors: [] });
});

test('a Deployment selects its own pods, and goes on doing so', () => {
  const spec = {
    selector: { matchLabels: { app: 'a' } },
    template: { spec: { containers: [{ name: 'A' }, { name: 'b', image: 'x' }] } },
  };
  const { object, errors } = prepareCreate(apps('Deployment'), { spec });
  expect(texts(errors)).toEqual([
    'spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`',
    expect.stringContaining(
      'spec.template.spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label',
    ),
    'spec.template.spec.containers[0].image: Required value',
  ]);
  const moved = { spec: { ...(object['spec'] as Json), selector: { matchLabels: { app: 'b' } } } };
  expect(texts(prepareUpdate(apps('Deployment'), moved, object).errors)).toContain(
    'spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable',
  );
});

test('roles and bindings', () => {
  expect(
    texts(prepareCreate(rbac('Role'), { rules: [{ apiGroups: [''], resources: ['pods'] }] }).errors),
  ).toEqual(['rules[0].verbs: Required value: verbs must contain at least one value']);
  const binding = {
    kind: 'RoleBinding',
    roleRef: { kind: 'Role', name: 'r' },
    subjects: [{ kind: 'User', name: 'u' }],
  };
  const { object, errors } = prepareCreate(rbac('RoleBinding'), binding);
  expect(errors).toEqual([]);
  expect(object).toMatchObject({
    roleRef: { apiGroup: rbac('').group },
    subjects: [{ apiGroup: rbac('').group }],
  });
  const other = { ...binding, roleRef: { kind: 'ClusterRole', name: 'r' } };
  expect(texts(prepareUpdate(rbac('RoleBinding'), other, object).errors)).toEqual([
    'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"r"}: cannot change roleRef',
  ]);
});

test('webhooks, services, leases and events', () => {
  const webhook = {
    name: 'a.b.c',
    clientConfig: { service: { name: 's', namespace: 'n' } },
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    rules: [{}],
  };
  const kind = { group: 'admissionregistration.k8s.io', kind: 'MutatingWebhookConfiguration' };
  const { object, errors } = prepareCreate(kind, { webhooks: [webhook] });
  expect(errors).toEqual([]);
  expect(object).toMatchObject({
    webhooks: [
      {
        failurePolicy: 'Fail',
        reinvocationPolicy: 'Never',
        clientConfig: { service: { port: 443 } },
        rules: [{ scope: '*' }],
      },
    ],
  });
  expect(prepareCreate(core('Service'), { spec: { ports: [{ port: 80 }] } })).toMatchObject({
    object: { spec: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] } },
    errors: [],
  });
  const lease = { group: 'coordination.k8s.io', kind: 'Lease' };
  expect(texts(prepareCreate(lease, { spec: { leaseDurationSeconds: 0 } }).errors)).toEqual([
    'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
  ]);
  const event = { metadata: { namespace: 'a' }, involvedObject: { namespace: 'b' } };
  expect(texts(prepareCreate(core('Event'), event).errors)).toEqual([
    'involvedObject.namespace: Invalid value: "b": does not match event.namespace',
  ]);
});

test('nulls say nothing', () => {
  expect(dropNulls({ a: null, b: { c: null }, d: [null, { e: null }] })).toEqual({ b: {}, d: [null, {}] });
});

test("metadata is judged in upstream's words", () => {
  const problems = texts(
    validateMeta(
      {
        name: 'Not_A_Name',
        namespace: '-x',
        labels: { 'a/b/c': 'v', ok: 'not ok' },
        annotations: { 'Example.COM/Fine': '', '': '' },
        finalizers: ['orphan', 'foregroundDeletion', 'example.com/x'],
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Secret', name: 'a', uid: '1', controller: true },
          { apiVersion: 'a/b/c', kind: 'K', name: 'b', controller: true },
        ],
      },
      { namespaced: true },
    ),
  );
  expect(problems).toEqual([
    expect.stringContaining(
      'metadata.name: Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain must consist of',
    ),
    expect.stringContaining(
      'metadata.namespace: Invalid value: "-x": a lowercase RFC 1123 label must consist of',
    ),
    expect.stringContaining('metadata.labels: Invalid value: "a/b/c": a valid label key must consist of'),
    expect.stringContaining(
      'metadata.labels: Invalid value: "not ok": a valid label must be an empty string',
    ),
    'metadata.annotations: Invalid value: "": name part must be non-empty',
    expect.stringContaining('metadata.annotations: Invalid value: "": name part must consist of'),
    'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion","example.com/x"]: finalizer orphan and foregroundDeletion cannot be both set',
    'metadata.ownerReferences[1].uid: Required value: must not be empty',
    'metadata.ownerReferences[1].apiVersion: Invalid value: "a/b/c": must be <group>/<version> or <version>',
    expect.stringContaining(
      'Only one reference can have Controller set to true. Found "true" in references for Secret/a and K/b',
    ),
  ]);
  expect(validateMeta({ name: 'a', namespace: 'b' }, { namespaced: false })).toMatchObject([
    { field: 'metadata.namespace', message: 'Forbidden: not allowed on this type' },
  ]);
  expect(texts(validateMeta({}, { namespaced: false }))).toEqual([
    'metadata.name: Required value: name or generateName is required',
  ]);
});

test.each([
  [core('Namespace'), 'a.b', false],
  [core('Secret'), 'a.b', true],
  [core('Service'), '1a', false],
  [rbac('ClusterRole'), 'system:masters', true],
  [rbac('ClusterRole'), 'a/b', false],
])('%o may be named %s: %s', (kind, name, allowed) => {
  expect(nameChecker(kind)(name).length === 0).toBe(allowed);
});
