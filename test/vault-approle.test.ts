import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hourMs, minuteMs } from '../src/base/duration.ts';
import { rootToken, type TestVault, testVault, type VaultReply } from './support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
  await ok('POST', 'sys/auth/approle', { type: 'approle' });
});
afterEach(() => vault.close());

async function ok(method: string, path: string, body?: unknown, token = rootToken): Promise<VaultReply> {
  const reply = await vault.call(method, path, body, token);
  expect([path, reply.errors]).toEqual([path, []]);
  return reply;
}

async function secretId(role: string, body: object = {}) {
  const { data } = await ok('POST', `auth/approle/role/${role}/secret-id`, body);
  return data as { secret_id: string; secret_id_accessor: string; secret_id_ttl: number };
}

async function makeRole(name: string, body: object = {}): Promise<string> {
  await ok('POST', `auth/approle/role/${name}`, body);
  return (await ok('GET', `auth/approle/role/${name}/role-id`)).data.role_id as string;
}

const login = (role_id: string, secret_id?: string) =>
  vault.call('POST', 'auth/approle/login', { role_id, secret_id }, '');
const self = (token: unknown) => vault.call('GET', 'auth/token/lookup-self', undefined, token as string);
const renew = (token: unknown, body = {}) =>
  vault.call('POST', 'auth/token/renew-self', body, token as string);

test('a role and a secret id of it give a token as the role says', async () => {
  const roleId = await makeRole('Web', { token_policies: 'b,a', token_ttl: '20m', token_max_ttl: '1h' });
  const { secret_id } = await secretId('web', { metadata: '{"team":"x"}' });
  const { auth } = await login(roleId, secret_id);
  expect(auth).toMatchObject({
    policies: ['a', 'b', 'default'],
    metadata: { role_name: 'web', team: 'x' },
    lease_duration: 1_200,
    renewable: true,
    token_type: 'service',
    orphan: true,
  });
  expect((await self(auth.client_token)).data).toMatchObject({
    display_name: 'approle',
    path: 'auth/approle/login',
    meta: { role_name: 'web', team: 'x' },
  });
});

describe('a login is refused alike', () => {
  test('for an unknown role, another secret id, one used up, one that is over', async () => {
    const roleId = await makeRole('web');
    const other = await makeRole('other');
    const once = await secretId('web', { num_uses: 1 });
    const brief = await secretId('web', { ttl: '1m' });
    expect((await login(roleId, once.secret_id)).status).toBe(200);
    await vault.clock.advance(minuteMs);
    const attempts = [
      login('none', 'none'),
      login(roleId, 'none'),
      login(roleId, once.secret_id),
      login(roleId, brief.secret_id),
      login(other, (await secretId('web')).secret_id),
    ];
    for (const { status, errors } of await Promise.all(attempts)) {
      expect([status, errors]).toEqual([400, ['invalid role or secret ID']]);
    }
  });

  test('without a secret id, whether or not there is such a role', async () => {
    const roleId = await makeRole('web');
    for (const id of [roleId, 'none']) expect((await login(id)).errors).toEqual(['missing secret_id']);
    expect((await login('')).errors).toEqual(['missing role_id']);
  });

  test('from an address that neither role nor secret id allows, and costs no use', async () => {
    await makeRole('web', { role_id: 'web', secret_id_bound_cidrs: '10.0.0.0/8' });
    const { secret_id } = await secretId('web', { num_uses: 1 });
    expect((await login('web', secret_id)).errors[0]).toContain(
      'unauthorized by CIDR restrictions on the role',
    );
    await ok('POST', 'auth/approle/role/web', { secret_id_bound_cidrs: '127.0.0.0/8' });
    expect((await login('web', secret_id)).status).toBe(200);
    const elsewhere = await secretId('web', { cidr_list: ['127.1.0.0/16'] });
    expect((await login('web', elsewhere.secret_id)).errors[0]).toContain(
      'CIDR restrictions on the secret ID',
    );
    const wider = await vault.call('POST', 'auth/approle/role/web/secret-id', { cidr_list: '10.0.0.0/8' });
    expect(wider.errors[0]).toContain('failed to verify subset relationship');
  });
});

test('of many logins at once with a counted secret id, as many get through as it counts', async () => {
  const roleId = await makeRole('web', { secret_id_num_uses: 100 });
  const { secret_id, secret_id_accessor } = await secretId('web');
  const replies = await Promise.all(Array.from({ length: 130 }, () => login(roleId, secret_id)));
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(100);
  expect(replies.filter(({ status }) => status === 400)).toHaveLength(30);
  const lookup = await vault.call('POST', 'auth/approle/role/web/secret-id-accessor/lookup', {
    secret_id_accessor,
  });
  expect(lookup.status).toBe(404);
});

test('secret ids are looked up, listed and destroyed, by themselves and by their accessors', async () => {
  await makeRole('web', { role_id: 'web', secret_id_ttl: '1h', secret_id_num_uses: 3 });
  const path = 'auth/approle/role/web';
  const first = await secretId('web');
  const second = await ok('POST', `${path}/custom-secret-id`, {
    secret_id: 'chosen',
    num_uses: 2,
    ttl: '30m',
  });
  expect((await ok('LIST', `${path}/secret-id`)).data.keys).toHaveLength(2);
  const { data } = await ok('POST', `${path}/secret-id/lookup`, { secret_id: 'chosen' });
  expect(data).toMatchObject({
    secret_id_num_uses: 2,
    secret_id_ttl: 1_800,
    creation_time: '2026-01-01T00:00:00Z',
    expiration_time: '2026-01-01T00:30:00Z',
  });
  const refusals: [object, string][] = [
    [{ num_uses: 0 }, "num_uses cannot be higher than the role's secret_id_num_uses"],
    [{ num_uses: 4 }, "num_uses cannot be higher than the role's secret_id_num_uses"],
    [{ ttl: 0 }, "ttl cannot be longer than the role's secret_id_ttl"],
    [{ ttl: '2h' }, "ttl cannot be longer than the role's secret_id_ttl"],
  ];
  for (const [body, message] of refusals) {
    expect((await vault.call('POST', `${path}/secret-id`, body)).errors).toEqual([message]);
  }
  await ok('POST', `${path}/secret-id/destroy`, { secret_id: 'chosen' });
  await ok('POST', `${path}/secret-id-accessor/destroy`, { secret_id_accessor: first.secret_id_accessor });
  for (const id of ['chosen', first.secret_id]) expect((await login('web', id)).status).toBe(400);
  expect((await vault.call('LIST', `${path}/secret-id`)).status).toBe(404);
  expect(second.data.secret_id).toBe('chosen');
});

test('what a deleted role had is gone, for a role of the same name too', async () => {
  await makeRole('web', { role_id: 'web' });
  const { secret_id } = await secretId('web');
  await ok('DELETE', 'auth/approle/role/web');
  expect((await login('web', secret_id)).status).toBe(400);
  await makeRole('web', { role_id: 'web' });
  expect((await login('web', secret_id)).status).toBe(400);
  const kept = await vault.store.list({ prefix: 'data/' });
  expect(kept.filter(({ key }) => /\/(secret-id|accessor|leaving)\//.test(key))).toEqual([]);
});

test('secret ids that are over are removed as others are made, or all at once', async () => {
  await makeRole('web');
  for (let count = 0; count < 6; count++) await secretId('web', { ttl: '1m' });
  const kept = async () =>
    (await vault.store.list({ prefix: 'data/' })).filter(({ key }) => key.includes('/secret-id/')).length;
  await vault.clock.advance(hourMs);
  await secretId('web');
  expect(await kept()).toBe(3);
  await ok('POST', 'auth/approle/tidy/secret-id');
  expect(await kept()).toBe(1);
});

describe('the token of a login', () => {
  test('is renewed by what the role says now, and not once it is gone', async () => {
    await makeRole('web', { role_id: 'web', token_ttl: '20m', token_max_ttl: '1h' });
    const { auth } = await login('web', (await secretId('web')).secret_id);
    await ok('POST', 'auth/approle/role/web', { token_ttl: '5m' });
    expect((await renew(auth.client_token)).auth.lease_duration).toBe(300);
    expect((await renew(auth.client_token, { increment: '10h' })).auth.lease_duration).toBe(3_600);
    await ok('DELETE', 'auth/approle/role/web');
    const reply = await renew(auth.client_token);
    expect([reply.status, ...reply.errors]).toEqual([
      500,
      '1 error occurred:\n\t* failed to renew entry: role "web" does not exist during renewal\n\n',
    ]);
  });

  test('ends with the mount that gave it', async () => {
    await makeRole('web', { role_id: 'web' });
    const { auth } = await login('web', (await secretId('web')).secret_id);
    expect((await self(auth.client_token)).status).toBe(200);
    await ok('DELETE', 'sys/auth/approle');
    expect((await self(auth.client_token)).status).toBe(403);
    expect((await vault.call('POST', 'auth/approle/login', { role_id: 'web' })).status).toBe(404);
    expect(await vault.store.list({ prefix: 'data/' })).toEqual([]);
  });

  test('keeps to the times and the kind that its mount is tuned to', async () => {
    await makeRole('web', { role_id: 'web', bind_secret_id: false, token_bound_cidrs: '127.0.0.0/8' });
    await ok('POST', 'sys/auth/approle/tune', { default_lease_ttl: '30m', max_lease_ttl: '1h' });
    const { auth } = await login('web');
    expect([auth.lease_duration, auth.token_type]).toEqual([1_800, 'service']);
    expect((await renew(auth.client_token, { increment: '5h' })).auth.lease_duration).toBe(3_600);
    await ok('POST', 'sys/auth/approle/tune', { token_type: 'batch' });
    const batch = (await login('web')).auth;
    expect([batch.token_type, batch.renewable, batch.accessor]).toEqual(['batch', false, '']);
    expect((await self(batch.client_token)).status).toBe(200);
  });

  test('never is root', async () => {
    await makeRole('web', { role_id: 'web', token_policies: 'root' });
    const { secret_id } = await secretId('web');
    expect((await login('web', secret_id)).errors).toEqual(['auth methods cannot create root tokens']);
  });
});

test('roles are refused what Vault refuses', async () => {
  await makeRole('web', { role_id: 'web' });
  const refused = async (body: object, name = 'other') => {
    const { status, errors } = await vault.call('POST', `auth/approle/role/${name}`, body);
    return [status, ...errors];
  };
  expect(await refused({ bind_secret_id: false })).toEqual([
    500,
    '1 error occurred:\n\t* at least one constraint should be enabled on the role\n\n',
  ]);
  expect(await refused({ role_id: 'web' })).toEqual([
    500,
    '1 error occurred:\n\t* role_id already in use\n\n',
  ]);
  expect(await refused({ token_ttl: '2h', token_max_ttl: '1h' })).toEqual([
    400,
    "'token_ttl' cannot be greater than 'token_max_ttl'",
  ]);
  expect(await refused({ local_secret_ids: true }, 'web')).toEqual([
    400,
    'local_secret_ids can only be modified during role creation',
  ]);
  expect((await vault.call('GET', 'auth/approle/role/other')).status).toBe(404);
  expect(await refused({}, 'a'.repeat(2_000))).toEqual([400, 'the name is too long']);
});

test('everything is still there after a restart', async () => {
  await makeRole('web', { role_id: 'web' });
  const { secret_id } = await secretId('web');
  const { store, clock } = vault;
  await vault.close();
  vault = await testVault({ store, clock, seed: 'again' });
  expect((await login('web', secret_id)).status).toBe(200);
  expect((await ok('GET', 'sys/auth')).data).toHaveProperty(['approle/', 'type'], 'approle');
});

describe('of two servers on one store', () => {
  let other: TestVault;
  beforeEach(async () => {
    other = await testVault({ store: vault.store, clock: vault.clock, seed: 'other' });
  });
  afterEach(() => other.close());

  const loginThere = (secret_id: string) =>
    other.call('POST', 'auth/approle/login', { role_id: 'web', secret_id }, '');

  test('each logs in by what the other was told, and they count uses together', async () => {
    await makeRole('web', { role_id: 'web', secret_id_num_uses: 6 });
    const { secret_id } = await secretId('web');
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 ? loginThere(secret_id) : login('web', secret_id))),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(6);
  });

  test('one that disables a method ends what the other gave', async () => {
    await makeRole('web', { role_id: 'web' });
    const { auth } = await loginThere((await secretId('web')).secret_id);
    expect((await self(auth.client_token)).status).toBe(200);
    await ok('DELETE', 'sys/auth/approle');
    const there = await other.call('GET', 'auth/token/lookup-self', undefined, auth.client_token as string);
    expect(there.status).toBe(403);
    expect((await loginThere('any')).status).toBe(403);
  });
});

test('a method that shows itself is listed for those who have yet to log in', async () => {
  const shown = async () =>
    (await vault.call('GET', 'sys/internal/ui/mounts', undefined, '')).data.auth as Record<string, unknown>;
  expect(await shown()).toEqual({});
  await ok('POST', 'sys/auth/approle/tune', { listing_visibility: 'unauth' });
  expect(await shown()).toEqual({ 'approle/': { description: '', options: {}, type: 'approle' } });
});

test('what kind of tokens a mount gives can be said of auth methods alone', async () => {
  await ok('POST', 'sys/mounts/pki', { type: 'pki' });
  const tune = async (path: string) => (await vault.call('POST', path, { token_type: 'batch' })).errors;
  expect(await tune('sys/mounts/pki/tune')).toEqual(["'token_type' can only be modified on auth mounts"]);
  expect(await tune('sys/auth/token/tune')).toEqual([
    "'token_type' cannot be set for 'token' or 'ns_token' auth mounts",
  ]);
  expect(await tune('sys/mounts/auth/approle/tune')).toEqual([]);
  expect((await ok('GET', 'sys/auth/approle/tune')).data.token_type).toBe('batch');
});

test('enabling and disabling methods asks for sudo', async () => {
  await ok('PUT', 'sys/policies/acl/some', {
    policy: 'path "sys/*" { capabilities = ["create", "read", "update", "delete"] }',
  });
  const { auth } = await ok('POST', 'auth/token/create', { policies: ['some'] });
  const token = auth.client_token as string;
  for (const [method, path, body] of [
    ['POST', 'sys/auth/more', { type: 'approle' }],
    ['DELETE', 'sys/auth/approle', undefined],
    ['POST', 'sys/auth/approle/tune', { max_lease_ttl: '1h' }],
  ] as const) {
    expect((await vault.call(method, path, body, token)).status).toBe(403);
  }
  // Nor is there a way around it.
  expect((await vault.call('DELETE', 'sys/mounts/auth/approle', undefined, token)).status).toBe(400);
  expect((await vault.call('POST', 'sys/mounts/auth/more', { type: 'approle' }, token)).status).toBe(400);
  expect((await ok('GET', 'sys/auth')).data).toHaveProperty(['approle/']);
});
