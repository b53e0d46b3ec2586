import { expect, test } from 'vitest';
import { builtinKind, builtinKinds } from './kinds.ts';
import { readNode, type SchemaNode, writeNode } from './schema-node.ts';

test('a kind says how it is named, scoped and served', () => {
  expect(builtinKind('apps', 'v1', 'Deployment')).toMatchObject({
    listKind: 'DeploymentList',
    plural: 'deployments',
    singular: 'deployment',
    shortNames: ['deploy'],
    categories: ['all'],
    namespaced: true,
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: ['scale', 'status'],
  });
  expect(builtinKind('', 'v1', 'Namespace')).toMatchObject({ namespaced: false, subresources: ['status'] });
  expect(builtinKind('', 'v1', 'ServiceAccount')?.subresources).toEqual(['token']);
  expect(builtinKind('authorization.k8s.io', 'v1', 'SelfSubjectAccessReview')?.verbs).toEqual(['create']);
  expect(builtinKind('apps', 'v1beta1', 'Deployment')).toBeUndefined();
});

test('a schema is whole, down to what strategic merge and apply need', () => {
  const pod = builtinKind('apps', 'v1', 'Deployment')!.schema.properties!['spec']!.properties!['template']!;
  const containers = pod.properties!['spec']!.properties!['containers']!;
  expect(containers).toMatchObject({
    type: 'array',
    listType: 'map',
    listMapKeys: ['name'],
    patchStrategy: 'merge',
    patchMergeKey: 'name',
  });
  expect(containers.items?.name).toBe('io.k8s.api.core.v1.Container');
  const strategy = builtinKind('apps', 'v1', 'Deployment')!.schema.properties!['spec']!.properties![
    'strategy'
  ]!;
  expect(strategy).toMatchObject({
    name: 'io.k8s.api.apps.v1.DeploymentStrategy',
    patchStrategy: 'retainKeys',
  });
});

test('a definition that holds itself is one node', () => {
  const crd = builtinKind('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition')!.schema;
  const versions = crd.properties!['spec']!.properties!['versions']!.items!;
  const schema = versions.properties!['schema']!.properties!['openAPIV3Schema']!;
  expect(schema.properties!['not']).toBe(schema);
});

test('every served kind has a schema with metadata of its own', () => {
  for (const { kind, schema } of builtinKinds()) {
    expect(schema.properties, kind).toMatchObject({
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
    });
    expect(schema.properties!['metadata']?.name, kind).toBe(
      'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
    );
  }
});

test('a schema is written as it was read', () => {
  const raw = {
    type: 'object',
    properties: {
      ports: {
        type: 'array',
        items: { 'x-kubernetes-int-or-string': true },
        'x-kubernetes-list-type': 'set',
      },
      labels: { type: 'object', additionalProperties: { type: 'string', nullable: true } },
    },
    'x-kubernetes-validations': [{ rule: 'self.ports.size() > 0' }],
  };
  expect(writeNode(readNode(raw, noDefinitions))).toEqual(raw);
});

test('a reference is written as one, with what stands beside it kept', () => {
  const named: SchemaNode = { name: 'io.example.Port', type: 'integer' };
  const node = readNode(
    {
      properties: {
        port: { $ref: 'x' },
        strategy: { $ref: 'x', 'x-kubernetes-patch-strategy': 'retainKeys' },
      },
    },
    () => named,
  );
  expect(writeNode(node)).toEqual({
    properties: {
      port: { $ref: '#/components/schemas/io.example.Port' },
      strategy: {
        allOf: [{ $ref: '#/components/schemas/io.example.Port' }],
        'x-kubernetes-patch-strategy': 'retainKeys',
      },
    },
  });
});

function noDefinitions(name: string): SchemaNode {
  throw new Error(`no definition ${name}`);
}
