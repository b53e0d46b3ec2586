import { junctorErrors } from './crd-schema-junctors.ts';
import { child, type FieldError, forbidden, invalid, notSupported, required } from './field-error.ts';
import { compilePattern } from './pattern.ts';
import type { RawSchema } from './schema-node.ts';

/** Where in a schema a node stands; it decides what the node must say. */
type Level = 'root' | 'items' | 'field';

const schemaTypes = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

/** Keywords of JSON schema that a definition may not use, with upstream's reason. */
const unsupported: Readonly<Record<string, string>> = {
  $ref: '$ref is not supported',
  id: 'id is not supported',
  additionalItems: 'additionalItems is not supported',
  patternProperties: 'patternProperties is not supported',
  definitions: 'definitions is not supported',
  dependencies: 'dependencies is not supported',
};

/**
 * Why a definition's schema is not structural, or uses what custom resources may not (apiextensions v1). Rules in
 * CEL are kept, and judged only in form.
 *
 * @param path the field that holds the schema, such as `spec.versions[0].schema.openAPIV3Schema`
 */
export function structuralErrors(schema: RawSchema, path: string): FieldError[] {
  return [...nodeErrors(schema, path, 'root'), ...rootErrors(schema, path)];
}

function rootErrors(schema: RawSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema['nullable'] === true)
    errors.push(forbidden(child(path, 'nullable'), 'nullable cannot be true at the root'));
  if (schema['additionalProperties'] !== undefined) {
    errors.push(forbidden(child(path, 'additionalProperties'), 'must not be used at the root'));
  }
  if (typeof schema['type'] === 'string' && schema['type'] !== 'object') {
    errors.push(invalid(child(path, 'type'), schema['type'], 'must be object at the root'));
  }
  return errors;
}

function nodeErrors(node: RawSchema, path: string, level: Level): FieldError[] {
  return [
    ...keywordErrors(node, path),
    ...typeErrors(node, path, level),
    ...metadataErrors(node, path, level),
    ...extensionErrors(node, path),
    ...listErrors(node, path),
    ...ruleErrors(node, path),
    ...junctorErrors(node, path),
    ...childErrors(node, path),
  ];
}

function childErrors(node: RawSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [name, property] of entries(node['properties'])) {
    errors.push(...nodeErrors(property, `${child(path, 'properties')}[${name}]`, 'field'));
  }
  const values = node['additionalProperties'];
  if (isSchema(values)) errors.push(...nodeErrors(values, child(path, 'additionalProperties'), 'field'));
  if (isSchema(node['items'])) errors.push(...nodeErrors(node['items'], child(path, 'items'), 'items'));
  return errors;
}

function keywordErrors(node: RawSchema, path: string): FieldError[] {
  const errors = Object.entries(unsupported)
    .filter(([keyword]) => node[keyword] !== undefined)
    .map(([keyword, why]) => forbidden(child(path, keyword), why));
  if (node['uniqueItems'] === true) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    errors.push(forbidden(child(path, 'uniqueItems'), why));
  }
  const values = node['additionalProperties'];
  if (entries(node['properties']).length > 0 && (values === false || isSchema(values))) {
    const why = 'additionalProperties and properties are mutual exclusive';
    errors.push(forbidden(child(path, 'additionalProperties'), why));
  }
  if (Array.isArray(node['items'])) {
    errors.push(forbidden(child(path, 'items'), 'items must be a schema object and not an array'));
  }
  const pattern = node['pattern'];
  if (typeof pattern === 'string' && !compilePattern(pattern)) {
    errors.push(invalid(child(path, 'pattern'), pattern, "must be a valid regular expression, but isn't"));
  }
  return errors;
}

function typeErrors(node: RawSchema, path: string, level: Level): FieldError[] {
  const at = child(path, 'type');
  const type = node['type'];
  const embedded = node['x-kubernetes-embedded-resource'] === true;
  if (type === undefined || type === '') {
    if (embedded) return [required(at, 'must be object if x-kubernetes-embedded-resource is true')];
    if (node['x-kubernetes-int-or-string'] || node['x-kubernetes-preserve-unknown-fields']) return [];
    const where = {
      root: 'at the root',
      items: 'for specified array items',
      field: 'for specified object fields',
    };
    return [required(at, `must not be empty ${where[level]}`)];
  }
  if (type === 'null') return [forbidden(at, 'type cannot be set to null, use nullable as an alternative')];
  if (!schemaTypes.includes(type as string)) return [notSupported(at, type, schemaTypes)];
  if (embedded && type !== 'object') {
    return [invalid(at, type, 'must be object if x-kubernetes-embedded-resource is true')];
  }
  if (type === 'array' && node['items'] === undefined)
    return [required(child(path, 'items'), 'must be specified')];
  return [];
}

/** The API defines metadata; a definition may only restrict the name. */
function metadataErrors(node: RawSchema, path: string, level: Level): FieldError[] {
  const properties = Object.fromEntries(entries(node['properties']));
  if (level !== 'root' && node['x-kubernetes-embedded-resource'] !== true) return [];
  const errors: FieldError[] = [];
  for (const [name, type] of [
    ['apiVersion', 'string'],
    ['kind', 'string'],
    ['metadata', 'object'],
  ] as const) {
    const found = properties[name]?.['type'];
    const at = `${child(path, 'properties')}[${name}]`;
    if (properties[name] && found !== type)
      errors.push(invalid(`${at}.type`, found ?? '', `must be ${type}`));
    if (level === 'root' && properties[name]?.['default'] !== undefined) {
      errors.push(forbidden(`${at}.default`, `must not be set in top-level ${name}`));
    }
  }
  const { type: _, default: __, properties: restricted, ...rest } = properties['metadata'] ?? {};
  const only = ['name', 'generateName'];
  if (
    level === 'root' &&
    (Object.keys(rest).some((keyword) => keyword !== 'description') ||
      Object.keys(restricted ?? {}).some((name) => !only.includes(name)))
  ) {
    const why =
      'must not specify anything other than name and generateName, but metadata is implicitly specified';
    errors.push(forbidden(`${child(path, 'properties')}[metadata]`, why));
  }
  return errors;
}

function extensionErrors(node: RawSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const preserve = 'x-kubernetes-preserve-unknown-fields';
  const embedded = 'x-kubernetes-embedded-resource';
  if (node[preserve] === false)
    errors.push(invalid(child(path, preserve), false, 'must be true or undefined'));
  for (const other of [preserve, embedded]) {
    if (node['x-kubernetes-int-or-string'] === true && node[other] === true) {
      errors.push(invalid(child(path, other), true, 'must be false if x-kubernetes-int-or-string is true'));
    }
  }
  if (node[embedded] === true && node['additionalProperties'] !== undefined) {
    errors.push(forbidden(child(path, 'additionalProperties'), `must not be used if ${embedded} is set`));
  }
  if (node[embedded] === true && node[preserve] !== true && entries(node['properties']).length === 0) {
    errors.push(
      required(child(path, 'properties'), `must not be empty if ${embedded} is true without ${preserve}`),
    );
  }
  const mapType = node['x-kubernetes-map-type'];
  if (mapType === undefined) return errors;
  if (node['type'] !== 'object') errors.push(wrongType(node, path, 'object', 'x-kubernetes-map-type'));
  if (mapType !== 'atomic' && mapType !== 'granular') {
    errors.push(notSupported(child(path, 'x-kubernetes-map-type'), mapType, ['atomic', 'granular']));
  }
  return errors;
}

function wrongType(node: RawSchema, path: string, type: string, keyword: string): FieldError {
  const why = `must be ${type} if ${keyword} is specified`;
  return node['type'] === undefined
    ? required(child(path, 'type'), why)
    : invalid(child(path, 'type'), node['type'], why);
}

function listErrors(node: RawSchema, path: string): FieldError[] {
  const listType = node['x-kubernetes-list-type'];
  const keys = node['x-kubernetes-list-map-keys'] as string[] | undefined;
  const at = child(path, 'x-kubernetes-list-type');
  const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
  const errors: FieldError[] = [];
  if (keys?.length && listType !== 'map') {
    errors.push(listType === undefined ? required(at, why) : invalid(at, listType, why));
  }
  if (listType === undefined) return errors;
  if (node['type'] !== 'array') errors.push(wrongType(node, path, 'array', 'x-kubernetes-list-type'));
  if (listType !== 'atomic' && listType !== 'set' && listType !== 'map') {
    return [...errors, notSupported(at, listType, ['atomic', 'set', 'map'])];
  }
  const items = node['items'];
  if (listType === 'atomic' || !isSchema(items)) return errors;
  if (items['nullable'] === true) {
    const reason = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    errors.push(forbidden(child(path, 'items.nullable'), reason));
  }
  return [...errors, ...(listType === 'set' ? setErrors(items, path) : mapErrors(items, keys ?? [], path))];
}

/** The items of a set must be compared whole. */
function setErrors(items: RawSchema, path: string): FieldError[] {
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const keyword = items['type'] === 'array' ? 'x-kubernetes-list-type' : 'x-kubernetes-map-type';
  const found = items[keyword];
  const wrong =
    items['type'] === 'array'
      ? found !== undefined && found !== 'atomic'
      : items['type'] === 'object' && found !== 'atomic';
  return wrong ? [invalid(child(path, `items.${keyword}`), found ?? null, why)] : [];
}

function mapErrors(items: RawSchema, keys: readonly string[], path: string): FieldError[] {
  const at = child(path, 'x-kubernetes-list-map-keys');
  const errors: FieldError[] = [];
  if (keys.length === 0) errors.push(required(at, 'must not be empty if x-kubernetes-list-type is map'));
  if (items['type'] !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    return [...errors, invalid(child(path, 'items.type'), items['type'] ?? '', why)];
  }
  if (new Set(keys).size < keys.length) errors.push(invalid(at, keys, 'must not contain duplicate entries'));
  const properties = Object.fromEntries(entries(items['properties']));
  const needed = (items['required'] ?? []) as string[];
  for (const key of new Set(keys)) {
    const property = properties[key];
    const place = `${child(path, 'items.properties')}[${key}]`;
    if (!property) {
      errors.push(invalid(at, keys, 'entries must all be names of item properties'));
      continue;
    }
    if (property['type'] === 'array' || property['type'] === 'object') {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(invalid(`${place}.type`, items['type'], why));
    }
    const why = 'this property is in x-kubernetes-list-map-keys, so it';
    if (!needed.includes(key) && property['default'] === undefined) {
      errors.push(required(`${place}.default`, `${why} must have a default or be a required property`));
    }
    if (property['nullable'] === true)
      errors.push(forbidden(`${place}.nullable`, `${why} cannot be nullable`));
  }
  return errors;
}

function ruleErrors(node: RawSchema, path: string): FieldError[] {
  const rules = node['x-kubernetes-validations'];
  if (!Array.isArray(rules)) return [];
  return rules.flatMap((rule: Record<string, unknown>, index) => {
    const at = `${child(path, 'x-kubernetes-validations')}[${index}]`;
    const text = typeof rule['rule'] === 'string' ? rule['rule'].trim() : '';
    const message = rule['message'];
    if (text === '') return [required(`${at}.rule`, 'rule is not specified')];
    if (typeof message === 'string' && message !== '' && message.trim() === '') {
      return [invalid(`${at}.message`, message, 'must be non-empty if specified')];
    }
    if (typeof message === 'string' && /[\r\n]/.test(message.trim())) {
      return [invalid(`${at}.message`, message, 'must not contain line breaks')];
    }
    if (/[\r\n]/.test(text) && !message) {
      return [required(`${at}.message`, 'message must be specified if rule contains line breaks')];
    }
    return [];
  });
}

function isSchema(value: unknown): value is RawSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function entries(properties: unknown): [string, RawSchema][] {
  return isSchema(properties) ? (Object.entries(properties) as [string, RawSchema][]) : [];
}
