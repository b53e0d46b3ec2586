import { expect, test } from 'vitest';
import { hourMs } from '../../base/duration.ts';
import { leaseLimits, type Mount } from './mount.ts';
import { mountPath, planMount, tuneMount } from './mount-rules.ts';

const types = { kind: 'secret' as const, types: ['pki'] };
const mount: Mount = { ...planMount('pki/', { type: 'pki' }, types), uuid: 'u', accessor: 'pki_1' };

test('a path ends in one slash and begins with none', () => {
  for (const text of ['pki', '/pki', 'pki/', '//pki//']) expect(mountPath(text)).toBe('pki/');
});

test('what vault secrets enable sends makes a mount with the system’s times', () => {
  const fields = {
    type: 'pki',
    description: '',
    config: { default_lease_ttl: '0s', max_lease_ttl: '0s', force_no_cache: false, options: null },
    local: false,
    seal_wrap: false,
    external_entropy_access: false,
  };
  expect(planMount('pki/', fields, types)).toMatchObject({
    path: 'pki/',
    defaultLeaseTtlMs: 0,
    maxLeaseTtlMs: 0,
  });
  expect(leaseLimits(mount)).toEqual({ defaultTtlMs: 768 * hourMs, maxTtlMs: 768 * hourMs });
});

test('a tune changes what it names: an empty time nothing, system back to the system’s', () => {
  const tuned = tuneMount(mount, { default_lease_ttl: '', max_lease_ttl: '2160h0m0s' });
  expect(leaseLimits(tuned)).toEqual({ defaultTtlMs: 768 * hourMs, maxTtlMs: 2_160 * hourMs });
  expect(tuneMount(tuned, { description: 'x' })).toEqual({ ...tuned, description: 'x' });
  expect(tuneMount(tuned, { max_lease_ttl: 'system' }).maxLeaseTtlMs).toBe(0);
});

test.each([
  ['pki/', {}, 'backend type must be specified as a string'],
  ['pki/', { type: 'kv' }, 'plugin not found in the catalog: kv (this server has: pki)'],
  ['a/../b/', { type: 'pki' }, 'has an empty or relative segment'],
  ['/', { type: 'pki' }, 'has an empty or relative segment'],
  ['a*/', { type: 'pki' }, 'cannot contain'],
  ['a\nb/', { type: 'pki' }, 'cannot contain'],
  [
    'pki/',
    { type: 'pki', config: { max_lease_ttl: '1h', default_lease_ttl: '2h' } },
    'given default lease TTL greater than given max lease TTL',
  ],
  [
    'pki/',
    { type: 'pki', config: { default_lease_ttl: '800h' } },
    'greater than system max lease TTL of 2764800',
  ],
  [
    'pki/',
    { type: 'pki', config: { max_lease_ttl: 'long' } },
    'unable to parse max TTL of long: time: invalid duration "long"',
  ],
  ['pki/', { type: 'pki', config: { listing_visibility: 'all' } }, 'invalid listing_visibility all'],
])('refuses %j with %j', (path, fields, message) => {
  expect(() => planMount(path, fields, types)).toThrow(message);
});

test('a tune that leaves less than the default is refused', () => {
  const tuned = tuneMount(mount, { default_lease_ttl: '10h' });
  expect(() => tuneMount(tuned, { max_lease_ttl: '5h' })).toThrow(
    'backend max lease TTL of 18000 would be less than backend default lease TTL of 36000',
  );
});
