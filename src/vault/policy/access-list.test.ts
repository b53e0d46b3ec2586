import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AccessRequest, accessList, rootAccess } from './access-list.ts';
import { type Capability, capabilities, parsePolicy } from './policy.ts';

const access = (...sources: string[]) => accessList(sources.map(parsePolicy));
const grant = (path: string, ...held: string[]) =>
  `path "${path}" { capabilities = ${JSON.stringify(held)} }\n`;
const request = (path: string, operation: AccessRequest['operation'] = 'read', data = {}): AccessRequest => ({
  path,
  operation,
  data,
});

test('nothing is allowed that no policy allows', () => {
  expect(access().allows(request('a'))).toBe(false);
  expect(access(grant('a', 'read')).allows(request('a', 'update'))).toBe(false);
  expect(access(grant('a', 'read')).allows(request('ab'))).toBe(false);
  expect(access().capabilitiesOn('a')).toEqual(['deny']);
});

test('root may do everything', () => {
  expect(rootAccess.allows(request('sys/anything', 'delete'))).toBe(true);
  expect(rootAccess.capabilitiesOn('x')).toEqual(['root']);
});

test('the same path in several policies adds up, and one denial takes all', () => {
  expect(access(grant('a', 'read'), grant('a', 'update')).capabilitiesOn('a')).toEqual(['read', 'update']);
  expect(access(grant('a', 'read'), grant('a', 'deny'), grant('a', 'update')).capabilitiesOn('a')).toEqual([
    'deny',
  ]);
});

test.each([
  ['the exact path', ['a/b'], ['a/b*', 'a/+', '*']],
  ['the longer prefix', ['a/b*'], ['a/*', '*']],
  ['the later first wildcard', ['a/b/+/d'], ['a/+/c/d', '+/b/c/d']],
  ['no trailing star', ['a/+/c'], ['a/+/*']],
  ['fewer segment wildcards', ['a/+/c/d'], ['a/+/+/d', 'a/+/c/+']],
  ['the longer path', ['a/+/bcd*'], ['a/+/bc*']],
  ['a segment wildcard over a star at the same place', ['a/+'], ['a/*']],
])('%s goes first', (_, winners, losers) => {
  const path = {
    'a/b': 'a/b',
    'a/b*': 'a/bc',
    'a/b/+/d': 'a/b/c/d',
    'a/+/c': 'a/b/c',
    'a/+/c/d': 'a/b/c/d',
    'a/+/bcd*': 'a/x/bcde',
    'a/+': 'a/b',
  }[winners[0]!]!;
  for (const loser of losers) {
    expect(access(grant(winners[0]!, 'read'), grant(loser, 'deny')).allows(request(path))).toBe(true);
    expect(access(grant(winners[0]!, 'deny'), grant(loser, 'read')).allows(request(path))).toBe(false);
  }
});

test('a list is judged with its slash first, then without', () => {
  expect(access(grant('certs', 'list')).allows(request('certs/', 'list'))).toBe(true);
  expect(access(grant('certs/', 'deny'), grant('certs', 'list')).allows(request('certs/', 'list'))).toBe(
    false,
  );
  expect(access(grant('certs/*', 'deny'), grant('certs', 'list')).allows(request('certs/', 'list'))).toBe(
    true,
  );
  // Vault judges without the slash first here, OpenBao with it: a denial counts either way.
  expect(access(grant('a/+', 'deny'), grant('*', 'list')).allows(request('a/b/', 'list'))).toBe(false);
  expect(access(grant('a/+/', 'deny'), grant('*', 'list')).allows(request('a/b/', 'list'))).toBe(false);
});

test('what must be wrapped cannot be had in the clear', () => {
  const source = 'path "a" { capabilities = ["read"] min_wrapping_ttl = "1s" }';
  expect(access(source).allows(request('a'))).toBe(false);
});

describe('parameters', () => {
  const on = (rest: string, data: Record<string, unknown>) =>
    access(`path "a" { capabilities = ["update"] ${rest} }`).allows(request('a', 'update', data));

  test.each([
    ['allowed_parameters = { ttl = [] }', { ttl: 'any' }, true],
    ['allowed_parameters = { ttl = [] }', { other: 1 }, false],
    ['allowed_parameters = { ttl = ["1h", "2*"] }', { TTL: '24h' }, true],
    ['allowed_parameters = { ttl = ["1h", "2*"] }', { ttl: '3h' }, false],
    ['allowed_parameters = { ttl = ["1h"] "*" = [] }', { other: 1, ttl: '1h' }, true],
    ['allowed_parameters = { ttl = ["1h"] "*" = [] }', { other: 1, ttl: '2h' }, false],
    ['allowed_parameters = { "*" = [] }', { other: 1 }, true],
    ['allowed_parameters = { n = [5, true] }', { n: 5 }, true],
    ['allowed_parameters = { n = [5, true] }', { n: '5' }, false],
    ['denied_parameters = { ttl = [] }', { ttl: 'x' }, false],
    ['denied_parameters = { ttl = ["*bad*"] }', { ttl: 'so bad!' }, false],
    ['denied_parameters = { ttl = ["*bad*"] }', { ttl: 'good' }, true],
    ['denied_parameters = { "*" = [] }', { any: 1 }, false],
    ['denied_parameters = { "*" = [] }', {}, true],
    ['required_parameters = ["cn"]', {}, false],
    ['required_parameters = ["CN"]', { cn: '' }, true],
    ['allowed_parameters = { a = [] } denied_parameters = { a = ["no"] }', { a: 'no' }, false],
  ])('%s with %j: %s', (rest, data, allowed) => {
    expect(on(rest, data)).toBe(allowed);
  });

  test('of several policies they merge, an empty list taking in every value', () => {
    const one = 'path "a" { capabilities = ["update"] allowed_parameters = { x = ["1"] } }';
    const two = 'path "a" { capabilities = ["read"] allowed_parameters = { x = ["2"], y = [] } }';
    const three = 'path "a" { capabilities = ["read"] allowed_parameters = { x = [] } }';
    const allows = (data: object, ...sources: string[]) =>
      access(...sources).allows(request('a', 'update', data));
    expect(allows({ x: '2' }, one)).toBe(false);
    expect(allows({ x: '2', y: 'z' }, one, two)).toBe(true);
    expect(allows({ x: '3' }, one, two)).toBe(false);
    expect(allows({ x: '3' }, one, two, three)).toBe(true);
  });
});

test('tells which mounts a holder reaches', () => {
  const reaches = (path: string, mount: string) => access(grant(path, 'read')).reachesBelow(mount);
  expect(reaches('pki/ca', 'pki/')).toBe(true);
  expect(reaches('pki*', 'pki/')).toBe(true);
  expect(reaches('*', 'pki/')).toBe(true);
  expect(reaches('pki/+/x', 'pki/')).toBe(true);
  expect(reaches('+/ca', 'pki/')).toBe(true);
  expect(reaches('other/+', 'pki/')).toBe(false);
  expect(reaches('pkix/ca', 'pki/')).toBe(false);
  expect(access(grant('pki/*', 'deny')).reachesBelow('pki/')).toBe(false);
});

/**
 * The same rules, told as Vault's documentation tells them and with nothing of the compiled form: every rule that
 * matches, sorted by the documented criteria, the first one wins; rules with the same path are merged.
 */
function model(rules: readonly [string, readonly string[]][], path: string): readonly string[] {
  const matching = [...new Set(rules.map(([rulePath]) => rulePath))].filter((rulePath) =>
    pattern(rulePath).test(path),
  );
  if (matching.includes(path) && !path.includes('+')) return held(rules, path);
  const criteria = (rulePath: string) => {
    const first = rulePath.search(/\+|\*$/);
    return [first, rulePath.endsWith('*') ? 0 : 1, -rulePath.split('+').length, rulePath.length];
  };
  const [best] = matching.toSorted((a, b) => {
    const [left, right] = [criteria(a), criteria(b)];
    const at = left.findIndex((value, index) => value !== right[index]);
    return at === -1 ? (a < b ? 1 : -1) : right[at]! - left[at]!;
  });
  return best === undefined ? [] : held(rules, best);
}

function held(rules: readonly [string, readonly string[]][], path: string): readonly string[] {
  const all = rules.filter(([rulePath]) => rulePath === path).flatMap(([, names]) => names);
  return all.includes('deny') ? [] : all;
}

function pattern(rulePath: string): RegExp {
  const body = rulePath
    .replace(/\*$/, '')
    .split('/')
    .map((segment) => (segment === '+' ? '[^/]*' : segment));
  return new RegExp(`^${body.join('/')}${rulePath.endsWith('*') ? '.*' : ''}$`, 's');
}

const segment = fc.constantFrom('a', 'b', 'ab', '+');
const rulePath = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '/', '/*', '*'))
  .map(([segments, end]) => segments.join('/') + end)
  .filter((path) => !path.includes('+*'));
const requestPath = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'ab', 'abc'), { minLength: 1, maxLength: 5 }),
    fc.constantFrom('', '/'),
  )
  .map(([segments, end]) => segments.join('/') + end);
const someCapabilities = fc.oneof(
  { weight: 4, arbitrary: fc.subarray([...capabilities] as string[], { minLength: 1 }) },
  { weight: 1, arbitrary: fc.constant(['deny']) },
);

test('agrees with an independent model on every path', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(rulePath, someCapabilities), { maxLength: 8 }),
      fc.array(requestPath, { minLength: 1, maxLength: 6 }),
      (rules, paths) => {
        const compiled = access(...rules.map(([path, names]) => grant(path, ...names)));
        for (const path of paths) {
          const expected = model(rules, path);
          for (const operation of ['create', 'read', 'update', 'delete', 'patch'] as const) {
            expect(compiled.allows(request(path, operation)), `${operation} ${path}`).toBe(
              expected.includes(operation),
            );
          }
          expect(compiled.hasSudo(path, 'read')).toBe(expected.includes('sudo' satisfies Capability));
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
