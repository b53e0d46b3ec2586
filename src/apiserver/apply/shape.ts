import { Fault } from '../../base/fault.ts';
import { goJson } from '../schema/field-error.ts';
import type { SchemaNode } from '../schema/schema-node.ts';

export type Json = Record<string, unknown>;

/** A part of an object as ownership sees it. */
export type Shape =
  /** Owned as a whole: a scalar, an atomic list or map. */
  | { form: 'leaf' }
  | { form: 'map'; object: Json }
  /** A list whose items are told apart by value or by key; each item with its step. */
  | { form: 'list'; items: readonly { step: string; value: unknown }[] };

/** How `value` is owned. What a schema does not describe is split as far as objects go; its lists are whole. */
export function shapeOf(node: SchemaNode | undefined, value: unknown): Shape {
  if (Array.isArray(value)) {
    if (node?.listType !== 'set' && node?.listType !== 'map') return { form: 'leaf' };
    return { form: 'list', items: value.map((item: unknown) => ({ step: stepOf(node, item), value: item })) };
  }
  if (typeof value === 'object' && value !== null) {
    return isWhole(node) ? { form: 'leaf' } : { form: 'map', object: value as Json };
  }
  return { form: 'leaf' };
}

/** Kubernetes' own JSON type, of which nothing is known, is kept whole, unlike a custom resource's free fields. */
function isWhole(node: SchemaNode | undefined): boolean {
  return node?.mapType === 'atomic' || (node?.name !== undefined && node.type === undefined);
}

export interface Field {
  node: SchemaNode | undefined;
  /** The schema names it; false for the keys of a free map. */
  declared: boolean;
}

/** What is known of a field of an object. */
export function fieldOf(node: SchemaNode | undefined, name: string): Field {
  if (node?.properties && Object.hasOwn(node.properties, name))
    return { node: node.properties[name], declared: true };
  const values = node?.additionalProperties;
  return { node: typeof values === 'object' ? values : undefined, declared: false };
}

export function fieldStep(name: string): string {
  return `f:${name}`;
}

/** Items that lack a key are told apart by null; whoever applies such an item is refused (requireKeys). */
function stepOf(node: SchemaNode, item: unknown): string {
  if (node.listType === 'set') return `v:${goJson(item)}`;
  const keys = (node.listMapKeys ?? []).map((key) => [key, keyOf(node, item, key) ?? null] as const);
  return `k:${goJson(Object.fromEntries(keys))}`;
}

function keyOf(node: SchemaNode, item: unknown, key: string): unknown {
  const given =
    typeof item === 'object' && item !== null && Object.hasOwn(item, key) ? (item as Json)[key] : undefined;
  return given ?? keyDefault(node.items, key);
}

/**
 * Ports of one number differ by protocol; where it is left out, it is TCP. Other optional keys of built-in kinds are
 * text, empty where left out. Kubernetes' definitions say neither.
 */
function keyDefault(items: SchemaNode | undefined, key: string): unknown {
  const stated = items?.properties?.[key]?.default;
  if (stated !== undefined || items?.name === undefined || items.required?.includes(key)) return stated;
  return key === 'protocol' ? 'TCP' : '';
}

/** @throws Fault `apiserver.apply.keys` where an item of a map-like list lacks a key */
export function requireKeys(node: SchemaNode | undefined, item: unknown): void {
  for (const key of node?.listType === 'map' ? (node.listMapKeys ?? []) : []) {
    if (keyOf(node!, item, key) !== undefined) continue;
    const what = `associative list with keys has an element that omits key field ${JSON.stringify(key)}`;
    throw new Fault(`${what} (and doesn't have default value)`, {
      code: 'apiserver.apply.keys',
      blame: 'caller',
    });
  }
}
