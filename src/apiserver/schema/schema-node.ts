/**
 * What is known about one place in an object: the one form in which schemas of built-in kinds and of custom
 * resources are kept, so that pruning, defaulting, validation, patches and apply are written once.
 *
 * The keywords are those of OpenAPI v3 as Kubernetes uses it, the `x-kubernetes-` ones without their prefix and in
 * camel case. Nodes of built-in kinds are shared and may form cycles (JSONSchemaProps); nothing may change one.
 */
export interface SchemaNode {
  /** The component's name (`io.k8s.api.core.v1.Secret`) where this node is a definition of its own. */
  readonly name?: string;
  readonly type?: SchemaType;
  readonly format?: string;
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  /** The values of a map; `true` admits anything. */
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly required?: readonly string[];
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly example?: unknown;
  readonly externalDocs?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly not?: SchemaNode;
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listMapKeys?: readonly string[];
  readonly mapType?: 'atomic' | 'granular';
  /** `merge`, `retainKeys`, `replace` or `merge,retainKeys`; built-in kinds only. */
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly intOrString?: boolean;
  readonly preserveUnknownFields?: boolean;
  readonly embeddedResource?: boolean;
  /** CEL rules. Published with the schema. */
  readonly validations?: readonly unknown[];
}

export type SchemaType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';

/** A schema as it is written in JSON. */
export type RawSchema = Readonly<Record<string, unknown>>;

/** The node's key for each keyword that is carried over as it stands. */
const plainKeywords: Readonly<Record<string, keyof SchemaNode>> = {
  type: 'type',
  format: 'format',
  title: 'title',
  description: 'description',
  required: 'required',
  nullable: 'nullable',
  default: 'default',
  example: 'example',
  externalDocs: 'externalDocs',
  enum: 'enum',
  pattern: 'pattern',
  minimum: 'minimum',
  maximum: 'maximum',
  exclusiveMinimum: 'exclusiveMinimum',
  exclusiveMaximum: 'exclusiveMaximum',
  multipleOf: 'multipleOf',
  minLength: 'minLength',
  maxLength: 'maxLength',
  minItems: 'minItems',
  maxItems: 'maxItems',
  uniqueItems: 'uniqueItems',
  minProperties: 'minProperties',
  maxProperties: 'maxProperties',
  'x-kubernetes-list-type': 'listType',
  'x-kubernetes-list-map-keys': 'listMapKeys',
  'x-kubernetes-map-type': 'mapType',
  'x-kubernetes-patch-strategy': 'patchStrategy',
  'x-kubernetes-patch-merge-key': 'patchMergeKey',
  'x-kubernetes-int-or-string': 'intOrString',
  'x-kubernetes-preserve-unknown-fields': 'preserveUnknownFields',
  'x-kubernetes-embedded-resource': 'embeddedResource',
  'x-kubernetes-validations': 'validations',
};

type Draft = { -readonly [Key in keyof SchemaNode]: SchemaNode[Key] };

/** Finds the node of a definition that a `$ref` names. */
export type ResolveRef = (name: string) => SchemaNode;

/**
 * The node of `raw`. Unknown keywords and values of the wrong form are dropped: judge a schema that a user wrote
 * first (compileSchema). A `$ref` with keywords beside it gives a copy of what it names with those laid over.
 */
export function readNode(raw: RawSchema, resolve: ResolveRef): SchemaNode {
  const ref = raw['$ref'];
  if (typeof ref !== 'string') return fillNode({}, raw, resolve);
  const target = resolve(ref);
  return Object.keys(raw).length === 1 ? target : fillNode({ ...target }, raw, resolve);
}

/** Fills `node` from `raw` in place, so that a definition can be known by its references before it is complete. */
export function fillNode(node: Draft, raw: RawSchema, resolve: ResolveRef): SchemaNode {
  const child = (value: unknown) => readNode(value as RawSchema, resolve);
  const carried = node as Record<string, unknown>;
  for (const [keyword, value] of Object.entries(raw)) {
    const key = plainKeywords[keyword];
    if (key !== undefined) {
      carried[key] = value;
    } else if (keyword === 'properties') {
      node.properties = Object.fromEntries(
        Object.entries(value as RawSchema).map(([name, property]) => [name, child(property)]),
      );
    } else if (keyword === 'additionalProperties') {
      node.additionalProperties = typeof value === 'boolean' ? value : child(value);
    } else if (keyword === 'items' || keyword === 'not') {
      node[keyword] = child(value);
    } else if (keyword === 'allOf' || keyword === 'anyOf' || keyword === 'oneOf') {
      node[keyword] = (value as unknown[]).map(child);
    }
  }
  return node;
}

/**
 * The JSON form of `node`, the reverse of readNode. Named definitions inside are written as references to
 * `#/components/schemas/`, those that `node` itself is made of are spelled out.
 */
export function writeNode(node: SchemaNode): Record<string, unknown> {
  const raw: Record<string, unknown> = {};
  for (const [keyword, key] of Object.entries(plainKeywords)) {
    if (node[key] !== undefined) raw[keyword] = node[key];
  }
  if (node.properties) {
    raw['properties'] = Object.fromEntries(
      Object.entries(node.properties).map(([name, property]) => [name, writeReference(property)]),
    );
  }
  if (node.additionalProperties !== undefined) {
    const values = node.additionalProperties;
    raw['additionalProperties'] = typeof values === 'boolean' ? values : writeReference(values);
  }
  for (const key of ['items', 'not'] as const) {
    if (node[key]) raw[key] = writeReference(node[key]);
  }
  for (const key of ['allOf', 'anyOf', 'oneOf'] as const) {
    if (node[key]) raw[key] = node[key].map(writeReference);
  }
  return raw;
}

/** OpenAPI 3.0 ignores what stands beside a `$ref`; an `allOf` of one keeps both, as upstream writes it. */
function writeReference(node: SchemaNode): Record<string, unknown> {
  if (node.name === undefined) return writeNode(node);
  const reference = { $ref: `#/components/schemas/${node.name}` };
  if (node.patchStrategy === undefined && node.default === undefined) return reference;
  return {
    allOf: [reference],
    ...(node.default === undefined ? {} : { default: node.default }),
    ...(node.patchStrategy === undefined ? {} : { 'x-kubernetes-patch-strategy': node.patchStrategy }),
  };
}
