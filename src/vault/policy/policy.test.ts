import { expect, test } from 'vitest';
import { defaultPolicy } from './default-policy.ts';
import { parsePolicy, resolvePolicy } from './policy.ts';

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

test('paths with identity templates are filled or left out, and wrong templates are refused', () => {
  const filled = (path: string, metadata?: Record<string, string>) =>
    resolvePolicy(
      parsePolicy(`path "${path}" { capabilities = ["read"] }`),
      metadata && { accessor: 'auth_kubernetes_1', metadata },
    ).rules.map((rule) => [rule.path, rule.matches]);
  const team = '{{ identity.entity.aliases.auth_kubernetes_1.metadata.team }}';
  expect(filled('plain/*')).toEqual([['plain/', 'prefix']]);
  expect(filled('id/{{identity.entity.id}}/*', { id: 'a' })).toEqual([]);
  expect(filled(`kv/${team}/*`, { team: 'web' })).toEqual([['kv/web/', 'prefix']]);
  expect(filled(`kv/${team}/+/a`, { team: 'web' })).toEqual([['kv/web/+/a', 'segments']]);
  expect(filled(`kv/x-${team}`, { team: 'web' })).toEqual([['kv/x-web', 'exact']]);
  expect(filled(`kv/${team}/*`)).toEqual([]);
  expect(filled(`kv/${team}/*`, { other: 'web' })).toEqual([]);
  expect(filled(`kv/${team.replace('_1', '_2')}/*`, { team: 'web' })).toEqual([]);
  expect(filled('kv/{{identity.entity.aliases.auth_kubernetes_1.metadata.constructor}}', {})).toEqual([]);
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

test.each(['*', 'a*', '+', 'a/b', '', '.', '..', 'a\nb', '{{x}}', '\ud800'])(
  'the value %j, which would change what a path means, fills no template (GHSA-59w7-v8rr-pr4p)',
  (value) => {
    const policy = parsePolicy(
      'path "kv/{{identity.entity.aliases.a.metadata.team}}/*" { capabilities = ["read"] }',
    );
    expect(resolvePolicy(policy, { accessor: 'a', metadata: { team: value } }).rules).toEqual([]);
  },
);

test('braces without end are found to be unbalanced, however many there are', () => {
  const path = '{{'.repeat(500_000);
  expect(() => parsePolicy(`path "${path}" { capabilities = ["read"] }`)).toThrow(
    'unbalanced templating characters',
  );
});
