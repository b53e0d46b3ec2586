import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../src/base/duration.ts';
import { type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
});
afterEach(() => vault.close());

const create = async (body: object, path = 'auth/token/create') =>
  (await vault.call('POST', path, { policies: ['default'], ...body })).auth;
const put = (path: string, body: object = {}, token?: string) => vault.call('PUT', path, body, token);

/** The leases of tokens that were made there. */
async function leasesAt(path: string): Promise<string[]> {
  const { data } = await vault.call('LIST', `sys/leases/lookup/${path}`);
  return ((data.keys ?? []) as string[]).map((key) => `${path}/${key}`);
}

test('a token’s lease is listed where it was made, looked up, and revoked', async () => {
  await vault.call('POST', 'auth/token/roles/web', {});
  const { client_token: token } = await create({ ttl: '2h' }, 'auth/token/create/web');
  const [id] = await leasesAt('auth/token/create/web');
  await vault.clock.advance(hourMs);
  await vault.call('POST', 'auth/token/renew', { token, increment: '3h' });
  expect((await put('sys/leases/lookup', { lease_id: id })).data).toEqual({
    expire_time: '2026-01-01T04:00:00Z',
    id,
    issue_time: '2026-01-01T00:00:00Z',
    last_renewal: '2026-01-01T01:00:00Z',
    path: 'auth/token/create/web',
    renewable: true,
    ttl: 10_800,
  });
  expect((await put('sys/leases/renew', { lease_id: id })).errors).toEqual([
    'tokens cannot be renewed through this endpoint',
  ]);
  expect((await put('sys/leases/revoke', { lease_id: id, sync: true })).status).toBe(204);
  expect((await vault.call('GET', 'auth/token/lookup-self', undefined, String(token))).status).toBe(403);
  expect((await put('sys/leases/lookup', { lease_id: id })).errors).toEqual(['invalid lease']);
  expect((await vault.call('LIST', 'sys/leases/lookup/auth/token/create/web')).status).toBe(404);
});

test('all that was given below a path is revoked at once, by sudo only', async () => {
  await vault.call('POST', 'auth/token/roles/web', { orphan: true });
  await vault.call('POST', 'auth/token/roles/web2', { orphan: true });
  const mine = await create({}, 'auth/token/create/web');
  const other = await create({}, 'auth/token/create/web2');
  await vault.call('PUT', 'sys/policies/acl/lessor', {
    policy: 'path "sys/leases/*" { capabilities = ["update", "list"] }',
  });
  const { client_token: lessor } = await create({ policies: ['lessor'] });
  for (const path of ['revoke-prefix', 'revoke-force']) {
    expect((await put(`sys/leases/${path}/auth/token/create/web`, {}, String(lessor))).status).toBe(403);
  }
  expect((await vault.call('LIST', 'sys/leases/lookup/auth', undefined, String(lessor))).status).toBe(403);
  expect((await put('sys/leases/revoke-prefix/auth/token/create/web')).status).toBe(204);
  const status = async (token: unknown) =>
    (await vault.call('GET', 'auth/token/lookup-self', undefined, String(token))).status;
  expect(await status(mine.client_token)).toBe(403);
  expect(await status(other.client_token)).toBe(200);
  expect((await put('sys/revoke-prefix/auth/token/create/web2', { sync: false })).status).toBe(202);
  expect(await status(other.client_token)).toBe(403);
});

test('what is no lease is said to be none, by new and old paths', async () => {
  const errors = async (path: string, body: object) => (await put(path, body)).errors;
  expect(await errors('sys/leases/lookup', {})).toEqual(['lease_id must be specified']);
  for (const path of ['sys/leases/renew', 'sys/renew']) {
    expect(await errors(path, {})).toEqual(['lease_id must be specified']);
    expect(await errors(path, { lease_id: 'none' })).toEqual(['lease not found']);
    expect(await errors(`${path}/a/b`, {})).toEqual(['lease not found']);
  }
  for (const path of ['sys/leases/revoke', 'sys/revoke']) {
    expect((await put(path, { lease_id: 'none', sync: true })).status).toBe(204);
    expect((await put(`${path}/a/b`)).status).toBe(204);
    expect((await put(path, { lease_id: 'none', sync: false })).status).toBe(202);
  }
});

test('leases are counted and listed where they could not be revoked', async () => {
  expect((await vault.call('GET', 'sys/leases/count?type=irrevocable')).data).toEqual({
    counts: {},
    lease_count: 0,
  });
  expect((await vault.call('GET', 'sys/leases?type=irrevocable')).data).toEqual({
    lease_count: 0,
    leases: [],
  });
  expect((await vault.call('GET', 'sys/leases/count')).status).toBe(404);
});

test('which leases there are is for those with sudo', async () => {
  const policy = 'path "sys/leases*" { capabilities = ["read", "list", "update"] }';
  await put('sys/policies/acl/leases', { policy });
  const { auth } = await put('auth/token/create', { policies: ['leases'] });
  const status = async (method: string, path: string) =>
    (await vault.call(method, path, undefined, String(auth.client_token))).status;
  expect(await status('GET', 'sys/leases?type=irrevocable')).toBe(403);
  expect(await status('GET', 'sys/leases/lookup/auth?list=true')).toBe(403);
  expect(await status('GET', 'sys/leases/count?type=irrevocable')).toBe(200);
});

test('tidying begins at once', async () => {
  const reply = await put('sys/leases/tidy');
  expect(reply.status).toBe(202);
  expect(reply.warnings[0]).toMatch(/^Tidy operation successfully started\./);
});

describe('logins', () => {
  let credentials: object;
  beforeEach(async () => {
    await put('sys/auth/approle', { type: 'approle' });
    await put('auth/approle/role/web', { token_policies: 'default', token_ttl: '1h' });
    const { data: role } = await vault.call('GET', 'auth/approle/role/web/role-id');
    const { data: secret } = await put('auth/approle/role/web/secret-id');
    credentials = { role_id: role.role_id, secret_id: secret.secret_id };
  });
  const login = async () => (await put('auth/approle/login', credentials, '')).auth.client_token;

  test('stand below the path of their method, and are revoked by it', async () => {
    const token = String(await login());
    expect(await leasesAt('auth/approle/login')).toHaveLength(1);
    expect((await put('sys/leases/revoke-prefix/auth/approle')).status).toBe(204);
    expect((await vault.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(403);
  });

  test('by the hundred leave nothing once they are over, and cost few writes (cert-manager#1430)', async () => {
    const entries = async () => (await vault.store.list({ prefix: '' })).map(({ key }) => key);
    const before = await entries();
    const started = await vault.store.revision();
    for (let count = 0; count < 300; count++) await login();
    expect((await vault.store.revision()) - started).toBe(300);
    expect((await entries()).length - before.length).toBe(300 * 4);
    const made = await vault.store.revision();
    await vault.clock.advance(hourMs + 1_000);
    expect(await entries()).toEqual(before);
    expect((await vault.store.revision()) - made).toBeLessThan(20);
  });
});

describe('certificates by a role with generate_lease', () => {
  beforeEach(async () => {
    await put('sys/mounts/pki', { type: 'pki' });
    await put('pki/root/generate/internal', { common_name: 'root', key_type: 'ec', ttl: '700h' });
    const role = await put('pki/roles/web', { allow_any_name: true, key_type: 'ec', generate_lease: true });
    expect(role.warnings).toEqual([expect.stringMatching(/^it is encouraged to disable generate_lease/)]);
  });

  const issue = (ttl: string, token?: string) =>
    put('pki/issue/web', { common_name: 'a.example', ttl }, token);
  const revoked = async () => (await vault.call('LIST', 'pki/certs/revoked')).data.keys;

  test('come with a lease, and are revoked with it', async () => {
    const reply = await issue('2h');
    const { lease_id: id } = reply.body;
    expect(reply.body).toMatchObject({
      lease_id: expect.stringMatching(/^pki\/issue\/web\/\w{24}$/),
      lease_duration: 7_200,
      renewable: false,
    });
    expect((await put('sys/leases/lookup', { lease_id: id })).data).toMatchObject({
      path: 'pki/issue/web',
      renewable: false,
      ttl: 7_200,
    });
    expect((await put('sys/leases/renew', { lease_id: id })).errors).toEqual(['lease is not renewable']);
    expect(await revoked()).toBeUndefined();
    expect((await put('sys/leases/revoke', { lease_id: id, sync: true })).status).toBe(204);
    expect(await revoked()).toEqual([reply.data.serial_number]);
  });

  test('are revoked with the token that asked for them', async () => {
    await put('sys/policies/acl/web', { policy: 'path "pki/issue/web" { capabilities = ["update"] }' });
    const { client_token: token } = await create({ policies: ['web'], ttl: '1h' });
    const { data } = await issue('2h', String(token));
    await vault.clock.advance(hourMs + 1_000);
    expect(await revoked()).toEqual([data.serial_number]);
  });

  test('are not revoked where they end by themselves', async () => {
    const { body } = await issue('1h');
    await vault.clock.advance(2 * hourMs);
    expect(await revoked()).toBeUndefined();
    expect((await put('sys/leases/lookup', { lease_id: body.lease_id })).errors).toEqual(['invalid lease']);
  });

  test('leave no lease with the mount', async () => {
    await issue('2h');
    await vault.call('DELETE', 'sys/mounts/pki');
    expect((await vault.call('LIST', 'sys/leases/lookup')).data).toEqual({ keys: ['auth/'] });
  });
});
