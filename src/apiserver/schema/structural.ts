import { Fault } from '../../base/fault.ts';
import { structuralErrors } from './crd-schema-rules.ts';
import { child, describeFieldErrors } from './field-error.ts';
import { objectMetaSchema } from './kinds.ts';
import { type RawSchema, readNode, type SchemaNode } from './schema-node.ts';

export { validateObject } from './validation.ts';

export type Json = Record<string, unknown>;

/**
 * The schema of a custom resource, from its definition's `openAPIV3Schema`. Its root has apiVersion, kind and the
 * whole of metadata, whether the definition spells them out or not.
 *
 * @throws Fault `apiserver.schema.structural` that names every place where the schema is not structural
 */
export function compileSchema(openAPIV3Schema: RawSchema): SchemaNode {
  const errors = structuralErrors(openAPIV3Schema, '');
  if (errors.length > 0) {
    throw new Fault(`the schema is not structural: ${describeFieldErrors(errors)}`, {
      code: 'apiserver.schema.structural',
      blame: 'caller',
    });
  }
  const root = readNode(openAPIV3Schema, noDefinitions);
  return withObjectMeta(root);
}

function withObjectMeta(node: SchemaNode): SchemaNode {
  const meta = objectMetaSchema();
  const restricted = node.properties?.['metadata']?.properties;
  const metadata = restricted ? { ...meta, properties: { ...meta.properties, ...restricted } } : meta;
  const text: SchemaNode = { type: 'string' };
  return {
    ...node,
    properties: { ...node.properties, apiVersion: text, kind: text, metadata: unnamed(metadata, restricted) },
  };
}

/** A metadata schema with rules of its own is no longer the definition whose name it had. */
function unnamed(node: SchemaNode, restricted: object | undefined): SchemaNode {
  if (!restricted) return node;
  const { name: _, ...rest } = node;
  return rest;
}

function noDefinitions(name: string): SchemaNode {
  throw new Fault(`$ref to ${name} is not supported`, {
    code: 'apiserver.schema.structural',
    blame: 'caller',
  });
}

/** Paths (`spec.foo`, `spec.list[0].bar`) of the fields that the schema does not know, in order. */
export function unknownFields(schema: SchemaNode, object: Json): string[] {
  const found: string[] = [];
  prune(schema, object, '', found);
  return found.toSorted();
}

/** The object without the fields that the schema does not know; the object itself where it knows them all. */
export function pruneFields<T extends Json>(schema: SchemaNode, object: T): T {
  return prune(schema, object, '', []) as T;
}

function prune(node: SchemaNode | undefined, value: unknown, path: string, found: string[]): unknown {
  if (Array.isArray(value)) {
    if (node && keepsEverything(node) && !node.items) return value;
    return mapList(value, (item, index) => prune(node?.items, item, `${path}[${index}]`, found));
  }
  if (!isObject(value)) return value;
  const fields = node && fieldsOf(node);
  return mapObject(value, (name, part) => {
    const at = child(path, name);
    const known = fields?.(name);
    if (known) return prune(known, part, at, found);
    if (node && keepsEverything(node)) return part;
    found.push(at);
    return undefined;
  });
}

/** What a node says of a field by its name. */
function fieldsOf(node: SchemaNode): (name: string) => SchemaNode | undefined {
  const values = node.additionalProperties;
  const rest = typeof values === 'object' ? values : values ? anything : undefined;
  const own = node.embeddedResource ? { ...embedded(), ...node.properties } : node.properties;
  return (name) => (own && Object.hasOwn(own, name) ? own[name] : rest);
}

const anything: SchemaNode = { preserveUnknownFields: true };

function embedded(): Readonly<Record<string, SchemaNode>> {
  return { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: objectMetaSchema() };
}

/**
 * Custom resources say so. Among Kubernetes' own definitions it is those that say nothing of what they hold: raw
 * extensions, FieldsV1, JSON.
 */
function keepsEverything(node: SchemaNode): boolean {
  if (node.preserveUnknownFields) return true;
  return node.name !== undefined && !node.properties && node.additionalProperties === undefined;
}

/**
 * The object with the schema's defaults where fields are absent, or null where null is not allowed; other nulls that
 * are not allowed are dropped, as upstream does before it applies defaults.
 */
export function applyDefaults<T extends Json>(schema: SchemaNode, object: T): T {
  return withDefaults(schema, object) as T;
}

function withDefaults(node: SchemaNode | undefined, value: unknown): unknown {
  if (!node) return value;
  if (Array.isArray(value)) {
    const { items } = node;
    return mapList(value, (item) => withDefaults(items, item === null ? nullOrDefault(items, true) : item));
  }
  if (!isObject(value)) return value;
  const fields = fieldsOf(node);
  const missing = Object.entries(node.properties ?? {}).filter(
    ([name, property]) => property.default !== undefined && !Object.hasOwn(value, name),
  );
  const complete =
    missing.length === 0
      ? value
      : {
          ...value,
          ...Object.fromEntries(missing.map(([name, property]) => [name, copy(property.default)])),
        };
  return mapObject(complete, (name, part) => {
    const property = fields(name);
    return withDefaults(property, part === null ? nullOrDefault(property, false) : part);
  });
}

/** What stands for a null: itself where it may, else the default, else nothing (a list keeps its length). */
function nullOrDefault(node: SchemaNode | undefined, inList: boolean): unknown {
  if (!node || node.nullable || node === anything) return null;
  if (node.default !== undefined) return copy(node.default);
  return inList ? null : undefined;
}

function copy(value: unknown): unknown {
  return typeof value === 'object' ? structuredClone(value) : value;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text, or none where it is anything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A list of what `change` answers; the list itself where that is what it held. */
export function mapList(
  list: readonly unknown[],
  change: (item: unknown, index: number) => unknown,
): readonly unknown[] {
  const changed = list.map(change);
  return changed.every((item, index) => item === list[index]) ? list : changed;
}

/** The object with what `change` answers, fields left out where that is undefined; itself where nothing changed. */
export function mapObject(object: Json, change: (name: string, value: unknown) => unknown): Json {
  let same = true;
  const entries = Object.entries(object).flatMap(([name, value]) => {
    const changed = change(name, value);
    same &&= changed === value;
    return changed === undefined ? [] : [[name, changed] as const];
  });
  return same ? object : Object.fromEntries(entries);
}
