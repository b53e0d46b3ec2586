import { expect, test } from 'vitest';
import { certManagerDefinitions } from './definitions.ts';

interface Definition {
  metadata: { name: string };
  spec: {
    names: { shortNames: string[]; categories: string[] };
    scope: string;
    versions: {
      schema: { openAPIV3Schema: Schema };
      additionalPrinterColumns: { name: string; priority?: number }[];
      selectableFields?: { jsonPath: string }[];
      subresources: object;
    }[];
  };
}

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  required?: string[];
}

const definitions = certManagerDefinitions() as unknown as Definition[];

test('the four kinds, their short names, scopes and columns', () => {
  const seen = definitions.map(({ metadata, spec: { names, scope, versions } }) => [
    metadata.name,
    scope,
    names.shortNames.join(),
    versions[0]!.additionalPrinterColumns
      .map(({ name, priority }) => (priority ? `[${name}]` : name))
      .join(' '),
    versions[0]!.selectableFields?.length ?? 0,
  ]);
  expect(seen).toEqual([
    [
      'certificates.cert-manager.io',
      'Namespaced',
      'cert,certs',
      'Ready Secret [Issuer] [Status] [Expiration] Age',
      3,
    ],
    [
      'certificaterequests.cert-manager.io',
      'Namespaced',
      'cr,crs',
      'Approved Denied Ready Issuer Requester [Status] Age',
      3,
    ],
    ['issuers.cert-manager.io', 'Namespaced', 'iss', 'Ready [Status] Age', 0],
    ['clusterissuers.cert-manager.io', 'Cluster', 'ciss', 'Ready [Status] Age', 0],
  ]);
  for (const { spec } of definitions) {
    expect(spec.names.categories).toEqual(['cert-manager']);
    expect(spec.versions[0]!.subresources).toEqual({ status: {} });
  }
});

test('every schema is structural: a type everywhere, and only known fields required', () => {
  let nodes = 0;
  const check = (schema: Schema, path: string): void => {
    nodes++;
    expect(schema.type, path).toEqual(expect.any(String));
    for (const field of schema.required ?? [])
      expect(Object.keys(schema.properties ?? {}), path).toContain(field);
    for (const [name, property] of Object.entries(schema.properties ?? {}))
      check(property, `${path}.${name}`);
    if (schema.items) check(schema.items, `${path}[]`);
    if (schema.additionalProperties) check(schema.additionalProperties, `${path}.*`);
  };
  for (const { metadata, spec } of definitions)
    check(spec.versions[0]!.schema.openAPIV3Schema, metadata.name);
  expect(nodes).toBeGreaterThan(250);
});
