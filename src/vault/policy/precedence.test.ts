import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { accessList, type Operation } from './access-list.ts';
import { parsePolicy } from './policy.ts';

/**
 * The rules as Vault's documentation tells them ("Policies: priority matching", "parameter constraints"), done the
 * slow way: all rules that match are compared pair by pair, in the order of the page's numbered list.
 */

interface Rule {
  path: string;
  capabilities: string[];
}

const segment = fc.constantFrom('a', 'b', 'ab', '+');
const path = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '*', '/*', '/'))
  .map(([segments, end]) => segments.join('/') + end)
  .filter((text) => !text.includes('+*'));
const rule: fc.Arbitrary<Rule> = fc.record({
  path,
  capabilities: fc.uniqueArray(fc.constantFrom('read', 'update', 'list', 'delete', 'sudo', 'deny'), {
    minLength: 1,
    maxLength: 3,
  }),
});
const asked = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'c'), { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join('/'));

function matches(pattern: string, text: string): boolean {
  const glob = pattern.endsWith('*');
  const body = glob ? pattern.slice(0, -1) : pattern;
  const source = body
    .split('/')
    .map((part) => (part === '+' ? '[^/]*' : part))
    .join('/');
  return new RegExp(`^${source}${glob ? '.*' : ''}$`).test(text);
}

/** Whether `one` is of lower priority than `other`, both matching the same path: the five rules, in their order. */
function isLower(one: string, other: string): boolean {
  const firstWildcard = (text: string) => (/[+*]/.test(text) ? text.search(/[+*]/) : Infinity);
  if (firstWildcard(one) !== firstWildcard(other)) return firstWildcard(one) < firstWildcard(other);
  const globs = (text: string) => text.endsWith('*');
  if (globs(one) !== globs(other)) return globs(one);
  const pluses = (text: string) => text.split('+').length;
  if (pluses(one) !== pluses(other)) return pluses(one) > pluses(other);
  if (one.length !== other.length) return one.length < other.length;
  return one < other;
}

function expected(rules: readonly Rule[], text: string): Set<string> {
  const found = rules.filter((each) => matches(each.path, text));
  const [first, ...rest] = found.map((each) => each.path);
  if (first === undefined) return new Set();
  const best = rest.reduce((strongest, each) => (isLower(strongest, each) ? each : strongest), first);
  const held = new Set(found.filter((each) => each.path === best).flatMap((each) => each.capabilities));
  return held.has('deny') ? new Set() : held;
}

function compiled(rules: readonly Rule[]) {
  return accessList(
    rules.map((each) =>
      parsePolicy(`path "${each.path}" { capabilities = ${JSON.stringify(each.capabilities)} }`),
    ),
  );
}

test('on a path the rule of the highest priority counts, and no other', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), asked, (rules, text) => {
      const access = compiled(rules);
      const held = expected(rules, text);
      for (const operation of ['read', 'update', 'delete'] as const) {
        expect(access.allows({ path: text, operation, data: {} })).toBe(held.has(operation));
      }
      expect(access.hasSudo(text, 'read')).toBe(held.has('sudo'));
    }),
    { numRuns: 2_000 },
  );
});

test('a denial is not got around by listing, with or without a slash at the end (GHSA-xp3c-3jw3-4vcr)', () => {
  const cases = [
    ['secret/deny', 'secret/*'],
    ['secret/deny/', 'secret/*'],
    ['secret/+/', 'secret/*'],
    ['+/deny', '*'],
    ['secret/deny*', 'secret/*'],
    ['secret/deny/*', 'secret/*'],
  ] as const;
  for (const [denied, granted] of cases) {
    const access = compiled([
      { path: denied, capabilities: ['deny'] },
      { path: granted, capabilities: ['list', 'read'] },
    ]);
    expect([denied, access.allows({ path: 'secret/deny/', operation: 'list', data: {} })]).toEqual([
      denied,
      false,
    ]);
    expect(access.allows({ path: 'secret/other/', operation: 'list', data: {} })).toBe(
      denied !== 'secret/+/',
    );
  }
});

const names = fc.constantFrom('a', 'b', 'C');
const values = fc.constantFrom<unknown>('x', 'xy', 'zx', 1, true);
const listed = fc.dictionary(
  fc.constantFrom('a', 'b', 'c', '*'),
  fc.array(fc.constantFrom<unknown>('x', 'x*', '*x', 1, true), { maxLength: 2 }),
  { maxKeys: 3 },
);
const body = fc.dictionary(names, values, { maxKeys: 3 });

function valueMatches(pattern: unknown, value: unknown): boolean {
  if (typeof pattern !== 'string' || typeof value !== 'string') return pattern === value;
  if (pattern.startsWith('*')) return value.endsWith(pattern.slice(1));
  if (pattern.endsWith('*')) return value.startsWith(pattern.slice(0, -1));
  return pattern === value;
}

/** The three settings as the documentation describes them: each a filter of its own. */
function parametersPass(
  required: readonly string[],
  allowed: Record<string, unknown[]> | undefined,
  denied: Record<string, unknown[]> | undefined,
  given: Record<string, unknown>,
): boolean {
  const entries = Object.entries(given).map(([name, value]) => [name.toLowerCase(), value] as const);
  if (required.some((name) => !Object.hasOwn(given, name))) return false;
  return entries.every(([name, value]) => {
    if (denied && Object.hasOwn(denied, '*')) return false;
    const refused = denied && Object.hasOwn(denied, name) ? denied[name]! : undefined;
    if (refused && (refused.length === 0 || refused.some((each) => valueMatches(each, value)))) return false;
    if (!allowed || Object.keys(allowed).length === 0) return true;
    if (!Object.hasOwn(allowed, name)) return Object.hasOwn(allowed, '*');
    const wanted = allowed[name]!;
    return wanted.length === 0 || wanted.some((each) => valueMatches(each, value));
  });
}

test('required, denied and allowed parameters each have their say', () => {
  const hcl = (table: Record<string, unknown[]>) =>
    `{ ${Object.entries(table)
      .map(([name, each]) => `${JSON.stringify(name)} = ${JSON.stringify(each)}`)
      .join('\n')} }`;
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 1 }),
      fc.option(listed, { nil: undefined }),
      fc.option(listed, { nil: undefined }),
      body,
      fc.constantFrom<Operation>('update', 'read', 'patch'),
      (required, allowed, denied, given, operation) => {
        const policy = parsePolicy(
          `path "p" {
             capabilities = ["update", "read", "patch", "delete"]
             required_parameters = ${JSON.stringify(required)}
             ${allowed ? `allowed_parameters = ${hcl(allowed)}` : ''}
             ${denied ? `denied_parameters = ${hcl(denied)}` : ''}
           }`,
        );
        const access = accessList([policy]);
        expect(access.allows({ path: 'p', operation, data: given })).toBe(
          parametersPass(required, allowed, denied, given),
        );
        expect(access.allows({ path: 'p', operation: 'delete', data: given })).toBe(true);
      },
    ),
    { numRuns: 2_000 },
  );
});
