import type { SchemaNode } from '../schema/schema-node.ts';
import type { FieldSet } from './field-set.ts';
import { fieldOf, fieldStep, type Json, shapeOf } from './shape.ts';

/** `live` with what `applied` says laid over it: maps and lists with steps merge, all else is replaced. */
export function mergeApplied(node: SchemaNode | undefined, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  const [left, right] = [shapeOf(node, live), shapeOf(node, applied)];
  if (left.form === 'map' && right.form === 'map') {
    const names = new Set([...Object.keys(left.object), ...Object.keys(right.object)]);
    const of = (object: Json, name: string) => (Object.hasOwn(object, name) ? object[name] : undefined);
    return Object.fromEntries(
      [...names].map((name) => [
        name,
        mergeApplied(fieldOf(node, name).node, of(left.object, name), of(right.object, name)),
      ]),
    );
  }
  if (left.form === 'list' && right.form === 'list') return mergeLists(node, left.items, right.items);
  return applied;
}

interface Item {
  step: string;
  value: unknown;
}

/**
 * The items of both lists, each once: those of `applied` in its order, and each item that only `live` has in front of
 * the items that it stood in front of.
 */
function mergeLists(
  node: SchemaNode | undefined,
  live: readonly Item[],
  applied: readonly Item[],
): unknown[] {
  const inLive = new Map(live.map((item) => [item.step, item.value]));
  const wanted = new Set(applied.map(({ step }) => step));
  const shared = applied.filter(({ step }) => inLive.has(step)).map(({ step }) => step);
  const done = new Set<string>();
  const merged: unknown[] = [];
  const take = ({ step, value }: Item) => {
    merged.push(mergeApplied(node?.items, inLive.get(step), value));
    done.add(step);
    if (shared[0] === step) shared.shift();
  };
  let at = 0;
  let next = 0;
  while (at < live.length || next < applied.length) {
    const item = live[at];
    const other = applied[next];
    if (item && other && item.step === other.step) {
      take(other);
      at++;
      next++;
      continue;
    }
    if (item && other && wanted.has(item.step) && shared[0] !== undefined && shared[0] !== item.step) {
      at++;
      continue;
    }
    if (item && !wanted.has(item.step)) {
      merged.push(item.value);
      at++;
      continue;
    }
    if (item && done.has(item.step)) at++;
    if (other) {
      take(other);
      next++;
    } else if (item && !done.has(item.step)) at++;
  }
  return merged;
}

/** `value` without what `set` names; undefined where nothing is left. */
export function withoutFields(node: SchemaNode | undefined, value: unknown, set: FieldSet): unknown {
  const shape = shapeOf(node, value);
  if (shape.form === 'leaf') return typeof value === 'object' && value !== null ? undefined : value;
  const parts =
    shape.form === 'list'
      ? shape.items.map(({ step, value: item }) => ({ name: '', step, node: node?.items, value: item }))
      : Object.entries(shape.object).map(([name, part]) => ({
          name,
          step: fieldStep(name),
          node: fieldOf(node, name).node,
          value: part,
        }));
  const kept = parts.flatMap((part) => {
    if (set.members.has(part.step)) return [];
    const below = set.children.get(part.step);
    const rest = below ? withoutFields(part.node, part.value, below) : part.value;
    return rest === undefined ? [] : [{ ...part, value: rest }];
  });
  if (parts.length > 0 && kept.length === 0) return undefined;
  return shape.form === 'list'
    ? kept.map(({ value: item }) => item)
    : Object.fromEntries(kept.map(({ name, value: part }) => [name, part]));
}
