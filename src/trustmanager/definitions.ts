import type { KubeObject } from '../kube/resource.ts';
import { bundles } from './bundle.ts';

type Schema = Readonly<Record<string, unknown>>;

const text = (description: string, limits: Schema = { minLength: 1, maxLength: 253 }): Schema => ({
  description,
  type: 'string',
  ...limits,
});

const object = (description: string, properties: Record<string, Schema>, more: Schema = {}): Schema => ({
  description,
  type: 'object',
  properties,
  ...more,
});

const atomic: Schema = { 'x-kubernetes-map-type': 'atomic' };

/** A rule that `howMany` of `fields` are set, in the words that kubectl users know. */
function fieldsSet(howMany: 'exactly one' | 'at least one', fields: readonly string[]): Schema {
  const set = fields.map((field) => `has(self.${field})`).join(',');
  return {
    'x-kubernetes-validations': [
      {
        rule: `[${set}].filter(x,x==true).size() ${howMany === 'exactly one' ? '==' : '>='} 1`,
        message: `${howMany} of the fields in [${fields.join(' ')}] must be set`,
      },
    ],
  };
}

const labelMap = (description: string): Schema => ({
  description,
  type: 'object',
  additionalProperties: { type: 'string' },
});

const labelSelector = (description: string): Schema =>
  object(
    description,
    {
      matchExpressions: {
        description: 'Requirements on labels, all of which must hold.',
        type: 'array',
        'x-kubernetes-list-type': 'atomic',
        items: object(
          'A requirement on the label of one key.',
          {
            key: text('Key of the label.', {}),
            operator: text('In, NotIn, Exists or DoesNotExist.', {}),
            values: {
              description: 'Values for In and NotIn; none for Exists and DoesNotExist.',
              type: 'array',
              items: { type: 'string' },
              'x-kubernetes-list-type': 'atomic',
            },
          },
          { required: ['key', 'operator'] },
        ),
      },
      matchLabels: labelMap('Labels that must be there with exactly these values.'),
    },
    atomic,
  );

const sourceSelector = (kind: string): Schema =>
  object(
    `Reads certificates from the ${kind} of this name, or from each ${kind} with these labels, in the trust namespace.`,
    {
      name: text(`Name of the ${kind}.`),
      selector: labelSelector(`Labels of each ${kind} to read.`),
      key: text('Key of the data entry to read.'),
      includeAllKeys: {
        description: 'Reads every entry of the data; not together with key.',
        type: 'boolean',
      },
    },
    { ...atomic, ...fieldsSet('exactly one', ['name', 'selector']) },
  );

const source = object(
  'One place to take certificates from.',
  {
    configMap: sourceSelector('ConfigMap'),
    secret: sourceSelector('Secret'),
    inLine: text('PEM certificates, written here.', { minLength: 1, maxLength: 1_048_576 }),
    useDefaultCAs: {
      description: 'Takes the default CA package; this controller is run without one.',
      type: 'boolean',
    },
  },
  { ...atomic, ...fieldsSet('exactly one', ['configMap', 'secret', 'inLine', 'useDefaultCAs']) },
);

const targetTemplate = (kind: string): Schema =>
  object(
    `Writes the bundle to a ${kind} of the Bundle's name in each selected namespace.`,
    {
      key: text('Key of the data entry to write.'),
      metadata: object(
        `What the ${kind} shall hold besides.`,
        {
          annotations: { ...labelMap('Annotations to set.'), minProperties: 1 },
          labels: { ...labelMap('Labels to set.'), minProperties: 1 },
        },
        { minProperties: 1 },
      ),
    },
    { required: ['key'] },
  );

const keystore = (name: string, password: Schema, more: Record<string, Schema> = {}): Schema =>
  object(
    `Adds the bundle as a ${name} trust store; not written by this controller.`,
    { key: text('Key of the data entry to write.'), password, ...more },
    { ...atomic, minProperties: 1, required: ['key'] },
  );

const target = object(
  'Where the bundle is written.',
  {
    configMap: targetTemplate('ConfigMap'),
    secret: targetTemplate('Secret'),
    namespaceSelector: labelSelector('Labels of the namespaces to write to; every namespace where absent.'),
    additionalFormats: object(
      'Further forms of the bundle.',
      {
        jks: keystore(
          'JKS',
          text('Password of the store.', { minLength: 1, maxLength: 128, default: 'changeit' }),
        ),
        pkcs12: keystore(
          'PKCS#12',
          text('Password of the store; none where empty.', { minLength: 0, maxLength: 128, default: '' }),
          {
            profile: text('Algorithms of the store.', { enum: ['LegacyRC2', 'LegacyDES', 'Modern2023'] }),
          },
        ),
      },
      fieldsSet('at least one', ['jks', 'pkcs12']),
    ),
  },
  fieldsSet('at least one', ['configMap', 'secret']),
);

const condition = object(
  'One aspect of the state of the Bundle.',
  {
    type: text('What it is about.', {
      maxLength: 316,
      pattern:
        '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$',
    }),
    status: { description: 'Whether it holds.', type: 'string', enum: ['True', 'False', 'Unknown'] },
    reason: text('Why, in one word.', {
      minLength: 1,
      maxLength: 1_024,
      pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
    }),
    message: text('Why, for people.', { maxLength: 32_768 }),
    lastTransitionTime: text('When the status last changed.', { format: 'date-time' }),
    observedGeneration: {
      description: 'Generation of the Bundle that this was said of.',
      type: 'integer',
      format: 'int64',
      minimum: 0,
    },
  },
  { required: ['lastTransitionTime', 'message', 'reason', 'status', 'type'] },
);

const bundleSchema: Schema = {
  description: 'Certificates to trust, gathered from sources and written to a ConfigMap in many namespaces.',
  type: 'object',
  required: ['spec'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    spec: object(
      'What is wanted.',
      {
        sources: {
          description: 'Where the certificates come from.',
          type: 'array',
          items: source,
          minItems: 1,
          maxItems: 100,
          'x-kubernetes-list-type': 'atomic',
        },
        target,
      },
      { required: ['sources'] },
    ),
    status: object(
      'What is.',
      {
        conditions: {
          description: 'Whether the targets are in step, and if not why.',
          type: 'array',
          items: condition,
          minItems: 0,
          maxItems: 10,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
        },
        defaultCAVersion: text('Version of the default CA package that was used.'),
      },
      { minProperties: 1 },
    ),
  },
};

const column = (name: string, jsonPath: string, description: string, type = 'string') => ({
  name,
  type,
  jsonPath,
  description,
});

/** The CustomResourceDefinitions that the controller needs. */
export function trustManagerDefinitions(): KubeObject[] {
  const { group, version, kind, plural } = bundles;
  const synced = (field: string) => `.status.conditions[?(@.type == "Synced")].${field}`;
  const definition: KubeObject & { spec: unknown } = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: 'bundle' },
      scope: 'Cluster',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: bundleSchema },
          subresources: { status: {} },
          additionalPrinterColumns: [
            column('ConfigMap Target', '.spec.target.configMap.key', 'Key written in target ConfigMaps'),
            column('Secret Target', '.spec.target.secret.key', 'Key written in target Secrets'),
            column('Synced', synced('status'), 'Whether the targets are in step'),
            column('Reason', synced('reason'), 'Why they are or are not'),
            column('Age', '.metadata.creationTimestamp', 'When the Bundle was created', 'date'),
          ],
        },
      ],
    },
  };
  return [definition];
}
