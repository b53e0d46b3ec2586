import { isDeepStrictEqual } from 'node:util';
import type { SchemaNode } from '../schema/schema-node.ts';
import { isJsonObject, type Json, patchFault, setMember } from './patch-fault.ts';
import { arrange, dropDirectives, keyOf } from './strategic-lists.ts';

const orderPrefix = '$setElementOrder/';
const deletionPrefix = '$deleteFromPrimitiveList/';

/**
 * `object` with a strategic merge patch applied: a merge patch that also merges lists, where the schema says by which
 * key, and takes directives ($patch, $retainKeys, $setElementOrder/…, $deleteFromPrimitiveList/…). Built-in kinds only:
 * definitions of custom resources say nothing of merging.
 *
 * @throws Fault `apiserver.patch.malformed` (400) where the patch contradicts itself or the schema
 */
export function applyStrategicMergePatch(schema: SchemaNode, object: Json, patch: unknown): Json {
  if (!isJsonObject(patch)) throw patchFault('malformed', 'a strategic merge patch is an object');
  return mergeObjects(schema, object, patch);
}

function mergeObjects(node: SchemaNode | undefined, original: Json, patch: Json): Json {
  const directive = patch['$patch'];
  if (directive === 'delete') return {};
  if (directive === 'replace') {
    const { $patch: _, ...rest } = patch;
    return rest;
  }
  if (directive !== undefined) throw unknownDirective(directive, patch);
  const merged = retained(original, patch);
  const ordered = new Set<string>();
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(orderPrefix)) continue;
    const field = key.slice(orderPrefix.length);
    ordered.add(field);
    mergeOrdered(childOf(node, field), merged, patch, field, order);
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$retainKeys' || key.startsWith(orderPrefix) || ordered.has(key)) continue;
    if (key.startsWith(deletionPrefix)) deleteFromList(merged, key.slice(deletionPrefix.length), value);
    else mergeField(childOf(node, key), merged, key, value);
  }
  return merged;
}

function mergeField(node: SchemaNode | undefined, merged: Json, field: string, value: unknown): void {
  if (value === null) {
    delete merged[field];
    return;
  }
  const before = Object.hasOwn(merged, field) ? merged[field] : undefined;
  if (isJsonObject(before) && isJsonObject(value)) {
    setMember(merged, field, replaces(node) ? value : mergeObjects(node, before, value));
  } else if (Array.isArray(before) && Array.isArray(value)) {
    setMember(merged, field, merges(node) ? mergeLists(node, before, value) : value);
  } else {
    const kept = dropDirectives(value);
    if (kept === undefined) delete merged[field];
    else setMember(merged, field, kept);
  }
}

/** The fields that `$retainKeys` leaves of the original; all of them where the patch has none. */
function retained(original: Json, patch: Json): Json {
  const keys = patch['$retainKeys'];
  if (keys === undefined) return { ...original };
  const says = (key: string, value: unknown) => value !== null && !key.startsWith('$');
  if (
    !Array.isArray(keys) ||
    !Object.entries(patch).every(([key, value]) => !says(key, value) || keys.includes(key))
  ) {
    throw patchFault(
      'malformed',
      'The retainKeys format is wrong: it must be a list that names every field of the patch',
    );
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => keys.includes(key)));
}

/** Merges a list and puts it into the order that the patch asks for. */
function mergeOrdered(
  node: SchemaNode | undefined,
  merged: Json,
  patch: Json,
  field: string,
  order: unknown,
): void {
  const before = Object.hasOwn(merged, field) ? merged[field] : undefined;
  const change = patch[field];
  const lists = [order, before ?? [], change ?? []];
  if (change === null) {
    delete merged[field];
    return;
  }
  if (!lists.every(Array.isArray))
    throw patchFault('malformed', `${orderPrefix}${field} and what it orders must be lists`);
  if (before === undefined && change === undefined) return;
  const wanted = order as unknown[];
  checkOrder(node, (change ?? []) as unknown[], wanted);
  const original = (before ?? []) as unknown[];
  const list =
    change === undefined
      ? original
      : before === undefined
        ? (dropDirectives(change) as unknown[])
        : merges(node)
          ? mergeLists(node, original, change as unknown[])
          : (change as unknown[]);
  setMember(merged, field, arrange(list, wanted, original, node?.patchMergeKey));
}

/** The patch's own items must come in the order that it asks for. */
function checkOrder(
  node: SchemaNode | undefined,
  items: readonly unknown[],
  order: readonly unknown[],
): void {
  const key = node?.patchMergeKey;
  const plain = items.filter((item) => !(isJsonObject(item) && Object.hasOwn(item, '$patch')));
  if (plain.length === 0 || order.length === 0) return;
  let at = 0;
  for (const item of plain) {
    const found = order.findIndex(
      (one, index) => index >= at && isDeepStrictEqual(keyOf(one, key), keyOf(item, key)),
    );
    if (found < 0) {
      throw patchFault(
        'malformed',
        `The order in patch list: ${JSON.stringify(items)} doesn't match $setElementOrder list: ${JSON.stringify(order)}`,
      );
    }
    at = found + 1;
  }
}

function mergeLists(
  node: SchemaNode | undefined,
  original: readonly unknown[],
  patch: readonly unknown[],
): unknown[] {
  const mergeKey = node?.patchMergeKey;
  if (![...original, ...patch].some(isJsonObject)) {
    const both = original.concat(patch);
    return arrange(
      both.filter((item, index) => both.findIndex((other) => isDeepStrictEqual(other, item)) === index),
      patch,
      original,
      undefined,
    );
  }
  if (mergeKey === undefined)
    throw patchFault('malformed', `cannot merge lists without merge key for ${node?.name ?? 'this list'}`);
  let merged = [...original];
  const items: Json[] = [];
  let replace = false;
  for (const item of patch) {
    if (!isJsonObject(item))
      throw patchFault('malformed', 'a list of objects can only be patched with objects');
    const directive = item['$patch'];
    if (directive === 'replace') replace = true;
    else if (directive === 'delete') {
      const key = requireKey(item, mergeKey);
      merged = merged.filter((one) => !isDeepStrictEqual(keyOf(one, mergeKey), key));
    } else if (directive !== undefined) throw unknownDirective(directive, item);
    else items.push(item);
  }
  if (replace) return items;
  for (const item of items) {
    const key = requireKey(item, mergeKey);
    const index = merged.findIndex((one) => isDeepStrictEqual(keyOf(one, mergeKey), key));
    const found = merged[index];
    if (isJsonObject(found)) merged[index] = mergeObjects(node?.items, found, item);
    else merged.push(item);
  }
  return arrange(merged, items, original, mergeKey);
}

function requireKey(item: Json, mergeKey: string): unknown {
  if (Object.hasOwn(item, mergeKey)) return item[mergeKey];
  throw patchFault(
    'malformed',
    `map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`,
  );
}

function deleteFromList(merged: Json, field: string, values: unknown): void {
  const before = Object.hasOwn(merged, field) ? merged[field] : undefined;
  if (!Array.isArray(values)) throw patchFault('malformed', `${deletionPrefix}${field} must be a list`);
  if (!Array.isArray(before)) return;
  setMember(
    merged,
    field,
    before.filter((item) => !values.some((value) => isDeepStrictEqual(value, item))),
  );
}

function childOf(node: SchemaNode | undefined, field: string): SchemaNode | undefined {
  if (node?.properties && Object.hasOwn(node.properties, field)) return node.properties[field];
  return typeof node?.additionalProperties === 'object' ? node.additionalProperties : undefined;
}

function merges(node: SchemaNode | undefined): boolean {
  return node?.patchStrategy?.split(',').includes('merge') ?? false;
}

function replaces(node: SchemaNode | undefined): boolean {
  return node?.patchStrategy?.split(',').includes('replace') ?? false;
}

function unknownDirective(directive: unknown, patch: Json): Error {
  return patchFault(
    'malformed',
    `unknown patch type: ${JSON.stringify(directive)} in map: ${JSON.stringify(patch)}`,
  );
}
