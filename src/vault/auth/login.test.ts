import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hourMs } from '../../base/duration.ts';
import { type Mount, type MountTokenType, tokenTypes } from '../mount/mount.ts';
import { planMount } from '../mount/mount-rules.ts';
import { planLogin } from './login.ts';
import { defaultTokenSettings, mergeTokenSettings, type TokenSettings } from './token-settings.ts';

const nowMs = Date.UTC(2026, 0, 1);
const mount: Mount = {
  ...planMount('auth/team/web/', { type: 'approle' }, { kind: 'auth', types: ['approle'] }),
  uuid: 'u',
  accessor: 'auth_approle_1',
};
const plan = (settings: Partial<TokenSettings>, change: Partial<Mount> = {}) =>
  planLogin(
    {
      displayName: '',
      metadata: {},
      internal: {},
      settings: { ...defaultTokenSettings, ...settings },
    },
    { mount: { ...mount, ...change }, path: 'auth/team/web/login' },
    nowMs,
  );

const hours = fc.nat(2_000).map((count) => count * hourMs);

test('no token of a login outlives its mount, its role, or a limit of its own', () => {
  fc.assert(
    fc.property(hours, hours, hours, hours, hours, (ttl, max, explicit, period, ofMount) => {
      const { token } = plan(
        {
          token_ttl: ttl,
          token_max_ttl: max,
          token_explicit_max_ttl: explicit,
          token_period: period,
        },
        { maxLeaseTtlMs: ofMount },
      );
      const limits = [max, explicit, ofMount || 768 * hourMs].filter((limit) => limit > 0);
      expect(token.ttlMs).toBeGreaterThan(0);
      expect(token.ttlMs).toBeLessThanOrEqual(Math.min(...limits));
      expect(token.expiresMs).toBe(nowMs + token.ttlMs);
    }),
  );
});

test('no policies of a role make a token root', () => {
  const name = fc.oneof(fc.constantFrom('root', 'Root', ' root ', 'ROOT', 'a', 'default'), fc.string());
  fc.assert(
    fc.property(fc.array(name), fc.boolean(), (token_policies, token_no_default_policy) => {
      let policies: readonly string[];
      try {
        ({ policies } = plan({ token_policies, token_no_default_policy }).token);
      } catch (error) {
        expect(String(error)).toMatch(/cannot (create root tokens|assign policy)/);
        return;
      }
      expect(policies).not.toContain('root');
      expect(policies).toEqual([...new Set(policies)].toSorted());
      expect(policies.includes('default')).toBe(
        !token_no_default_policy ||
          token_policies.some((policy) => policy.trim().toLowerCase() === 'default'),
      );
    }),
  );
});

const types: [MountTokenType, TokenSettings['token_type'], string][] = [
  ['default-service', 'default', 'service'],
  ['default-service', 'batch', 'batch'],
  ['default-batch', 'default', 'batch'],
  ['default-batch', 'service', 'service'],
  ['service', 'batch', 'service'],
  ['batch', 'service', 'batch'],
];

test.each(types)('a mount of %s and a role of %s give a token of %s', (tokenType, token_type, type) => {
  expect(tokenTypes).toContain(tokenType);
  const { token } = plan({ token_type, token_num_uses: 3, token_period: hourMs }, { tokenType });
  expect(token.type).toBe(type);
  expect(token.renewable).toBe(type === 'service');
  // Nobody could count its uses, or renew it for another period.
  expect([token.numUses, token.periodMs]).toEqual(type === 'service' ? [3, hourMs] : [0, 0]);
});

test('it is called as its mount is', () => {
  expect(plan({}).token.displayName).toBe('team-web');
});

test('settings given by their names of old are shown by both, until one is given by the newer', () => {
  const old = mergeTokenSettings(defaultTokenSettings, { policies: ['B', 'a'], ttl: hourMs });
  expect([old.token_policies, old.token_ttl, old.old_names]).toEqual([
    ['a', 'b'],
    hourMs,
    ['policies', 'ttl'],
  ]);
  const newer = mergeTokenSettings(old, { token_policies: ['c'] });
  expect([newer.token_policies, newer.old_names]).toEqual([['c'], ['ttl']]);
});
