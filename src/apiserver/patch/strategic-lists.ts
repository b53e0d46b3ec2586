import { isDeepStrictEqual } from 'node:util';
import { isJsonObject } from './patch-fault.ts';

/** What tells one item of a list from another: the item itself, or its merge key's value. */
export function keyOf(item: unknown, mergeKey: string | undefined): unknown {
  return mergeKey !== undefined && isJsonObject(item) ? item[mergeKey] : item;
}

/**
 * The items of `list` in order: those that `wanted` names as it has them, the others as they stood in `original`, and
 * the two woven together by `original` where it knows both.
 */
export function arrange(
  list: readonly unknown[],
  wanted: readonly unknown[],
  original: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const indexIn = (order: readonly unknown[], item: unknown) =>
    order.findIndex((one) => isDeepStrictEqual(keyOf(one, mergeKey), keyOf(item, mergeKey)));
  const sorted = (items: readonly unknown[], order: readonly unknown[]) =>
    items.toSorted((one, other) => indexIn(order, one) - indexIn(order, other));
  const named = sorted(
    list.filter((item) => indexIn(wanted, item) >= 0),
    wanted,
  );
  const others = sorted(
    list.filter((item) => indexIn(wanted, item) < 0),
    original,
  );
  const woven: unknown[] = [];
  while (named.length > 0 && others.length > 0) {
    const [left, right] = [indexIn(original, others[0]), indexIn(original, named[0])];
    const fromOthers = left >= 0 && right >= 0 && left < right;
    woven.push((fromOthers ? others : named).shift());
  }
  return [...woven, ...named, ...others];
}

/** The value without what carries directives and without nulls, which say nothing where there was nothing. */
export function dropDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropDirectives).filter((item) => item !== undefined);
  if (!isJsonObject(value)) return value;
  if (Object.hasOwn(value, '$patch')) return undefined;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, part]) => part !== null && !key.startsWith('$'))
      .map(([key, part]) => [key, dropDirectives(part)] as const)
      .filter(([, part]) => part !== undefined),
  );
}
