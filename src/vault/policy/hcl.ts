import { hclFault, type Position, scanHcl, type Token } from './hcl-scanner.ts';

export type HclValue = string | number | boolean | readonly HclValue[] | HclObject;

/** `path "secret/*" { ... }` has the keys `path` and `secret/*`, and an object as its value. */
export interface HclItem {
  keys: readonly [string, ...string[]];
  value: HclValue;
  at: Position;
}

export interface HclObject {
  items: readonly HclItem[];
}

const depthLimit = 50;

export function isHclObject(value: HclValue): value is HclObject {
  return typeof value === 'object' && 'items' in value;
}

/**
 * Reads HCL version 1, the language of Vault's policies: keys, `=`, strings (here documents too), numbers, booleans,
 * lists, and objects, nested at most 50 deep. Strings are taken as they stand: `${}` means nothing here.
 *
 * @throws Fault `vault.hcl` with the line and the column
 */
export function parseHcl(source: string): HclObject {
  const tokens = scanHcl(source);
  let next = 0;

  function take(): Token {
    return tokens[next++]!;
  }

  function peek(): Token {
    return tokens[next]!;
  }

  function skip(kind: Token['kind']): boolean {
    if (peek().kind !== kind) return false;
    next += 1;
    return true;
  }

  function items(end: '}' | 'end', depth: number): HclItem[] {
    const found: HclItem[] = [];
    while (!skip(end)) {
      found.push(item(depth));
      // Commas between items are allowed, as in JSON.
      if (peek().kind !== end) skip(',');
    }
    return found;
  }

  function item(depth: number): HclItem {
    const { at } = peek();
    const keys: string[] = [];
    for (;;) {
      const token = take();
      if (token.kind === 'word' || token.kind === 'text') keys.push(token.text);
      else if (keys.length === 0) throw hclFault(`expected a key, found ${describe(token)}`, token.at);
      else if (token.kind === '{') return { keys: keys as [string], value: object(token.at, depth + 1), at };
      else if (token.kind !== '=') throw hclFault(`expected "=" or "{", found ${describe(token)}`, token.at);
      else if (keys.length > 1) throw hclFault('several keys take an object, not "="', token.at);
      else return { keys: keys as [string], value: value(depth), at };
    }
  }

  function object(at: Position, depth: number): HclObject {
    if (depth > depthLimit) throw hclFault(`nested more than ${depthLimit} deep`, at);
    return { items: items('}', depth) };
  }

  function list(at: Position, depth: number): HclValue[] {
    if (depth > depthLimit) throw hclFault(`nested more than ${depthLimit} deep`, at);
    const values: HclValue[] = [];
    while (!skip(']')) {
      values.push(value(depth));
      if (peek().kind !== ']' && !skip(',')) {
        throw hclFault(`expected "," or "]", found ${describe(peek())}`, peek().at);
      }
    }
    return values;
  }

  function value(depth: number): HclValue {
    const token = take();
    if (token.kind === 'text') return token.text;
    if (token.kind === 'number') return token.value;
    if (token.kind === '[') return list(token.at, depth + 1);
    if (token.kind === '{') return object(token.at, depth + 1);
    if (token.kind === 'word' && token.text === 'true') return true;
    if (token.kind === 'word' && token.text === 'false') return false;
    throw hclFault(`expected a value, found ${describe(token)}`, token.at);
  }

  return { items: items('end', 0) };
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'the end';
    case 'word':
    case 'text':
      return JSON.stringify(token.text);
    case 'number':
      return `${token.value}`;
    default:
      return JSON.stringify(token.kind);
  }
}

/**
 * The same from JSON, which Vault takes wherever it takes HCL: objects become items, `null` is left out.
 *
 * @throws Fault `vault.hcl` where it is no JSON, or no object
 */
export function parseHclJson(source: string): HclObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch (error) {
    throw hclFault(`this begins like JSON and is none: ${(error as Error).message}`, { line: 1, column: 1 });
  }
  return fromJson(parsed, 0) as HclObject;
}

function fromJson(json: unknown, depth: number): HclValue {
  if (depth > depthLimit) throw hclFault(`nested more than ${depthLimit} deep`, { line: 1, column: 1 });
  if (Array.isArray(json)) return json.map((element) => fromJson(element, depth + 1));
  if (typeof json !== 'object' || json === null) return json as string | number | boolean;
  return {
    items: Object.entries(json)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => ({
        keys: [key],
        value: fromJson(value, depth + 1),
        at: { line: 1, column: 1 },
      })),
  };
}
