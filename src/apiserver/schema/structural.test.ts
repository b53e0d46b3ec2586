import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { builtinKind } from './kinds.ts';
import type { RawSchema } from './schema-node.ts';
import {
  applyDefaults,
  compileSchema,
  type Json,
  pruneFields,
  unknownFields,
  validateObject,
} from './structural.ts';

const issuer = compileSchema({
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['server'],
      minProperties: 1,
      properties: {
        server: { type: 'string', minLength: 1, pattern: '^https?://' },
        port: { 'x-kubernetes-int-or-string': true },
        mode: { type: 'string', enum: ['fast', 'safe'], default: 'safe' },
        retries: { type: 'integer', format: 'int32', minimum: 0, maximum: 10, default: 3 },
        notAfter: { type: 'string', format: 'date-time', nullable: true },
        usages: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set', maxItems: 3 },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        listeners: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port'],
          items: {
            type: 'object',
            required: ['port'],
            properties: {
              port: { type: 'integer' },
              tls: { type: 'object', default: {}, properties: { on: { type: 'boolean', default: true } } },
            },
          },
        },
        extra: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        template: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          properties: { data: { type: 'object', additionalProperties: { type: 'string' } } },
        },
        auth: {
          type: 'object',
          properties: { token: { type: 'string' }, role: { type: 'string' } },
          oneOf: [{ required: ['token'] }, { required: ['role'] }],
        },
      },
    },
    status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  },
});

const object = (spec: Json): Json => ({
  apiVersion: 'example.com/v1',
  kind: 'Issuer',
  metadata: { name: 'a', creationTimestamp: null, labels: { a: 'b' } },
  spec: { server: 'https://vault', ...spec },
});

const messages = (spec: Json) =>
  validateObject(issuer, object(spec)).map(({ field, message }) => `${field}: ${message}`);

test('unknown fields are named by their path, and pruned', () => {
  const given = object({
    port: 1,
    unknown: 1,
    listeners: [{ port: 1, odd: {} }],
    extra: { any: { thing: 1 } },
    labels: { free: 'x' },
    template: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x', odd: 1 },
      data: { a: '1' },
      odd: 1,
    },
  });
  const paths = ['spec.listeners[0].odd', 'spec.template.metadata.odd', 'spec.template.odd', 'spec.unknown'];
  expect(unknownFields(issuer, given)).toEqual(paths);
  const pruned = pruneFields(issuer, given);
  expect(pruned).toEqual(
    object({
      port: 1,
      listeners: [{ port: 1 }],
      extra: { any: { thing: 1 } },
      labels: { free: 'x' },
      template: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { a: '1' } },
    }),
  );
  expect(pruneFields(issuer, pruned)).toBe(pruned);
  expect(unknownFields(issuer, { ...given, metadata: { name: 'a', odd: 1 } })).toContain('metadata.odd');
});

test('built-in kinds know their fields too', () => {
  const { schema } = builtinKind('apps', 'v1', 'Deployment')!;
  const deployment = {
    spec: { template: { spec: { containers: [{ name: 'a', imagee: 'b' }] } }, replica: 1 },
    metadata: { managedFields: [{ fieldsV1: { 'f:spec': { '.': {} } } }] },
  };
  expect(unknownFields(schema, deployment)).toEqual([
    'spec.replica',
    'spec.template.spec.containers[0].imagee',
  ]);
  const crd = builtinKind('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition')!.schema;
  const schemaProps = { properties: { a: { items: { type: 'string' }, default: { x: 1 }, typo: 1 } } };
  expect(unknownFields(crd, { spec: { versions: [{ schema: { openAPIV3Schema: schemaProps } }] } })).toEqual([
    'spec.versions[0].schema.openAPIV3Schema.properties.a.typo',
  ]);
});

test('defaults fill what is absent, inside what is there, and nulls that may not be', () => {
  const filled = applyDefaults(
    issuer,
    object({
      listeners: [{ port: 1 }, { port: 2, tls: { on: false } }],
      mode: null,
      labels: null,
      notAfter: null,
    }),
  );
  expect(filled).toEqual({
    ...object({
      mode: 'safe',
      retries: 3,
      notAfter: null,
      listeners: [
        { port: 1, tls: { on: true } },
        { port: 2, tls: { on: false } },
      ],
    }),
    metadata: { name: 'a', labels: { a: 'b' } },
  });
  expect(applyDefaults(issuer, filled)).toBe(filled);
});

test.each([
  [
    { server: 5 },
    'spec.server: Invalid value: "integer": spec.server in body must be of type string: "integer"',
  ],
  [
    { server: null },
    'spec.server: Invalid value: "null": spec.server in body must be of type string: "null"',
  ],
  [{ server: 'ftp' }, 'spec.server: Invalid value: "ftp": spec.server in body should match \'^https?://\''],
  [{ mode: 'x' }, 'spec.mode: Unsupported value: "x": supported values: "fast", "safe"'],
  [
    { retries: 11 },
    'spec.retries: Invalid value: 11: spec.retries in body should be less than or equal to 10',
  ],
  [
    { retries: -1 },
    'spec.retries: Invalid value: -1: spec.retries in body should be greater than or equal to 0',
  ],
  [
    { retries: 1.5 },
    'spec.retries: Invalid value: "number": spec.retries in body must be of type integer: "number"',
  ],
  [
    { port: true },
    'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
  ],
  [
    { notAfter: 'soon' },
    'spec.notAfter: Invalid value: "soon": spec.notAfter in body must be of type date-time: "soon"',
  ],
  [{ usages: ['a', 'a'] }, 'spec.usages[1]: Duplicate value: "a"'],
  [{ usages: ['a', 'b', 'c', 'd'] }, 'spec.usages: Too many: 4: must have at most 3 items'],
  [{ listeners: [{ port: 1 }, { port: 1 }] }, 'spec.listeners[1]: Duplicate value: {"port":1}'],
  [{ listeners: [{}] }, 'spec.listeners[0].port: Required value'],
  [
    { labels: { a: 1 } },
    'spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer"',
  ],
  [
    { auth: {} },
    '<nil>: Invalid value: "": "spec.auth" must validate one and only one schema (oneOf). Found none valid',
  ],
  [
    { auth: { token: 'a', role: 'b' } },
    '<nil>: Invalid value: "": "spec.auth" must validate one and only one schema (oneOf). Found 2 valid alternatives',
  ],
])("%j is refused in upstream's words", (spec, message) => {
  expect(messages(spec)).toContain(message);
});

test('what is right is accepted', () => {
  expect(
    messages({
      port: '443',
      retries: 0,
      notAfter: '2026-01-01T00:00:00+02:00',
      auth: { token: 'x' },
      usages: ['a', 'b'],
    }),
  ).toEqual([]);
  expect(messages({ port: 443, notAfter: null })).toEqual([]);
  expect(validateObject(issuer, { metadata: {} })).toEqual([
    { field: 'spec', type: 'FieldValueRequired', message: 'Required value' },
  ]);
});

test('built-in kinds are judged by type; nulls and missing fields are for their own rules', () => {
  const { schema } = builtinKind('', 'v1', 'Pod')!;
  const pod = {
    metadata: { creationTimestamp: null },
    spec: {
      containers: [
        { resources: { limits: { cpu: 1, memory: '1Gi' } }, livenessProbe: { httpGet: { port: 'http' } } },
      ],
    },
  };
  expect(validateObject(schema, pod)).toEqual([]);
  expect(
    validateObject(schema, { spec: { containers: 'x', hostPID: 'yes' } }).map(({ field }) => field),
  ).toEqual(['spec.containers', 'spec.hostPID']);
});

test('what is as it was passes, so that a stricter definition does not lock what is there', () => {
  const before = object({
    server: 'ftp',
    retries: 99,
    listeners: [{ port: 1, tls: 5 }],
    usages: ['a', 'a'],
    auth: {},
  });
  const fields = (spec: Json) =>
    validateObject(issuer, object({ ...(before['spec'] as Json), ...spec }), before).map(
      ({ field }) => field,
    );
  expect(validateObject(issuer, before).length).toBeGreaterThan(4);
  expect(fields({ labels: { a: 'b' } })).toEqual([]);
  expect(fields({ retries: 98 })).toEqual(['spec.retries']);
  expect(fields({ listeners: [{ port: 2 }, { port: 1, tls: 5 }] })).toEqual([]);
  expect(fields({ listeners: [{ port: 1, tls: 6 }] })).toEqual(['spec.listeners[0].tls']);
  expect(fields({ usages: ['a', 'a', 'b'] })).toEqual(['spec.usages[1]']);
  expect(fields({ auth: { other: 1 } })).toContain('<nil>');
});

const broken: [string, RawSchema][] = [
  ['type: Required value: must not be empty at the root', {}],
  ['type: Invalid value: "string": must be object at the root', { type: 'string' }],
  [
    'properties[a].type: Required value: must not be empty for specified object fields',
    { type: 'object', properties: { a: {} } },
  ],
  [
    'properties[a].items: Required value: must be specified',
    { type: 'object', properties: { a: { type: 'array' } } },
  ],
  [
    'properties[a].items.type: Required value: must not be empty for specified array items',
    { type: 'object', properties: { a: { type: 'array', items: {} } } },
  ],
  [
    'properties[a].type: Unsupported value: "map": supported values: "array", "boolean", "integer", "number", "object", "string"',
    { type: 'object', properties: { a: { type: 'map' } } },
  ],
  [
    'properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
    {
      type: 'object',
      properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } },
    },
  ],
  [
    'properties[spec].properties[x]',
    {
      type: 'object',
      properties: { spec: { type: 'object', anyOf: [{ properties: { x: { minLength: 1 } } }] } },
    },
  ],
  [
    'properties[spec].anyOf[0].type: Forbidden: must be empty to be structural',
    { type: 'object', properties: { spec: { type: 'object', anyOf: [{ type: 'object' }] } } },
  ],
  [
    'additionalProperties and properties are mutual exclusive',
    {
      type: 'object',
      properties: {
        a: {
          type: 'object',
          additionalProperties: { type: 'string' },
          properties: { b: { type: 'string' } },
        },
      },
    },
  ],
  [
    'properties[a].x-kubernetes-list-map-keys: Required value',
    {
      type: 'object',
      properties: { a: { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } } },
    },
  ],
  [
    'properties[a].$ref: Forbidden: $ref is not supported',
    { type: 'object', properties: { a: { $ref: '#/x', type: 'object' } } },
  ],
  [
    'properties[a].x-kubernetes-validations[0].rule: Required value: rule is not specified',
    { type: 'object', properties: { a: { type: 'string', 'x-kubernetes-validations': [{ message: 'x' }] } } },
  ],
];

test.each(broken)('not structural: %s', (message, schema) => {
  expect(() => compileSchema(schema)).toThrow(message);
});

test('both kinds of an int-or-string may stand in anyOf', () => {
  const port = {
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    pattern: '^[0-9]+$',
  };
  const schema = compileSchema({ type: 'object', properties: { port } });
  expect(validateObject(schema, { port: '1' })).toEqual([]);
  expect(validateObject(schema, { port: 1 })).toEqual([]);
  expect(validateObject(schema, { port: [] }).length).toBeGreaterThan(0);
});

const names = fc.constantFrom('a', 'b', 'c', 'x');
const { node: schemas } = fc.letrec<{ node: RawSchema }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small' },
    fc.record(
      { type: fc.constant('string'), default: fc.string() },
      { requiredKeys: ['type'], noNullPrototype: true },
    ),
    fc.record({ type: fc.constant('integer'), nullable: fc.boolean() }, { noNullPrototype: true }),
    fc.record({ type: fc.constant('array'), items: tie('node') }, { noNullPrototype: true }),
    fc.record(
      {
        type: fc.constant('object'),
        properties: fc.dictionary(names, tie('node'), { noNullPrototype: true }),
      },
      { noNullPrototype: true },
    ),
    fc.record({ type: fc.constant('object'), additionalProperties: tie('node') }, { noNullPrototype: true }),
    fc.constant({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
  ),
}));
const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, 1, 'text', true),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(names, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

test('pruning and defaulting a second time change nothing, and pruning leaves nothing unknown', () => {
  fc.assert(
    fc.property(schemas, values, (raw, value) => {
      const schema = compileSchema({ type: 'object', properties: { spec: raw } });
      const given = { apiVersion: 'a/v1', kind: 'A', metadata: {}, spec: value };
      const before = structuredClone(given);
      const pruned = pruneFields(schema, given);
      expect(unknownFields(schema, pruned)).toEqual([]);
      expect(pruneFields(schema, pruned)).toBe(pruned);
      const filled = applyDefaults(schema, pruned);
      expect(applyDefaults(schema, filled)).toBe(filled);
      expect(unknownFields(schema, filled)).toEqual([]);
      expect(given).toEqual(before);
    }),
    { numRuns: 300 },
  );
});
