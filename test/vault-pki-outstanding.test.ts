import { afterEach, beforeEach, expect, test } from 'vitest';
import { dayMs, hourMs } from '../src/base/duration.ts';
import { memoryStore } from '../src/store/memory.ts';
import type { Batch, Store } from '../src/store/store.ts';
import { leafRequest } from './support/leaf-request.ts';
import { callVault, rootToken, type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
let store: Store;
const commits: Batch[] = [];
beforeEach(async () => {
  const plain = memoryStore();
  store = {
    ...plain,
    commit: (batch) => {
      commits.push(batch);
      return plain.commit(batch);
    },
  };
  vault = await testVault({ store });
  await prepare();
});
afterEach(() => vault.close());

async function prepare() {
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.call('POST', 'pki/root/generate/internal', {
    common_name: 'root',
    key_type: 'ec',
    ttl: '700h',
  });
  const role = { allow_any_name: true, key_type: 'ec' };
  await vault.call('POST', 'pki/roles/kept', role);
  await vault.call('POST', 'pki/roles/unkept', { ...role, no_store: true });
}

async function issue(role: string, ttl: string) {
  const { data, errors } = await vault.call('POST', `pki/issue/${role}`, { common_name: 'a', ttl });
  expect(errors).toEqual([]);
  return { serial: data.serial_number as string, end: data.expiration as number };
}

const outstanding = async () => (await vault.call('GET', 'pki/issuer/default/leaves')).data;

test('an issuer tells how many of its certificates have not ended, and when the last one does', async () => {
  expect(await outstanding()).toEqual({ count: 0, latest_not_after: 0, unstored_until: 0 });
  await issue('kept', '1h');
  const last = await issue('kept', '3h');
  await issue('kept', '2h');
  expect(await outstanding()).toEqual({ count: 3, latest_not_after: last.end, unstored_until: 0 });
  await vault.clock.advance(2.5 * hourMs);
  expect(await outstanding()).toEqual({ count: 1, latest_not_after: last.end, unstored_until: 0 });
  await vault.clock.advance(hourMs);
  expect(await outstanding()).toEqual({ count: 0, latest_not_after: 0, unstored_until: 0 });
});

test('they are listed by their ends, in pages', async () => {
  const ends = ['3h', '1h', '2h'];
  const issued = [];
  for (const ttl of ends) issued.push(await issue('kept', ttl));
  const [third, first, second] = issued.map(({ serial }) => serial);
  const list = async (query: string) => {
    const path = `pki/issuer/default/leaves?${query}`;
    return (await callVault(vault.endpoint, { method: 'LIST', path, token: rootToken })).data;
  };
  expect(await list('')).toMatchObject({ keys: [first, second, third] });
  expect(await list('limit=2')).toMatchObject({
    keys: [first, second],
    key_info: { [first!]: { expiration: issued[1]!.end } },
  });
  expect(await list(`after=${second}&limit=2`)).toMatchObject({ keys: [third] });
});

test('what is not stored is answered for by a time that is durable before it, and rarely written', async () => {
  const before = commits.length;
  const { end } = await issue('unkept', '24h');
  expect(commits.length).toBe(before + 1);
  const until = (await outstanding()).unstored_until as number;
  expect(until).toBeGreaterThanOrEqual(end);
  expect(until - end).toBeLessThanOrEqual((24 * 3_600) / 8);
  // Within the hours that it was rounded up by nothing more is written.
  for (let count = 0; count < 5; count++) await issue('unkept', '24h');
  await issue('unkept', '1h');
  expect(commits.length).toBe(before + 1);
  await vault.clock.advance(4 * hourMs);
  const later = await issue('unkept', '24h');
  expect(commits.length).toBe(before + 2);
  expect((await outstanding()).unstored_until).toBeGreaterThanOrEqual(later.end);
  expect(await outstanding()).toMatchObject({ count: 0, latest_not_after: 0 });
});

test('a server that is started again knows of them', async () => {
  await issue('unkept', '24h');
  const kept = await issue('kept', '5h');
  const before = await outstanding();
  await vault.server.close();
  vault = await testVault({ store, clock: vault.clock });
  expect(await outstanding()).toEqual(before);
  expect(before).toMatchObject({ count: 1, latest_not_after: kept.end });
  await vault.clock.advance(2 * dayMs);
  expect(await outstanding()).toEqual({ count: 0, latest_not_after: 0, unstored_until: 0 });
});

test('concurrent certificates that are not stored all end before the time', async () => {
  const ttls = Array.from({ length: 20 }, (_, index) => `${20 + index}h`);
  const issued = await Promise.all(ttls.map((ttl) => issue('unkept', ttl)));
  const until = (await outstanding()).unstored_until as number;
  expect(until).toBeGreaterThanOrEqual(Math.max(...issued.map(({ end }) => end)));
});

test('whoever will not be able to renew is told', async () => {
  const policy = (more: string) =>
    vault.call('PUT', 'sys/policies/acl/sign', {
      policy: `path "pki/+/kept" { capabilities = ["update"] } ${more}`,
    });
  const warnings = async (given: object) => {
    const { auth } = await vault.call('POST', 'auth/token/create', {
      policies: ['sign'],
      no_default_policy: true,
      ...given,
    });
    const body = { csr: await leafRequest(), ttl: '48h' };
    return (await vault.call('POST', 'pki/sign/kept', body, auth.client_token as string)).warnings;
  };
  await policy('');
  const told = [
    expect.stringMatching(
      /^the token of this request ends at \S+Z and cannot renew itself, but this certificate is due for renewal at \S+Z: /,
    ),
  ];
  expect(await warnings({ ttl: '30h' })).toEqual(told);
  expect(await warnings({ ttl: '40h' })).toEqual([]);
  await policy('path "auth/token/renew-self" { capabilities = ["update"] }');
  expect(await warnings({ ttl: '30h' })).toEqual([]);
  expect(await warnings({ ttl: '30h', renewable: false })).toEqual(told);
});

test('so is who has an intermediate signed', async () => {
  await vault.call('PUT', 'sys/policies/acl/ca', {
    policy: 'path "pki/root/sign-intermediate" { capabilities = ["update"] }',
  });
  const token = { policies: ['ca'], no_default_policy: true, ttl: '30h' };
  const { auth } = await vault.call('POST', 'auth/token/create', token);
  const sign = async (ttl: string) => {
    const body = { csr: await leafRequest(), common_name: 'sub', ttl };
    return vault.call('POST', 'pki/root/sign-intermediate', body, auth.client_token as string);
  };
  const ending = expect.stringMatching(/^the token of this request ends at /);
  expect((await sign('48h')).warnings).toContainEqual(ending);
  expect((await sign('40h')).warnings).not.toContainEqual(ending);
});
