import { expect, test } from 'vitest';
import { defaultPolicy } from './default-policy.ts';
import { parsePolicy } from './policy.ts';

const rules = (source: string) =>
  parsePolicy(source).rules.map(({ path, matches, grant }) => [
    path,
    matches,
    [...grant.capabilities],
    grant.deny,
  ]);

test('tells exact paths, prefixes and paths with whole-segment wildcards', () => {
  const source = ['/a/b', 'a/*', 'a/+/b', '+/b*', 'a+b', '*']
    .map((path) => `path "${path}" { capabilities = ["read"] }`)
    .join('\n');
  expect(rules(source).map(([path, matches]) => [path, matches])).toEqual([
    ['a/b', 'exact'],
    ['a/', 'prefix'],
    ['a/+/b', 'segments'],
    ['+/b*', 'segments'],
    ['a+b', 'exact'],
    ['', 'prefix'],
  ]);
});

test('a denial holds nothing else', () => {
  expect(rules('path "a" { capabilities = ["read", "deny", "sudo"] }')).toEqual([['a', 'exact', [], true]]);
});

test('reads the policies of old as capabilities', () => {
  expect(rules('path "a" { policy = "write" }')[0]![2]).toEqual([
    'create',
    'read',
    'update',
    'delete',
    'list',
  ]);
  expect(rules('path "a" { policy = "deny" }')[0]![3]).toBe(true);
});

test('reads parameters, wrapping times and JSON', () => {
  const hcl = `path "a" {
    capabilities = ["update"]
    allowed_parameters = { "TTL" = ["1h"] "*" = [] }
    denied_parameters { x = [1, true] }
    required_parameters = ["Name"]
    min_wrapping_ttl = "1m"
    max_wrapping_ttl = 120
  }`;
  const json = JSON.stringify({
    path: {
      a: {
        capabilities: ['update'],
        allowed_parameters: { TTL: ['1h'], '*': [] },
        denied_parameters: { x: [1, true] },
        required_parameters: ['Name'],
        min_wrapping_ttl: '1m',
        max_wrapping_ttl: 120,
      },
    },
  });
  const { grant } = parsePolicy(hcl).rules[0]!;
  expect(grant).toEqual({
    deny: false,
    capabilities: new Set(['update']),
    allowedParameters: new Map([
      ['ttl', ['1h']],
      ['*', []],
    ]),
    deniedParameters: new Map([['x', [1, true]]]),
    requiredParameters: ['name'],
    minWrappingTtlMs: 60_000,
    maxWrappingTtlMs: 120_000,
  });
  expect(parsePolicy(json)).toEqual(parsePolicy(hcl));
  expect(parsePolicy('{"path": [{"a": {"policy": "read"}}, {"b": {"policy": "read"}}]}').rules).toHaveLength(
    2,
  );
});

test('paths with identity templates match nothing, and wrong templates are refused', () => {
  expect(rules('path "id/{{identity.entity.id}}/*" { capabilities = ["read"] }')).toEqual([]);
  expect(() => parsePolicy('path "a/{{identity.entity.id" {}')).toThrow(/unbalanced templating characters/);
  expect(() => parsePolicy('path "a/{{nonsense}}" {}')).toThrow(/no identity template/);
});

test('the default policy can be read', () => {
  expect(rules(defaultPolicy).map(([path]) => path)).toContain('auth/token/lookup-self');
});

test.each([
  ['pth "a" {}', 'failed to parse policy: 1 error occurred:\n\t* invalid key "pth" on line 1\n\n'],
  ['path "a" { capabilities = ["write"] }', 'failed to parse policy: path "a": invalid capability "write"'],
  [
    'path "a" {\n capabilites = [] }',
    'failed to parse policy: 1 error occurred:\n\t* path "a": invalid key "capabilites" on line 2\n\n',
  ],
  ['path "a" { policy = "admin" }', 'failed to parse policy: path "a": invalid policy "admin"'],
  ['path "a/+*" {}', 'failed to parse policy: path "a/+*": invalid use of wildcards (\'+*\' is forbidden)'],
  [
    'path "a" { capabilities = "read" }',
    'failed to parse policy: path "a": capabilities takes a list of texts',
  ],
  [
    'path "a" { capabilities = []\ncapabilities = [] }',
    'failed to parse policy: path "a": capabilities is given twice, again on line 2',
  ],
  [
    'path "a" { min_wrapping_ttl = "2m" max_wrapping_ttl = "1m" }',
    'failed to parse policy: path "a": max_wrapping_ttl cannot be less than min_wrapping_ttl',
  ],
  [
    'path "a" { allowed_parameters = { x = "y" } }',
    'failed to parse policy: path "a": allowed_parameters takes a list of values for "x"',
  ],
  ['path "a" = 1', 'failed to parse policy: At 1:10: several keys take an object, not "="'],
  ['path = 1', 'failed to parse policy: path takes a block'],
])('refuses %j', (source, message) => {
  expect(() => parsePolicy(source)).toThrow(message);
});
