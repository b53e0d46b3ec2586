import { isDeepStrictEqual } from 'node:util';
import type { SchemaNode } from '../schema/schema-node.ts';
import { FieldSet } from './field-set.ts';
import { fieldOf, fieldStep, type Json, requireKeys, type Shape, shapeOf } from './shape.ts';

/** Every field that an applied configuration speaks of. */
export function fieldsOf(node: SchemaNode | undefined, value: unknown): FieldSet {
  const set = new FieldSet();
  collect(node, value, [], set);
  return set;
}

function collect(node: SchemaNode | undefined, value: unknown, path: readonly string[], set: FieldSet): void {
  const shape = shapeOf(node, value);
  if (shape.form === 'leaf') return set.insert(path);
  if (shape.form === 'list') {
    for (const { step, value: item } of shape.items) {
      collect(node?.items, item, [...path, step], set);
      set.insert([...path, step]);
    }
    return;
  }
  for (const [name, part] of Object.entries(shape.object)) {
    const at = [...path, fieldStep(name)];
    const field = fieldOf(node, name);
    collect(field.node, part, at, set);
    if (!field.declared || isEmptyMap(part)) set.insert(at);
  }
}

function isEmptyMap(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  );
}

/**
 * The path of an item that stands twice in its list, so that its fields could not be told apart.
 *
 * @throws Fault `apiserver.apply.keys` where an item lacks what would tell it from others
 */
export function findDuplicate(
  node: SchemaNode | undefined,
  value: unknown,
  path: readonly string[],
): string[] | undefined {
  const shape = shapeOf(node, value);
  if (shape.form === 'leaf') return undefined;
  if (shape.form === 'map') {
    for (const [name, part] of Object.entries(shape.object)) {
      const found = findDuplicate(fieldOf(node, name).node, part, [...path, fieldStep(name)]);
      if (found) return found;
    }
    return undefined;
  }
  const seen = new Set<string>();
  for (const { step, value: item } of shape.items) {
    requireKeys(node, item);
    if (seen.has(step)) return [...path, step];
    seen.add(step);
    const found = findDuplicate(node?.items, item, [...path, step]);
    if (found) return found;
  }
  return undefined;
}

/** What differs between two objects; no path is in more than one of the sets. */
export interface Comparison {
  added: FieldSet;
  modified: FieldSet;
  removed: FieldSet;
}

export function compare(schema: SchemaNode | undefined, before: Json, after: Json): Comparison {
  const comparison = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() };
  walk(schema, before, after, [], comparison);
  return comparison;
}

/** Undefined stands for absence on either side. */
function walk(
  node: SchemaNode | undefined,
  before: unknown,
  after: unknown,
  path: readonly string[],
  found: Comparison,
): void {
  const left = before === undefined ? undefined : shapeOf(node, before);
  const right = after === undefined ? undefined : shapeOf(node, after);
  if (isLeaf(left, right)) return compareLeaves(before, after, path, found);
  const [lefts, rights] = [partsOf(node, left), partsOf(node, right)];
  for (const step of new Set([...lefts.keys(), ...rights.keys()])) {
    const part = (rights.get(step) ?? lefts.get(step))!;
    walk(part.node, lefts.get(step)?.value, rights.get(step)?.value, [...path, step], found);
  }
  if (left === undefined) found.added.insert(path);
  else if (right === undefined) found.removed.insert(path);
}

/** Whole values, values of two forms, and maps and lists that are empty on both sides are compared as they stand. */
function isLeaf(left: Shape | undefined, right: Shape | undefined): boolean {
  if (left?.form === 'leaf' || right?.form === 'leaf') return true;
  if (left && right && left.form !== right.form) return true;
  return isVoid(left) && isVoid(right);
}

function isVoid(shape: Shape | undefined): boolean {
  if (shape?.form === 'map') return Object.keys(shape.object).length === 0;
  return shape?.form !== 'list' || shape.items.length === 0;
}

function compareLeaves(before: unknown, after: unknown, path: readonly string[], found: Comparison): void {
  if (before === undefined) found.added.insert(path);
  else if (after === undefined) found.removed.insert(path);
  else if (!isDeepStrictEqual(before, after)) found.modified.insert(path);
}

interface Part {
  node: SchemaNode | undefined;
  value: unknown;
}

/** The parts of a map or list by their steps; of items that stand twice, all together. */
function partsOf(node: SchemaNode | undefined, shape: Shape | undefined): Map<string, Part> {
  if (shape?.form === 'map') {
    return new Map(
      Object.entries(shape.object).map(([name, value]) => [
        fieldStep(name),
        { node: fieldOf(node, name).node, value },
      ]),
    );
  }
  const parts = new Map<string, Part>();
  if (shape?.form !== 'list') return parts;
  const times = Map.groupBy(shape.items, ({ step }) => step);
  for (const [step, items] of times) {
    parts.set(
      step,
      items.length === 1
        ? { node: node?.items, value: items[0]!.value }
        : { node: undefined, value: items.map(({ value }) => value) },
    );
  }
  return parts;
}

/** The set with every field that the schema names on the way to what is in it. */
export function withParents(node: SchemaNode | undefined, set: FieldSet): FieldSet {
  const complete = new FieldSet();
  for (const step of set.members) complete.members.add(step);
  for (const [step, child] of set.children) {
    const field = step.startsWith('f:')
      ? fieldOf(node, step.slice(2))
      : { node: node?.items, declared: false };
    if (field.declared) complete.members.add(step);
    complete.children.set(step, withParents(field.node, child));
  }
  return complete;
}
