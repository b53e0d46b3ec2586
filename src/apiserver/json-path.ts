/**
 * Simple JSONPaths as printer columns and `kubectl` use them (k8s.io/client-go/util/jsonpath, the part that CRDs may
 * use): `.a.b`, `['a']`, `[0]`, `[*]`, `.*`, `..a`, `[?(@.type=="Ready")]`, backslash before a dot in a name.
 */
export type JsonPath = (value: unknown) => unknown[];

type Step = (values: unknown[]) => unknown[];

/** Undefined where the path cannot be read: such a column stays empty. */
export function compileJsonPath(text: string): JsonPath | undefined {
  const steps: Step[] = [];
  let rest = text
    .trim()
    .replace(/^\{(.*)\}$/s, '$1')
    .replace(/^\$/, '');
  while (rest !== '') {
    const found = nextStep(rest);
    if (!found) return undefined;
    steps.push(found.step);
    rest = rest.slice(found.length);
  }
  return (value) => steps.reduce((values, step) => step(values), [value]);
}

function nextStep(rest: string): { step: Step; length: number } | undefined {
  const deep = /^\.\.((?:\\.|[^.[\]\\*])+)/.exec(rest);
  if (deep) {
    const name = unescape(deep[1]!);
    return { step: (values) => values.flatMap((value) => descend(value, name)), length: deep[0].length };
  }
  const wildcard = /^(?:\.\*|\[\*\])/.exec(rest);
  if (wildcard) return { step: (values) => values.flatMap(children), length: wildcard[0].length };
  const name = /^\.((?:\\.|[^.[\]\\])+)/.exec(rest) ?? /^\[\s*'((?:\\.|[^'\\])*)'\s*\]/.exec(rest);
  if (name)
    return {
      step: (values) => values.flatMap((value) => member(value, unescape(name[1]!))),
      length: name[0].length,
    };
  const index = /^\[(-?\d+)\]/.exec(rest);
  if (index)
    return {
      step: (values) => values.flatMap((value) => element(value, Number(index[1]))),
      length: index[0].length,
    };
  const slice = /^\[(-?\d*):(-?\d*)\]/.exec(rest);
  if (slice)
    return {
      step: (values) => values.flatMap((value) => sliced(value, slice[1]!, slice[2]!)),
      length: slice[0].length,
    };
  return filterStep(rest);
}

const filterForm =
  /^\[\?\(\s*@((?:\.|\[)[^=!<>]*?)\s*(?:(==|!=|<=|>=|<|>)\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|-?[\d.]+|true|false))?\s*\)\]/;

function filterStep(rest: string): { step: Step; length: number } | undefined {
  const filter = filterForm.exec(rest);
  if (!filter) return undefined;
  const path = compileJsonPath(filter[1]!);
  if (!path) return undefined;
  const [whole, , operator, literal] = filter;
  const keep = (candidate: unknown): boolean => {
    const found = path(candidate);
    if (operator === undefined) return found.length > 0;
    return found.length > 0 && compare(found[0], operator, literalOf(literal!));
  };
  return { step: (values) => values.flatMap((value) => children(value).filter(keep)), length: whole.length };
}

function literalOf(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  const first = text[0];
  return first === '"' || first === "'" ? unescape(text.slice(1, -1)) : Number(text);
}

function compare(left: unknown, operator: string, right: string | number | boolean): boolean {
  switch (operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    default:
  }
  if (typeof left !== typeof right) return false;
  const a = left as string | number;
  if (operator === '<') return a < right;
  if (operator === '>') return a > right;
  return operator === '<=' ? a <= right : a >= right;
}

function unescape(name: string): string {
  return name.replaceAll(/\\(.)/gs, '$1').trim();
}

function member(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.hasOwn(value, name) ? [(value as Record<string, unknown>)[name]] : [];
}

function element(value: unknown, index: number): unknown[] {
  if (!Array.isArray(value)) return [];
  const found: unknown = value.at(index);
  return found === undefined ? [] : [found];
}

function sliced(value: unknown, from: string, to: string): unknown[] {
  return Array.isArray(value) ? value.slice(Number(from || 0), to === '' ? undefined : Number(to)) : [];
}

function children(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}

function descend(value: unknown, name: string): unknown[] {
  return [...member(value, name), ...children(value).flatMap((child) => descend(child, name))];
}
