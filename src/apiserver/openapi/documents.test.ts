import { expect, test } from 'vitest';
import { apiVersionOf, builtinKinds, type KindInfo } from '../schema/kinds.ts';
import { compileSchema } from '../schema/structural.ts';
import { componentName, openApiPath, openApiV3Document, openApiV3Index } from './documents.ts';

interface Operation {
  parameters?: { name: string }[];
  requestBody?: { content: Record<string, unknown> };
  'x-kubernetes-group-version-kind': { group: string; version: string; kind: string };
  'x-kubernetes-action': string;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, { properties: Record<string, unknown>; oneOf?: unknown; type?: string }>;
  };
}

const documentOf = (group: string, version: string, kinds: readonly KindInfo[] = builtinKinds()) =>
  openApiV3Document(
    { group, version },
    kinds.filter((kind) => kind.group === group && kind.version === version),
  ) as unknown as Document;

const issuer: KindInfo = {
  group: 'example.com',
  version: 'v1alpha1',
  kind: 'Issuer',
  listKind: 'IssuerList',
  plural: 'issuers',
  singular: 'issuer',
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: ['status', 'scale'],
  schema: compileSchema({
    type: 'object',
    description: 'An issuer.',
    properties: {
      spec: {
        type: 'object',
        properties: { port: { 'x-kubernetes-int-or-string': true } },
        'x-kubernetes-validations': [{ rule: 'self.port > 0' }],
      },
    },
  }),
};

test('the index has a path of its own for each document', () => {
  expect(openApiPath({ group: '', version: 'v1' })).toBe('api/v1');
  expect(openApiV3Index([{ path: openApiPath({ group: 'apps', version: 'v1' }), hash: 'AB' }])).toEqual({
    paths: { 'apis/apps/v1': { serverRelativeURL: '/openapi/v3/apis/apps/v1?hash=AB' } },
  });
});

test('every write names its kind and takes fieldValidation', () => {
  for (const apiVersion of new Set(builtinKinds().map(apiVersionOf))) {
    const [version, group = ''] = apiVersion.split('/').toReversed();
    for (const [path, operations] of Object.entries(documentOf(group, version!).paths)) {
      for (const method of ['post', 'put', 'patch']) {
        const operation = operations[method];
        if (!operation) continue;
        expect(operation['x-kubernetes-group-version-kind'].kind, path).toBeTruthy();
        expect(
          operation.parameters?.map(({ name }) => name),
          path,
        ).toContain('fieldValidation');
      }
    }
  }
});

test('every reference leads to a component', () => {
  for (const apiVersion of new Set(builtinKinds().map(apiVersionOf))) {
    const [version, group = ''] = apiVersion.split('/').toReversed();
    const document = documentOf(group, version!);
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name!,
    );
    expect(new Set(references.filter((name) => !(name in document.components.schemas)))).toEqual(new Set());
  }
});

test('paths follow scope, verbs and subresources', () => {
  const { paths } = documentOf('', 'v1');
  const secret = paths['/api/v1/namespaces/{namespace}/secrets/{name}']!;
  expect(Object.keys(secret).toSorted()).toEqual(['delete', 'get', 'parameters', 'patch', 'put']);
  expect(secret['patch']!.requestBody!.content).toHaveProperty('application/strategic-merge-patch+json');
  expect(paths['/api/v1/secrets']!['get']!['x-kubernetes-action']).toBe('list');
  expect(paths['/api/v1/namespaces/{name}']).toBeDefined();
  const token = paths['/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token']!['post']!;
  expect(token['x-kubernetes-group-version-kind'].kind).toBe('TokenRequest');
  const scale = documentOf('apps', 'v1').paths[
    '/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale'
  ]!;
  expect(scale['patch']!['x-kubernetes-group-version-kind']).toEqual({
    group: 'autoscaling',
    kind: 'Scale',
    version: 'v1',
  });
});

test('components keep what clients merge by, and say their kind', () => {
  const { schemas } = documentOf('apps', 'v1').components;
  expect(schemas['io.k8s.api.apps.v1.Deployment']).toMatchObject({
    'x-kubernetes-group-version-kind': [{ group: 'apps', kind: 'Deployment', version: 'v1' }],
  });
  expect(schemas['io.k8s.api.core.v1.PodSpec']!.properties['containers']).toMatchObject({
    'x-kubernetes-patch-merge-key': 'name',
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-list-map-keys': ['name'],
  });
  expect(schemas['io.k8s.api.apps.v1.DeploymentSpec']!.properties['strategy']).toEqual({
    allOf: [{ $ref: '#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy' }],
    'x-kubernetes-patch-strategy': 'retainKeys',
  });
  expect(schemas['io.k8s.apimachinery.pkg.util.intstr.IntOrString']).toEqual({
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  });
});

test('a custom kind is published under its domain, rules and descriptions included', () => {
  expect(componentName(issuer)).toBe('com.example.v1alpha1.Issuer');
  const { paths, components } = documentOf('example.com', 'v1alpha1', [issuer]);
  expect(components.schemas['com.example.v1alpha1.Issuer']).toEqual({
    type: 'object',
    description: 'An issuer.',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' },
      spec: {
        type: 'object',
        properties: { port: { 'x-kubernetes-int-or-string': true } },
        'x-kubernetes-validations': [{ rule: 'self.port > 0' }],
      },
    },
    'x-kubernetes-group-version-kind': [{ group: 'example.com', kind: 'Issuer', version: 'v1alpha1' }],
  });
  expect(components.schemas['com.example.v1alpha1.IssuerList']).toBeDefined();
  const patch = paths['/apis/example.com/v1alpha1/namespaces/{namespace}/issuers/{name}']!['patch']!;
  expect(patch.requestBody!.content).not.toHaveProperty('application/strategic-merge-patch+json');
});
