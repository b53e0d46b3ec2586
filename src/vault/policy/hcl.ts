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
  return { items: new HclParser(scanHcl(source)).items('end', 0) };
}

class HclParser {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  items(end: '}' | 'end', depth: number): HclItem[] {
    const found: HclItem[] = [];
    while (!this.#skip(end)) {
      found.push(this.#item(depth));
      // Commas between items are allowed, as in JSON.
      if (this.#peek().kind !== end) this.#skip(',');
    }
    return found;
  }

  #take(): Token {
    return this.#tokens[this.#next++]!;
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #skip(kind: Token['kind']): boolean {
    if (this.#peek().kind !== kind) return false;
    this.#next += 1;
    return true;
  }

  #item(depth: number): HclItem {
    const { at } = this.#peek();
    const keys: string[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === 'word' || token.kind === 'text') keys.push(token.text);
      else if (keys.length === 0) throw hclFault(`expected a key, found ${describe(token)}`, token.at);
      else if (token.kind === '{') {
        return { keys: keys as [string], value: this.#object(token.at, depth + 1), at };
      } else if (token.kind !== '=') {
        throw hclFault(`expected "=" or "{", found ${describe(token)}`, token.at);
      } else if (keys.length > 1) throw hclFault('several keys take an object, not "="', token.at);
      else return { keys: keys as [string], value: this.#value(depth), at };
    }
  }

  #object(at: Position, depth: number): HclObject {
    assertDepth(at, depth);
    return { items: this.items('}', depth) };
  }

  #list(at: Position, depth: number): HclValue[] {
    assertDepth(at, depth);
    const values: HclValue[] = [];
    while (!this.#skip(']')) {
      values.push(this.#value(depth));
      const next = this.#peek();
      if (next.kind !== ']' && !this.#skip(',')) {
        throw hclFault(`expected "," or "]", found ${describe(next)}`, next.at);
      }
    }
    return values;
  }

  #value(depth: number): HclValue {
    const token = this.#take();
    if (token.kind === 'text') return token.text;
    if (token.kind === 'number') return token.value;
    if (token.kind === '[') return this.#list(token.at, depth + 1);
    if (token.kind === '{') return this.#object(token.at, depth + 1);
    if (token.kind === 'word' && token.text === 'true') return true;
    if (token.kind === 'word' && token.text === 'false') return false;
    throw hclFault(`expected a value, found ${describe(token)}`, token.at);
  }
}

function assertDepth(at: Position, depth: number): void {
  if (depth > depthLimit) throw hclFault(`nested more than ${depthLimit} deep`, at);
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
  assertDepth({ line: 1, column: 1 }, depth);
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
