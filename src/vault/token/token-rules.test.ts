import { describe, expect, test } from 'vitest';
import { hourMs } from '../../base/duration.ts';
import { systemLease } from './lifetime.ts';
import type { Token } from './token.ts';
import { planToken, type TokenCircumstances } from './token-rules.ts';

const nowMs = Date.UTC(2026, 0, 1, 0, 0, 0, 123);
const parent: Token = {
  name: 'parent',
  type: 'service',
  accessor: 'a',
  policies: ['app', 'default', 'ops'],
  path: 'auth/token/create',
  meta: null,
  displayName: 'token',
  numUses: 0,
  createdMs: nowMs,
  ttlMs: hourMs,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  renewable: true,
  expiresMs: nowMs + hourMs,
};
const root: Token = { ...parent, policies: ['root'], ttlMs: 0 };
const at = (changes: Partial<TokenCircumstances> = {}): TokenCircumstances => ({
  parent,
  sudo: false,
  orphan: false,
  path: 'auth/token/create',
  nowMs,
  limits: systemLease,
  ...changes,
});
const byRoot = at({ parent: root, sudo: true });

test('the tutorial’s token: an orphan of one policy, without default, for 767 hours', () => {
  const fields = {
    policies: ['pki_policy'],
    no_parent: true,
    no_default_policy: true,
    renewable: true,
    ttl: '767h',
    num_uses: 0,
  };
  const { token, warnings, id } = planToken(fields, byRoot);
  expect(id).toBeUndefined();
  expect(warnings).toEqual([]);
  expect(token).toEqual({
    type: 'service',
    policies: ['pki_policy'],
    path: 'auth/token/create',
    meta: null,
    displayName: 'token',
    numUses: 0,
    createdMs: Date.UTC(2026, 0, 1),
    ttlMs: 767 * hourMs,
    explicitMaxTtlMs: 0,
    periodMs: 0,
    renewable: true,
    expiresMs: nowMs + 767 * hourMs,
  });
});

describe('policies', () => {
  const policies = (fields: Parameters<typeof planToken>[0], circumstances: TokenCircumstances) =>
    planToken(fields, circumstances).token.policies;

  test('none asked for: the parent’s', () => {
    expect(policies({}, at())).toEqual(['app', 'default', 'ops']);
    expect(policies({ no_default_policy: true }, at())).toEqual(['app', 'ops']);
    expect(policies({}, byRoot)).toEqual(['root']);
  });

  test('without sudo, at most the parent’s, with default where the parent has it', () => {
    expect(policies({ policies: ['APP', 'app '] }, at())).toEqual(['app', 'default']);
    expect(policies({ policies: ['app'], no_default_policy: true }, at())).toEqual(['app']);
    expect(policies({ policies: ['app'] }, at({ parent: { ...parent, policies: ['app'] } }))).toEqual([
      'app',
    ]);
    expect(() => policies({ policies: ['other'] }, at())).toThrow('child policies must be subset of parent');
    expect(() => policies({ policies: ['root'] }, at())).toThrow('child policies must be subset of parent');
  });

  test('with sudo, any but root', () => {
    expect(policies({ policies: ['other'] }, at({ sudo: true }))).toEqual(['default', 'other']);
    expect(() => policies({ policies: ['root'] }, at({ sudo: true }))).toThrow(
      'root tokens may not be created without parent token being root',
    );
    expect(policies({ policies: ['root', 'x'] }, byRoot)).toEqual(['root']);
  });

  test('commas are part of a name', () => {
    expect(policies({ policies: ['a,b'] }, byRoot)).toEqual(['a,b', 'default']);
  });
});

test('only root’s own children never end, and have nothing to renew', () => {
  expect(planToken({}, byRoot).token).toMatchObject({ ttlMs: 0, renewable: false });
  expect(planToken({ ttl: '1h' }, byRoot).token).toMatchObject({ ttlMs: hourMs, renewable: true });
  expect(planToken({ explicit_max_ttl: '2h' }, byRoot).token.ttlMs).toBe(2 * hourMs);
  const expiringRoot = { ...root, ttlMs: hourMs };
  expect(() => planToken({}, at({ parent: expiringRoot, sudo: true }))).toThrow(
    'expiring root tokens cannot create non-expiring root tokens',
  );
});

test('orphans come from create-orphan, or from sudo', () => {
  expect(planToken({}, at()).token.parent).toBe('parent');
  expect(planToken({}, at({ orphan: true })).token.parent).toBeUndefined();
  expect(planToken({ no_parent: true }, byRoot).token.parent).toBeUndefined();
});

test('names are made safe, ids are for sudo', () => {
  expect(planToken({ display_name: 'web/app 1!' }, at()).token.displayName).toBe('token-web-app-1');
  expect(planToken({ id: 'my-own' }, byRoot).id).toBe('my-own');
});

test.each([
  [{ no_parent: true }, 'root or sudo privileges required to create orphan token'],
  [{ id: 'x' }, 'root or sudo privileges required to specify token id'],
  [{ period: '1h' }, 'root or sudo privileges required to create periodic token'],
  [{ num_uses: -1 }, 'number of uses cannot be negative'],
  [{ ttl: '-1h' }, 'ttl must be positive'],
  [{ type: 'batch', num_uses: 2 }, 'batch tokens cannot have "num_uses" set'],
  [{ type: 'batch', period: '1h' }, 'batch tokens cannot have "period" set'],
  [{ type: 'batch', explicit_max_ttl: '1h' }, 'batch tokens cannot have "explicit_max_ttl" set'],
  [{ entity_alias: 'a' }, "'entity_alias' is only allowed in combination with token role"],
  [{ type: 'other' }, "invalid 'token_type' value"],
  [{ ttl: 'soon' }, 'time: invalid duration "soon"'],
])('without sudo %j is refused', (fields, message) => {
  expect(() => planToken(fields, at())).toThrow(message);
});

test.each([
  ['hvs.x', "custom token ID cannot have the 'hvs.' prefix"],
  ['a.b', "custom token ID cannot have a '.' in the value"],
])('the id %s is refused', (id, message) => {
  expect(() => planToken({ id }, byRoot)).toThrow(message);
});

test('a token of few uses makes no others', () => {
  expect(() => planToken({}, at({ parent: { ...parent, numUses: 3 } }))).toThrow(
    'restricted use token cannot generate child tokens',
  );
});
