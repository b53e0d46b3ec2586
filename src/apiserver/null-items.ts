import type { SchemaNode } from './schema/schema-node.ts';
import { isObject, mapList, mapObject } from './schema/structural.ts';

/**
 * An object of a built-in kind with the nulls in its lists turned into what Go's decoder makes of them: the empty
 * value of the item's type. Nothing further in has to think of them.
 */
export function fillNullItems<T extends Record<string, unknown>>(schema: SchemaNode, object: T): T {
  return filled(schema, object) as T;
}

function filled(schema: SchemaNode | undefined, value: unknown): unknown {
  if (!schema) return value;
  if (Array.isArray(value)) {
    const { items } = schema;
    return mapList(value, (item) => (item === null ? emptyValue(items) : filled(items, item)));
  }
  if (!isObject(value)) return value;
  return mapObject(value, (name, member) => filled(memberSchema(schema, name), member));
}

function memberSchema(
  { properties, additionalProperties }: SchemaNode,
  name: string,
): SchemaNode | undefined {
  if (properties && Object.hasOwn(properties, name)) return properties[name];
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

function emptyValue(schema: SchemaNode | undefined): unknown {
  switch (schema?.type) {
    case 'object':
      return {};
    case 'string':
      return '';
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    default:
      return null;
  }
}
