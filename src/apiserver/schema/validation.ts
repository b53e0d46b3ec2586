import { isDeepStrictEqual } from 'node:util';
import { base64Problem } from './base64.ts';
import {
  duplicate,
  type FieldError,
  goJson,
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from './field-error.ts';
import { hasFormat } from './formats.ts';
import { matcher } from './pattern.ts';
import type { SchemaNode } from './schema-node.ts';

interface Context {
  /** The value is part of one of Kubernetes' own kinds. */
  builtin: boolean;
  /** What stood in the value's place before; undefined where nothing did, or it cannot be told. */
  old: unknown;
}

/**
 * Everything in `object` that its schema refuses, in upstream's words.
 *
 * In Kubernetes' own kinds nulls stand for absence, and `required` and uniqueness are not judged: there `required`
 * tells what Go always writes, and the server's own rules (builtin-rules.ts) tell what it insists on.
 *
 * @param old what the object takes the place of: parts that are as they were pass, so that a definition that has
 *   become stricter does not lock the objects that are already there
 */
export function validateObject(
  schema: SchemaNode,
  object: Record<string, unknown>,
  old?: Record<string, unknown>,
): FieldError[] {
  const context = { builtin: schema.name !== undefined, old };
  return [...validate(schema, object, '', context), ...listErrors(schema, object, '', context)];
}

function validate(node: SchemaNode, value: unknown, path: string, context: Context): FieldError[] {
  if (isUnchanged(value, context)) return [];
  const own = { ...context, builtin: context.builtin || node.name !== undefined };
  if (value === null) {
    if (own.builtin || node.nullable || (node.type === undefined && !node.intOrString))
      return enumErrors(node, value, path);
    return [wrongType(node, value, path)];
  }
  const errors = [
    ...typeErrors(node, value, path),
    ...junctorErrors(node, value, path, own),
    ...enumErrors(node, value, path),
  ];
  if (typeof value === 'string') return [...errors, ...stringErrors(node, value, path, own.builtin)];
  if (typeof value === 'number') return [...errors, ...numberErrors(node, value, path)];
  if (Array.isArray(value)) return [...errors, ...arrayErrors(node, value, path, own)];
  if (typeof value === 'object')
    return [...errors, ...objectErrors(node, value as Record<string, unknown>, path, own)];
  return errors;
}

function isUnchanged(value: unknown, { old }: Context): boolean {
  return old !== undefined && isDeepStrictEqual(value, old);
}

/** What stood in the place of an object's field. */
function fieldContext({ builtin, old }: Context, name: string): Context {
  const before = typeof old === 'object' && old !== null && Object.hasOwn(old, name);
  return { builtin, old: before ? (old as Record<string, unknown>)[name] : undefined };
}

/** What stood in the place of a list's item: only items with keys can be found again. */
function itemContext({ builtin, old }: Context, node: SchemaNode, item: unknown): Context {
  if (node.listType !== 'map' || !Array.isArray(old)) return { builtin, old: undefined };
  const keys = (one: unknown) => (isMap(one) ? goJson(keyOf(one, node.listMapKeys ?? [])) : undefined);
  const wanted = keys(item);
  return { builtin, old: wanted === undefined ? undefined : old.find((one) => keys(one) === wanted) };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const says = (path: string) => `${path} in body`;
const fieldOf = (path: string) => path.replace(/^\./, '') || '<nil>';

const quantity = 'io.k8s.apimachinery.pkg.api.resource.Quantity';

function typeErrors(node: SchemaNode, value: unknown, path: string): FieldError[] {
  if (node.type === undefined && !node.intOrString) return [];
  const found = typeOf(value);
  if (node.intOrString || node.format === 'int-or-string') {
    return found === 'string' || found === 'integer' ? [] : [wrongType(node, value, path)];
  }
  if (found === node.type || (found === 'integer' && node.type === 'number')) return [];
  // A quantity may be written as a number; it is stored as it was written.
  if (node.name === quantity && (found === 'number' || found === 'integer')) return [];
  return [wrongType(node, value, path)];
}

function wrongType(node: SchemaNode, value: unknown, path: string): FieldError {
  const expected = node.intOrString ? 'integer,string' : node.type!;
  const found = typeOf(value);
  return typeInvalid(
    fieldOf(path),
    found,
    `${says(path)} must be of type ${expected}: ${JSON.stringify(found)}`,
  );
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function enumErrors(node: SchemaNode, value: unknown, path: string): FieldError[] {
  if (!node.enum || node.enum.some((allowed) => sameJson(allowed, value))) return [];
  return [notSupported(fieldOf(path), value, node.enum)];
}

function stringErrors(node: SchemaNode, value: string, path: string, builtin: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const field = fieldOf(path);
  const length = node.minLength === undefined && node.maxLength === undefined ? 0 : Array.from(value).length;
  if (node.maxLength !== undefined && length > node.maxLength) errors.push(tooLong(field, node.maxLength));
  if (node.minLength !== undefined && length < node.minLength) {
    errors.push(invalid(field, value, `${says(path)} should be at least ${node.minLength} chars long`));
  }
  if (node.pattern !== undefined && !matcher(node.pattern)(value)) {
    errors.push(invalid(field, value, `${says(path)} should match '${node.pattern}'`));
  }
  // A secret's value must not come back in a complaint: of bytes only Go's own words are told.
  if (builtin && node.format === 'byte') {
    const problem = base64Problem(value);
    return problem === undefined
      ? errors
      : [...errors, { ...typeInvalid(field, '', problem), decoderSays: problem }];
  }
  if (node.format !== undefined && node.type === 'string' && !hasFormat(node.format, value)) {
    errors.push(
      typeInvalid(field, value, `${says(path)} must be of type ${node.format}: ${JSON.stringify(value)}`),
    );
  }
  return errors;
}

const integerRanges: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63 - 1],
};

function numberErrors(node: SchemaNode, value: number, path: string): FieldError[] {
  const { minimum, maximum, exclusiveMinimum = false, exclusiveMaximum = false, multipleOf } = node;
  const complain = (what: string) => invalid(fieldOf(path), value, `${says(path)} should be ${what}`);
  const errors: FieldError[] = [];
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    errors.push(complain(`less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`));
  }
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    errors.push(complain(`greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`));
  }
  if (
    multipleOf !== undefined &&
    !Number.isInteger(multipleOf < 1 ? (1 / multipleOf) * value : value / multipleOf)
  ) {
    errors.push(complain(`a multiple of ${multipleOf}`));
  }
  const range = node.type === 'integer' ? integerRanges[node.format ?? ''] : undefined;
  if (range && (value < range[0] || value > range[1])) {
    errors.push(invalid(fieldOf(path), value, `${says(path)} must be of type ${node.format}: "${value}"`));
  }
  return errors;
}

function arrayErrors(
  node: SchemaNode,
  list: readonly unknown[],
  path: string,
  context: Context,
): FieldError[] {
  const errors: FieldError[] = [];
  if (node.items) {
    for (const [index, item] of list.entries())
      errors.push(...validate(node.items, item, `${path}[${index}]`, itemContext(context, node, item)));
  }
  if (node.minItems !== undefined && list.length < node.minItems) {
    errors.push(
      invalid(fieldOf(path), list.length, `${says(path)} should have at least ${node.minItems} items`),
    );
  }
  if (node.maxItems !== undefined && list.length > node.maxItems) {
    errors.push(tooMany(fieldOf(path), list.length, node.maxItems));
  }
  return errors;
}

function objectErrors(
  node: SchemaNode,
  object: Record<string, unknown>,
  path: string,
  context: Context,
): FieldError[] {
  const errors: FieldError[] = [];
  const count = Object.keys(object).length;
  if (node.minProperties !== undefined && count < node.minProperties) {
    errors.push(
      invalid(fieldOf(path), count, `${says(path)} should have at least ${node.minProperties} properties`),
    );
  }
  if (node.maxProperties !== undefined && count > node.maxProperties) {
    errors.push(tooMany(fieldOf(path), count, node.maxProperties));
  }
  const { properties = {}, additionalProperties } = node;
  for (const [name, value] of Object.entries(object)) {
    const at = path === '' ? name : `${path}.${name}`;
    if (Object.hasOwn(properties, name))
      errors.push(...validate(properties[name]!, value, at, fieldContext(context, name)));
    else if (typeof additionalProperties === 'object')
      errors.push(...validate(additionalProperties, value, at, fieldContext(context, name)));
  }
  if (context.builtin) return errors;
  for (const name of node.required ?? []) {
    if (!Object.hasOwn(object, name)) errors.push(required(fieldOf(`${path}.${name}`)));
  }
  return errors;
}

/** `allOf`, `anyOf`, `oneOf` and `not`; upstream reports these on the object as a whole, the place in the text. */
function junctorErrors(node: SchemaNode, value: unknown, path: string, context: Context): FieldError[] {
  const complain = (what: string) => invalid('<nil>', '', `${JSON.stringify(path)} must ${what}`);
  // An alternative counts by the whole value: what passes for being old would not tell alternatives apart.
  const whole: Context = { ...context, old: undefined };
  const judge = (nodes: readonly SchemaNode[], within = whole) =>
    nodes.map((one) => validate(one, value, path, within));
  const errors: FieldError[] = [];
  if (node.anyOf?.length) {
    const results = judge(node.anyOf);
    if (results.every((result) => result.length > 0)) {
      errors.push(complain('validate at least one schema (anyOf)'), ...fewest(results));
    }
  }
  if (node.oneOf?.length) {
    const results = judge(node.oneOf);
    const valid = results.filter((result) => result.length === 0).length;
    const found = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
    if (valid !== 1) errors.push(complain(`validate one and only one schema (oneOf). ${found}`));
    if (valid === 0) errors.push(...fewest(results));
  }
  if (node.allOf?.length) {
    const results = judge(node.allOf, context);
    const failed = results.filter((result) => result.length > 0).length;
    const none = failed === results.length ? '. None validated' : '';
    if (failed > 0) errors.push(...results.flat(), complain(`validate all the schemas (allOf)${none}`));
  }
  if (node.not && validate(node.not, value, path, whole).length === 0) {
    errors.push(complain('not validate the schema (not)'));
  }
  return errors;
}

/** The alternative that came closest says most about what was meant. */
function fewest(results: readonly FieldError[][]): FieldError[] {
  return results.reduce((best, result) => (result.length < best.length ? result : best));
}

/** Items of sets and maps that stand twice. */
function listErrors(node: SchemaNode, value: unknown, path: string, context: Context): FieldError[] {
  if (context.builtin || node.name !== undefined || isUnchanged(value, context)) return [];
  const { items, properties = {}, additionalProperties: values } = node;
  if (Array.isArray(value)) {
    const inside = items
      ? value.flatMap((item, index) =>
          listErrors(items, item, `${path}[${index}]`, itemContext(context, node, item)),
        )
      : [];
    return [...uniqueErrors(node, value, path), ...inside];
  }
  if (!isMap(value)) return [];
  return Object.entries(value).flatMap(([name, part]) => {
    const within = fieldContext(context, name);
    if (Object.hasOwn(properties, name)) {
      return listErrors(properties[name]!, part, path === '' ? name : `${path}.${name}`, within);
    }
    return typeof values === 'object' ? listErrors(values, part, `${path}[${name}]`, within) : [];
  });
}

function uniqueErrors(node: SchemaNode, list: readonly unknown[], path: string): FieldError[] {
  if (node.listType !== 'set' && node.listType !== 'map') return [];
  const seen = new Map<string, number>();
  return list.flatMap((item, index) => {
    if (node.listType === 'map' && item !== null && !isMap(item)) {
      return [invalid(`${path}[${index}]`, item, 'must be an object for an array of list-type map')];
    }
    const key =
      node.listType === 'set' ? item : keyOf(item as Record<string, unknown> | null, node.listMapKeys ?? []);
    const text = goJson(key);
    const times = (seen.get(text) ?? 0) + 1;
    seen.set(text, times);
    return times === 2 ? [duplicate(`${path}[${index}]`, key)] : [];
  });
}

function keyOf(item: Record<string, unknown> | null, keys: readonly string[]): Record<string, unknown> {
  if (item === null) return {};
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, item[key]]));
}

function sameJson(one: unknown, other: unknown): boolean {
  return one === other || (typeof one === 'object' && goJson(one) === goJson(other));
}
