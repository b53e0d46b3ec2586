import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestCluster, testCluster } from './support/api-server.ts';
import { type RawApi, rawApi } from './support/raw-api.ts';
import { anchorDefinition } from './support/test-definition.ts';

let cluster: TestCluster;
let api: RawApi;

beforeAll(async () => {
  cluster = await testCluster();
  api = await rawApi(cluster.api);
  const { status } = await api.send(
    'POST',
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    anchorDefinition,
    { 'content-type': 'application/yaml' },
  );
  expect(status).toBe(201);
});

afterAll(async () => {
  api?.close();
  await cluster?.close();
});

const kinds = [
  { path: '/api/v1/namespaces/default/configmaps', kind: 'ConfigMap', apiVersion: 'v1' },
  { path: '/api/v1/namespaces/default/secrets', kind: 'Secret', apiVersion: 'v1' },
  { path: '/api/v1/namespaces/default/serviceaccounts', kind: 'ServiceAccount', apiVersion: 'v1' },
  { path: '/api/v1/namespaces/default/events', kind: 'Event', apiVersion: 'v1' },
  { path: '/api/v1/namespaces/default/services', kind: 'Service', apiVersion: 'v1' },
  { path: '/api/v1/namespaces/default/pods', kind: 'Pod', apiVersion: 'v1' },
  { path: '/api/v1/namespaces', kind: 'Namespace', apiVersion: 'v1' },
  { path: '/apis/apps/v1/namespaces/default/deployments', kind: 'Deployment', apiVersion: 'apps/v1' },
  {
    path: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    kind: 'ClusterRole',
    apiVersion: 'rbac.authorization.k8s.io/v1',
  },
  {
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1',
  },
  {
    path: '/apis/authentication.k8s.io/v1/tokenreviews',
    kind: 'TokenReview',
    apiVersion: 'authentication.k8s.io/v1',
  },
  {
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    kind: 'SubjectAccessReview',
    apiVersion: 'authorization.k8s.io/v1',
  },
  {
    path: '/apis/test.capstan.dev/v1/namespaces/default/anchors',
    kind: 'Anchor',
    apiVersion: 'test.capstan.dev/v1',
  },
  {
    path: '/apis/networking.k8s.io/v1/namespaces/default/ingresses',
    kind: 'Ingress',
    apiVersion: 'networking.k8s.io/v1',
  },
  {
    path: '/apis/networking.k8s.io/v1/ingressclasses',
    kind: 'IngressClass',
    apiVersion: 'networking.k8s.io/v1',
  },
  {
    path: '/apis/apiregistration.k8s.io/v1/apiservices',
    kind: 'APIService',
    apiVersion: 'apiregistration.k8s.io/v1',
  },
];

/** Names that mean something somewhere in an object, so that random values land where they are read. */
const field = fc.constantFrom(
  ...['name', 'generateName', 'namespace', 'labels', 'annotations', 'ownerReferences', 'finalizers'],
  ...['managedFields', 'resourceVersion', 'uid', 'deletionTimestamp', 'spec', 'status', 'data', 'stringData'],
  ...[
    'type',
    'rules',
    'subjects',
    'token',
    'audiences',
    'resourceAttributes',
    'conditions',
    'chain',
    'links',
  ],
  ...[
    'versions',
    'names',
    'group',
    'template',
    'containers',
    'ports',
    'selector',
    'schema',
    'openAPIV3Schema',
  ],
);

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, 0, -1, 1.5, '', 'a', 'a/b', '2026-01-01T00:00:00Z'),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(field, tie('any'), { maxKeys: 4 }),
  ),
})).any;

const object = fc.dictionary(field, value, { maxKeys: 5 });

test('no body makes the server fail: it is taken, or refused with a reason', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...kinds),
      fc.oneof(fc.constant({ name: 'fuzz' }), object, value),
      fc.oneof(object, value),
      async ({ path, kind, apiVersion }, metadata, rest) => {
        const body = { ...(rest as object), apiVersion, kind, metadata };
        const { status, body: answer } = await api.send('POST', `${path}?dryRun=All`, body);
        expect(status, JSON.stringify({ body, answer })).toBeLessThan(500);
        if (status >= 300) expect(answer).toMatchObject({ kind: 'Status', reason: expect.any(String) });
      },
    ),
    { numRuns: 1_500 },
  );
});

test('no patch makes the server fail', async () => {
  const targets = await Promise.all(
    [
      { ...kinds[0]!, more: { data: { a: '1' } } },
      { ...kinds[7]!, more: deployment },
      { ...kinds[12]!, more: { spec: { chain: 'iron' } } },
    ].map(async ({ path, kind, apiVersion, more }) => {
      const { status, body } = await api.send('POST', path, {
        apiVersion,
        kind,
        metadata: { name: 'target' },
        ...more,
      });
      expect(status, JSON.stringify(body)).toBe(201);
      return { path: `${path}/target`, kind, apiVersion };
    }),
  );
  const types = ['merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml', 'json-patch+json'];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...targets),
      fc.constantFrom(...types),
      fc.oneof(object, value),
      async ({ path, kind, apiVersion }, type, patch) => {
        const body = type.startsWith('apply')
          ? { ...(patch as object), apiVersion, kind }
          : type.startsWith('json')
            ? [{ op: 'add', path: '/metadata', value: patch }]
            : { metadata: patch, ...(patch as object) };
        const { status, body: answer } = await api.send(
          'PATCH',
          `${path}?dryRun=All&fieldManager=fuzz`,
          body,
          {
            'content-type': `application/${type}`,
          },
        );
        expect(status, JSON.stringify({ type, body, answer })).toBeLessThan(500);
      },
    ),
    { numRuns: 1_500 },
  );
});

test.each([
  ['Secret', 'data'],
  ['ConfigMap', 'binaryData'],
])("a %s whose bytes are no base64 is refused in Go's words, which do not repeat them", async (kind, at) => {
  const { path } = kinds.find((one) => one.kind === kind)!;
  const body = { apiVersion: 'v1', kind, metadata: { name: 'bytes' }, [at]: { token: 'c2Vj!mV0' } };
  expect(await api.send('POST', path, body)).toMatchObject({
    status: 400,
    body: {
      reason: 'BadRequest',
      message: `${kind} in version "v1" cannot be handled as a ${kind}: illegal base64 data at input byte 4`,
    },
  });
});

test('nor does any address', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
      fc.array(
        fc.constantFrom(
          'api',
          'apis',
          'v1',
          'namespaces',
          'default',
          'secrets',
          'status',
          'openapi',
          'v3',
          'x',
          '%2e',
        ),
        {
          maxLength: 7,
        },
      ),
      fc.dictionary(
        fc.constantFrom(
          'limit',
          'continue',
          'resourceVersion',
          'labelSelector',
          'fieldSelector',
          'resourceVersionMatch',
        ),
        fc.constantFrom('', '0', '1', '-1', 'x', 'a=b', '!', 'metadata.name=x', 'Exact', 'eyJ2IjoxfQ'),
      ),
      async (method, parts, query) => {
        const url = `/${parts.join('/')}?dryRun=All&${new URLSearchParams(query).toString()}`;
        const { status } = await api.send(method, url);
        expect(status, `${method} ${url}`).toBeLessThan(500);
      },
    ),
    { numRuns: 1_000 },
  );
});

const deployment = {
  spec: {
    selector: { matchLabels: { app: 'a' } },
    template: { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
  },
};
