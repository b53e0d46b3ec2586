import { afterEach, expect, test } from 'vitest';
import { memoryStore } from '../src/store/memory.ts';
import { type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
afterEach(() => vault.close());

test('a limit refuses who asks too often, says until when, and lets them in again', async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/quotas/config', { enable_rate_limit_response_headers: true });
  const made = await vault.call('POST', 'sys/quotas/rate-limit/mounts', {
    path: 'sys/mounts',
    rate: 2,
    interval: '1m',
  });
  expect([made.status, made.errors]).toEqual([204, []]);
  const headersOf = async (): Promise<unknown> => {
    const { status, headers } = await vault.call('GET', 'sys/mounts');
    const names = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'retry-after'];
    return [status, ...names.map((name) => headers.get(name))];
  };
  expect(await headersOf()).toEqual([200, '2', '1', '60', null]);
  expect(await headersOf()).toEqual([200, '2', '0', '60', null]);
  expect(await headersOf()).toEqual([429, '2', '0', '60', '60']);
  expect((await vault.call('GET', 'sys/mounts', undefined, '')).errors).toEqual([
    'request path "sys/mounts": rate limit quota exceeded',
  ]);
  expect((await vault.call('GET', 'sys/policies/acl?list=true')).status).toBe(200);
  await vault.clock.advance(60_000);
  expect(await headersOf()).toEqual([200, '2', '1', '60', null]);
});

test('limits are kept, read, listed and deleted', async () => {
  const store = memoryStore();
  vault = await testVault({ store });
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.call('POST', 'sys/quotas/rate-limit/ca', { path: 'pki', rate: '1000', block_interval: '10s' });
  await vault.close();
  vault = await testVault({ store });
  const { data } = await vault.call('GET', 'sys/quotas/rate-limit/ca');
  expect(data).toEqual({
    block_interval: 10,
    inheritable: false,
    interval: 1,
    name: 'ca',
    path: 'pki/',
    rate: 1_000,
    role: '',
    type: 'rate-limit',
  });
  expect((await vault.call('LIST', 'sys/quotas/rate-limit')).data).toEqual({ keys: ['ca'] });
  await vault.call('DELETE', 'sys/quotas/rate-limit/ca');
  expect((await vault.call('GET', 'sys/quotas/rate-limit/ca')).status).toBe(404);
});

test.each([
  [{ rate: 0 }, "'rate' is invalid"],
  [{ rate: 'many' }, "'rate' is invalid"],
  [{ rate: 1, path: 'none/such' }, 'invalid mount path "none/such"'],
  [{ rate: 1, path: 'auth/token/', role: 'x' }, "'role' is not supported"],
])('%j is refused', async (body, words) => {
  vault = await testVault();
  const refused = await vault.call('POST', 'sys/quotas/rate-limit/a', body);
  expect([refused.status, refused.errors[0]]).toEqual([400, expect.stringContaining(words)]);
});

test('no two limits have one path, and exempt paths have none', async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/quotas/rate-limit/a', { rate: 1, interval: '1h' });
  await vault.call('POST', 'sys/quotas/config', { rate_limit_exempt_paths: 'sys/quotas/*' });
  const twin = await vault.call('POST', 'sys/quotas/rate-limit/b', { rate: 1 });
  expect([twin.status, twin.errors[0]]).toEqual([400, expect.stringContaining('under the name "a"')]);
  expect((await vault.call('GET', 'sys/mounts')).status).toBe(429);
});
