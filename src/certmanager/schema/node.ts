/** The part of OpenAPI v3 that a structural schema may hold (apiextensions.k8s.io/v1 JSONSchemaProps). */
export interface SchemaProps {
  type: string;
  description?: string;
  format?: string;
  enum?: readonly string[];
  pattern?: string;
  minLength?: number;
  properties?: Readonly<Record<string, SchemaProps>>;
  required?: readonly string[];
  items?: SchemaProps;
  additionalProperties?: SchemaProps;
  'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set';
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-validations'?: readonly { rule: string; message: string }[];
}

interface ObjectOptions {
  required?: readonly string[];
  description?: string;
}

const described = (description: string | undefined) => (description === undefined ? {} : { description });

export function object(
  properties: Readonly<Record<string, SchemaProps>>,
  { required, description }: ObjectOptions = {},
): SchemaProps {
  return {
    ...described(description),
    type: 'object',
    ...(required === undefined ? {} : { required: required.toSorted() }),
    properties,
  };
}

export const text = (description?: string): SchemaProps => ({ ...described(description), type: 'string' });
export const flag = (description?: string): SchemaProps => ({ ...described(description), type: 'boolean' });
export const whole = (format?: 'int32' | 'int64', description?: string): SchemaProps => ({
  ...described(description),
  type: 'integer',
  ...(format === undefined ? {} : { format }),
});
/** base64 on the wire. */
export const bytes = (description?: string): SchemaProps => ({
  ...described(description),
  type: 'string',
  format: 'byte',
});
export const time = (description?: string): SchemaProps => ({
  ...described(description),
  type: 'string',
  format: 'date-time',
});
export const oneOf = (values: readonly string[], description?: string): SchemaProps => ({
  ...described(description),
  type: 'string',
  enum: values,
});
/** A list that is replaced as a whole. */
export const list = (items: SchemaProps, description?: string): SchemaProps => ({
  ...described(description),
  type: 'array',
  items,
  'x-kubernetes-list-type': 'atomic',
});
export const texts = (description?: string): SchemaProps => list(text(), description);
export const textMap = (description?: string): SchemaProps => ({
  ...described(description),
  type: 'object',
  additionalProperties: text(),
});
/** An object whose fields are kept as they come. */
export const opaque = (description: string): SchemaProps => ({
  description,
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
});

export const secretKey = (description?: string): SchemaProps =>
  object(
    { name: text('Name of the Secret.'), key: text("Key in the Secret's data.") },
    { required: ['name'], ...described(description) },
  );

export const issuerRef: SchemaProps = object(
  {
    name: text('Name of the issuer.'),
    kind: text('Issuer (the default), ClusterIssuer, or a kind of another group.'),
    group: text('API group of the issuer; cert-manager.io by default.'),
  },
  { required: ['name'], description: 'Who signs.' },
);

/** metav1-like conditions, keyed by type; Certificates and issuers also say which generation was judged. */
export function conditions(options: { observedGeneration: boolean }): SchemaProps {
  return {
    description: 'What is known about the object, one entry for each type.',
    type: 'array',
    items: object(
      {
        type: text(),
        status: oneOf(['True', 'False', 'Unknown']),
        reason: text(),
        message: text(),
        lastTransitionTime: time('When the status last changed.'),
        ...(options.observedGeneration
          ? { observedGeneration: whole('int64', 'The generation of the spec that was judged.') }
          : {}),
      },
      { required: ['status', 'type'] },
    ),
    'x-kubernetes-list-map-keys': ['type'],
    'x-kubernetes-list-type': 'map',
  };
}

/** Every usage that a Certificate may ask for. */
export const usages: SchemaProps = list(
  oneOf([
    'signing',
    'digital signature',
    'content commitment',
    'key encipherment',
    'key agreement',
    'data encipherment',
    'cert sign',
    'crl sign',
    'encipher only',
    'decipher only',
    'any',
    'server auth',
    'client auth',
    'code signing',
    'email protection',
    's/mime',
    'ipsec end system',
    'ipsec tunnel',
    'ipsec user',
    'timestamping',
    'ocsp signing',
    'microsoft sgc',
    'netscape sgc',
  ]),
  'Key usages and extended key usages; digital signature and key encipherment by default.',
);

/** The whole object around a kind's spec and status. */
export function kindSchema(
  description: string,
  spec: SchemaProps,
  status: SchemaProps,
  options: { specRequired?: boolean } = {},
): SchemaProps {
  return object(
    { apiVersion: text(), kind: text(), metadata: { type: 'object' }, spec, status },
    { description, ...(options.specRequired ? { required: ['spec'] } : {}) },
  );
}
