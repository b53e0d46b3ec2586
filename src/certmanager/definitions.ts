import type { KubeObject, Resource } from '../kube/resource.ts';
import { certificateRequests, certificates, clusterIssuers, issuers } from './kinds.ts';
import { certificateSchema } from './schema/certificate.ts';
import { certificateRequestSchema } from './schema/certificate-request.ts';
import { clusterIssuerSchema, issuerSchema } from './schema/issuer.ts';
import type { SchemaProps } from './schema/node.ts';

interface Column {
  name: string;
  type: 'string' | 'date';
  jsonPath: string;
  /** 1 shows with `-o wide` only. */
  priority?: 1;
}

interface Definition {
  resource: Resource;
  shortNames: readonly string[];
  schema: SchemaProps;
  columns: readonly Column[];
  selectableFields?: readonly string[];
}

const condition = (type: string, part: 'status' | 'message') =>
  `.status.conditions[?(@.type == "${type}")].${part}`;
const ready: Column = { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') };
const status: Column = {
  name: 'Status',
  type: 'string',
  jsonPath: condition('Ready', 'message'),
  priority: 1,
};
const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
const issuerFields = ['.spec.issuerRef.group', '.spec.issuerRef.kind', '.spec.issuerRef.name'];

const definitions: readonly Definition[] = [
  {
    resource: certificates,
    shortNames: ['cert', 'certs'],
    schema: certificateSchema,
    columns: [
      ready,
      { name: 'Secret', type: 'string', jsonPath: '.spec.secretName' },
      { name: 'Issuer', type: 'string', jsonPath: '.spec.issuerRef.name', priority: 1 },
      status,
      { name: 'Expiration', type: 'string', jsonPath: '.status.notAfter', priority: 1 },
      age,
    ],
    selectableFields: issuerFields,
  },
  {
    resource: certificateRequests,
    shortNames: ['cr', 'crs'],
    schema: certificateRequestSchema,
    columns: [
      { name: 'Approved', type: 'string', jsonPath: condition('Approved', 'status') },
      { name: 'Denied', type: 'string', jsonPath: condition('Denied', 'status') },
      ready,
      { name: 'Issuer', type: 'string', jsonPath: '.spec.issuerRef.name' },
      { name: 'Requester', type: 'string', jsonPath: '.spec.username' },
      status,
      age,
    ],
    selectableFields: issuerFields,
  },
  { resource: issuers, shortNames: ['iss'], schema: issuerSchema, columns: [ready, status, age] },
  {
    resource: clusterIssuers,
    shortNames: ['ciss'],
    schema: clusterIssuerSchema,
    columns: [ready, status, age],
  },
];

/** The CustomResourceDefinitions of `cert-manager.io/v1`, ready to be created on any API server. */
export function certManagerDefinitions(): KubeObject[] {
  return definitions.map(definitionObject);
}

function definitionObject({ resource, shortNames, schema, columns, selectableFields }: Definition) {
  const { group, version, kind, plural, namespaced } = resource;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames,
        categories: ['cert-manager'],
      },
      scope: namespaced ? 'Namespaced' : 'Cluster',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          additionalPrinterColumns: columns,
          ...(selectableFields
            ? { selectableFields: selectableFields.map((jsonPath) => ({ jsonPath })) }
            : {}),
          subresources: { status: {} },
        },
      ],
    },
  };
}
