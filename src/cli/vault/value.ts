/** A number as the server wrote it: serials and expirations pass through without rounding. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * A JSON document. Plain objects print with their keys sorted, as Go prints maps; a `Map` keeps its order, as Go
 * prints structs.
 */
export type Value =
  | null
  | boolean
  | string
  | number
  | NumberText
  | readonly Value[]
  | ValueObject
  | ReadonlyMap<string, Value>;

export interface ValueObject {
  readonly [key: string]: Value;
}

/** @throws SyntaxError for anything but one JSON document. */
export function parseJson(text: string): Value {
  // The reviver's third argument (ECMAScript's JSON.parse source text access) holds a number's own digits.
  const revive = (_key: string, value: unknown, context: { source?: string }) =>
    typeof value === 'number' ? new NumberText(context.source!) : value;
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown) as Value;
}

export function isObject(value: Value | undefined): value is ValueObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof NumberText) &&
    !(value instanceof Map)
  );
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** Keys and values in the order they print. */
export function entriesOf(value: ValueObject | ReadonlyMap<string, Value>): [string, Value][] {
  if (value instanceof Map) return [...value];
  return Object.entries(value as ValueObject).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** The one-line text of a value, as Go's `%v` verb gives it: `[a b]`, `map[a:1 b:2]`, `<nil>`. */
export function plainText(value: Value): string {
  if (value === null) return '<nil>';
  if (value instanceof NumberText) return value.text;
  if (isList(value)) return `[${value.map(plainText).join(' ')}]`;
  if (typeof value === 'object') {
    return `map[${entriesOf(value)
      .map(([key, held]) => `${key}:${plainText(held)}`)
      .join(' ')}]`;
  }
  return String(value);
}

/** JSON as Go's encoder writes it: maps sorted, `<`, `>`, `&` and the line separators escaped. */
export function jsonText(value: Value, indent = 0): string {
  return write(value, '\n');

  function write(value: Value, newline: string): string {
    if (value instanceof NumberText) return value.text;
    if (value === null || typeof value !== 'object') return scalar(value);
    const [open, close] = isList(value) ? '[]' : '{}';
    const parts = isList(value)
      ? value.map((held) => write(held, deeper(newline)))
      : entriesOf(value).map(
          ([key, held]) => `${scalar(key)}:${indent ? ' ' : ''}${write(held, deeper(newline))}`,
        );
    if (parts.length === 0) return open! + close!;
    const separator = indent ? deeper(newline) : '';
    return `${open}${separator}${parts.join(`,${separator}`)}${indent ? newline : ''}${close}`;
  }

  function deeper(newline: string): string {
    return newline + ' '.repeat(indent);
  }
}

function scalar(value: null | boolean | number | string): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A list of strings as Go's `%q` verb writes it: `["root" "default"]`. */
export function quotedList(list: readonly string[] | null): string {
  return `[${(list ?? []).map((text) => JSON.stringify(text)).join(' ')}]`;
}
