import { expect, test } from 'vitest';
import { crdErrors, withCrdDefaults } from './crd-rules.ts';
import type { Json } from './structural.ts';

const schema = {
  openAPIV3Schema: {
    type: 'object',
    properties: { spec: { type: 'object', properties: { a: { type: 'string', default: 'x' } } } },
  },
};
const version = { name: 'v1', served: true, storage: true, schema };

function definition(spec: Json = {}, rest: Json = {}): Json {
  return withCrdDefaults({
    metadata: { name: 'issuers.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'issuers', kind: 'Issuer' },
      versions: [version],
      ...spec,
    },
    ...rest,
  });
}

const problems = (crd: Json, old?: Json) =>
  crdErrors(crd, old).map(({ field, message }) => `${field}: ${message}`);

test('what a definition leaves out is filled in, and it is right', () => {
  const crd = definition();
  expect(crd).toMatchObject({
    spec: { names: { singular: 'issuer', listKind: 'IssuerList' }, conversion: { strategy: 'None' } },
    status: { storedVersions: ['v1'] },
  });
  expect(problems(crd)).toEqual([]);
  expect(withCrdDefaults(crd)).toEqual(crd);
});

test.each<[Json, string]>([
  [
    { group: 'other.com' },
    'metadata.name: Invalid value: "issuers.example.com": must be spec.names.plural+"."+spec.group',
  ],
  [{ group: 'example' }, 'spec.group: Invalid value: "example": should be a domain with at least one dot'],
  [{ scope: 'Galaxy' }, 'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'],
  [{ versions: [{ ...version, storage: false }] }, 'must have exactly one version marked as storage version'],
  [{ versions: [version, { ...version, storage: false }] }, 'must contain unique version names'],
  [
    { versions: [{ ...version, name: '1' }] },
    'spec.versions[0].name: Invalid value: "1": a DNS-1035 label must consist of',
  ],
  [
    { versions: [{ ...version, schema: undefined }] },
    'spec.versions[0].schema.openAPIV3Schema: Required value',
  ],
  [
    { versions: [{ ...version, schema: { openAPIV3Schema: { type: 'object', properties: { spec: {} } } } }] },
    'spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields',
  ],
  [
    { versions: [version, { name: 'v2', schema: { openAPIV3Schema: {} } }] },
    'spec.versions[1].schema.openAPIV3Schema.type: Required value: must not be empty at the root',
  ],
  [
    {
      versions: [{ ...version, additionalPrinterColumns: [{ name: 'A', type: 'text', jsonPath: 'status' }] }],
    },
    'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
  ],
  [
    {
      versions: [{ ...version, additionalPrinterColumns: [{ name: 'A', type: 'date', jsonPath: 'status' }] }],
    },
    'spec.versions[0].additionalPrinterColumns[0].JSONPath: Invalid value: "status": must be a simple json path starting with .',
  ],
  [
    { versions: [{ ...version, subresources: { scale: { specReplicasPath: '.status.x' } } }] },
    'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".status.x": should be a json path under .spec',
  ],
  [
    { names: { plural: 'issuers', kind: 'Issuer', listKind: 'Issuer' } },
    'spec.names.listKind: Invalid value: "Issuer": kind and listKind may not be the same',
  ],
  [
    { names: { plural: 'issuers', kind: 'Issuer', shortNames: ['Iss'] } },
    'spec.names.shortNames[0]: Invalid value: "Iss": a DNS-1035 label',
  ],
  [
    { conversion: { strategy: 'Webhook' } },
    'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
  ],
  [{ preserveUnknownFields: true }, 'spec.preserveUnknownFields: Invalid value: true'],
  [
    { versions: [{ ...version, deprecationWarning: 'x' }] },
    'spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions',
  ],
])('%j is refused', (spec, message) => {
  expect(problems(definition(spec)).join('\n')).toContain(message);
});

test('a selectable field is a scalar of the schema', () => {
  const selecting = (...paths: string[]) =>
    problems(
      definition({ versions: [{ ...version, selectableFields: paths.map((jsonPath) => ({ jsonPath })) }] }),
    );
  const at = 'spec.versions[0].selectableFields';
  expect(selecting('.spec.a')).toEqual([]);
  expect(selecting('.spec', '.spec.b', '.metadata.name', '.spec.a', '.spec.a')).toEqual([
    expect.stringContaining(
      `${at}[0].jsonPath: Invalid value: ".spec": must point to a field of type string`,
    ),
    expect.stringContaining(`${at}[1].jsonPath: Invalid value: ".spec.b": must point to`),
    `${at}[2].jsonPath: Invalid value: ".metadata.name": must not point to fields in metadata`,
    `${at}[4].jsonPath: Duplicate value: ".spec.a"`,
  ]);
  expect(selecting(...Array.from({ length: 9 }, () => '.spec.a')).at(-1)).toBe(
    `${at}: Too many: 9: must have at most 8 items`,
  );
});

test('a default must pass its own schema, and be whole', () => {
  const withDefault = (property: Json) =>
    definition({
      versions: [
        {
          ...version,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', properties: { a: property } } },
            },
          },
        },
      ],
    });
  const at = 'spec.validation.openAPIV3Schema.properties[spec].properties[a].default';
  expect(problems(withDefault({ type: 'string', default: 1 }))[0]).toMatch(`${at}: Invalid value: "integer"`);
  expect(
    problems(withDefault({ type: 'object', default: { x: 1 }, properties: { y: { type: 'string' } } }))[0],
  ).toMatch(`${at}: Invalid value: {"x":1}: must not have unknown fields`);
  expect(
    problems(withDefault({ type: 'object', default: { y: '1' }, properties: { y: { type: 'string' } } })),
  ).toEqual([]);
});

test('what names an established kind stays, and no stored version goes', () => {
  const old = definition(
    {},
    { status: { storedVersions: ['v1'], conditions: [{ type: 'Established', status: 'True' }] } },
  );
  expect(problems(definition({ scope: 'Cluster' }), old)).toEqual([
    'spec.scope: Invalid value: "Cluster": field is immutable',
  ]);
  const moved = definition(
    { versions: [{ ...version, name: 'v2' }] },
    { status: { storedVersions: ['v1', 'v2'] } },
  );
  expect(problems(moved, old)[0]).toMatch(
    'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions',
  );
});
