import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../src/base/duration.ts';
import { rootToken, type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
});
afterEach(() => vault.close());

interface Auth {
  client_token: string;
  accessor: string;
  lease_duration: number;
}

async function create(body: object, token = rootToken, path = 'auth/token/create'): Promise<Auth> {
  const reply = await vault.call('POST', path, body, token);
  expect([reply.status, reply.errors]).toEqual([200, []]);
  return reply.auth as unknown as Auth;
}

const self = (token: string) => vault.call('GET', 'auth/token/lookup-self', undefined, token);

test('a token answers what it was made with, and reads the same of itself', async () => {
  const reply = await vault.call('POST', 'auth/token/create', {
    policies: ['default', 'absent'],
    ttl: '2h',
    display_name: 'web',
    meta: { team: 'a' },
    num_uses: 0,
  });
  expect(reply.warnings).toEqual(['Policy "absent" does not exist']);
  expect(reply.body.data).toBeNull();
  const auth = reply.auth as unknown as Auth;
  expect(auth).toEqual({
    client_token: expect.stringMatching(/^hvs\./),
    accessor: expect.any(String),
    policies: ['absent', 'default'],
    token_policies: ['absent', 'default'],
    metadata: { team: 'a' },
    lease_duration: 7_200,
    renewable: true,
    entity_id: '',
    token_type: 'service',
    orphan: false,
    mfa_requirement: null,
    num_uses: 0,
  });
  await vault.clock.advance(hourMs);
  const { data } = await self(auth.client_token);
  expect(data).toEqual({
    accessor: auth.accessor,
    creation_time: (vault.clock.now() - hourMs) / 1_000,
    creation_ttl: 7_200,
    display_name: 'token-web',
    entity_id: '',
    expire_time: '2026-01-01T02:00:00Z',
    explicit_max_ttl: 0,
    id: auth.client_token,
    issue_time: '2026-01-01T00:00:00Z',
    meta: { team: 'a' },
    num_uses: 0,
    orphan: false,
    path: 'auth/token/create',
    policies: ['absent', 'default'],
    renewable: true,
    ttl: 3_600,
    type: 'service',
  });
  expect((await vault.call('POST', 'auth/token/lookup', { token: auth.client_token })).data).toEqual(data);
  expect((await vault.call('POST', 'auth/token/lookup-accessor', { accessor: auth.accessor })).data).toEqual({
    ...data,
    id: '',
  });
});

test('without a time it lasts as long as the system says, and no longer than that at most', async () => {
  expect((await create({ policies: ['default'] })).lease_duration).toBe(768 * 3_600);
  const reply = await vault.call('POST', 'auth/token/create', { policies: ['default'], ttl: '1000h' });
  expect(reply.auth.lease_duration).toBe(768 * 3_600);
  expect(reply.warnings).toEqual([
    'TTL of "1000h" exceeded the effective max_ttl of "768h"; TTL value is capped accordingly',
  ]);
});

describe('renewal', () => {
  test('moves the end, up to the maximum from the creation', async () => {
    const { client_token: token } = await create({
      policies: ['default'],
      ttl: '2h',
      explicit_max_ttl: '5h',
    });
    await vault.clock.advance(hourMs);
    const renewed = await vault.call('POST', 'auth/token/renew-self', {}, token);
    expect(renewed.auth).toMatchObject({ client_token: token, lease_duration: 7_200, renewable: true });
    expect((await self(token)).data).toMatchObject({
      ttl: 7_200,
      last_renewal_time: vault.clock.now() / 1_000,
    });
    await vault.clock.advance(hourMs);
    const capped = await vault.call('POST', 'auth/token/renew', { token, increment: '10h' });
    expect(capped.auth.lease_duration).toBe(3 * 3_600);
    expect(capped.warnings).toEqual([
      'TTL of "10h" exceeded the effective max_ttl of "3h"; TTL value is capped accordingly',
    ]);
    await vault.clock.advance(3 * hourMs);
    expect((await self(token)).status).toBe(403);
  });

  test('is refused for what does not end, and for what is not renewable', async () => {
    const fixed = await create({ policies: ['default'], ttl: '1h', renewable: 'false' });
    const renew = async (token: string) => (await vault.call('POST', 'auth/token/renew', { token })).errors;
    expect(await renew(fixed.client_token)).toEqual(['lease is not renewable']);
    expect(await renew(rootToken)).toEqual(['lease is not renewable']);
    expect(await renew('hvs.none')).toEqual(['token not found']);
    expect(await renew('')).toEqual(['missing token ID']);
  });

  test('that asks for nothing gives what the one before gave', async () => {
    const { client_token: token } = await create({ policies: ['default'], ttl: '2h' });
    const renew = async (body: object) =>
      (await vault.call('POST', 'auth/token/renew-self', body, token)).auth.lease_duration;
    expect(await renew({})).toBe(7_200);
    expect(await renew({ increment: '30m' })).toBe(1_800);
    expect(await renew({})).toBe(1_800);
    expect((await self(token)).data).toMatchObject({ creation_ttl: 7_200, ttl: 1_800 });
  });

  test('by accessor does not tell the token', async () => {
    const { accessor, client_token: token } = await create({ policies: ['default'], ttl: '2h' });
    const { auth } = await vault.call('POST', 'auth/token/renew-accessor', { accessor, increment: '3h' });
    expect(auth).toMatchObject({ accessor, client_token: '', lease_duration: 10_800 });
    expect((await self(token)).data.ttl).toBe(10_800);
  });

  test('of a periodic token goes on for ever', async () => {
    const { client_token: token } = await create({ policies: ['default'], period: '24h' });
    for (let day = 0; day < 60; day++) {
      await vault.clock.advance(23 * hourMs);
      expect((await vault.call('POST', 'auth/token/renew-self', {}, token)).auth.lease_duration).toBe(86_400);
    }
    expect((await self(token)).data).toMatchObject({ period: 86_400, ttl: 86_400 });
  });
});

describe('revocation', () => {
  test('takes the children along, not the orphans', async () => {
    await vault.call('PUT', 'sys/policies/acl/maker', {
      policy:
        'path "auth/token/create*" { capabilities = ["update"] } path "auth/token/*" { capabilities = ["read", "update"] }',
    });
    const parent = await create({ policies: ['maker'], ttl: '1h' });
    const child = await create({}, parent.client_token);
    const grandchild = await create({}, child.client_token);
    const orphan = await create({}, parent.client_token, 'auth/token/create-orphan');
    expect((await vault.call('POST', 'auth/token/revoke-self', {}, parent.client_token)).status).toBe(204);
    for (const { client_token } of [parent, child, grandchild])
      expect((await self(client_token)).status).toBe(403);
    expect((await self(orphan.client_token)).data.orphan).toBe(true);
    expect(
      (await vault.call('POST', 'auth/token/revoke-accessor', { accessor: orphan.accessor })).status,
    ).toBe(204);
    expect((await self(orphan.client_token)).status).toBe(403);
  });

  test('of a token alone leaves its children, as orphans, and asks for sudo', async () => {
    const policy =
      'path "auth/token/create*" { capabilities = ["update"] } path "auth/token/revoke-orphan" { capabilities = ["update"] }';
    await vault.call('PUT', 'sys/policies/acl/maker', { policy });
    const parent = await create({ policies: ['maker'], ttl: '1h' });
    const child = await create({}, parent.client_token);
    const revokeParent = (token: string) =>
      vault.call('POST', 'auth/token/revoke-orphan', { token: parent.client_token }, token);
    expect((await revokeParent(parent.client_token)).status).toBe(403);
    expect((await revokeParent(rootToken)).status).toBe(204);
    expect((await self(parent.client_token)).status).toBe(403);
    expect((await self(child.client_token)).data.orphan).toBe(true);
    expect((await vault.store.list({ prefix: 'token/holds/' })).length).toBe(0);
  });

  test('of what is not there is no error', async () => {
    expect((await vault.call('POST', 'auth/token/revoke', { token: 'hvs.none' })).status).toBe(204);
    const byAccessor = await vault.call('POST', 'auth/token/revoke-accessor', { accessor: 'none' });
    expect([byAccessor.status, byAccessor.warnings]).toEqual([200, ['No token found with this accessor']]);
  });
});

test('a token of so many uses is good for so many requests, denied ones counted', async () => {
  const { client_token: token } = await create({ policies: ['default'], num_uses: 3 });
  expect((await self(token)).data.num_uses).toBe(2);
  expect((await vault.call('GET', 'sys/mounts', undefined, token)).status).toBe(403);
  // At its last use it may still read of itself.
  expect((await self(token)).status).toBe(200);
  expect((await self(token)).status).toBe(403);
  expect((await vault.store.list({ prefix: 'token/id/' })).length).toBe(1);
});

test('a token cannot give away more than it has', async () => {
  await vault.call('PUT', 'sys/policies/acl/maker', {
    policy: 'path "auth/token/create" { capabilities = ["update"] }',
  });
  const { client_token: token } = await create({ policies: ['maker'] });
  const refusal = async (body: object) => {
    const reply = await vault.call('POST', 'auth/token/create', body, token);
    return [reply.status, ...reply.errors];
  };
  expect(await refusal({ policies: ['root'] })).toEqual([400, 'child policies must be subset of parent']);
  expect(await refusal({ policies: ['other'] })).toEqual([400, 'child policies must be subset of parent']);
  expect(await refusal({ no_parent: true })).toEqual([
    400,
    'root or sudo privileges required to create orphan token',
  ]);
  expect(await refusal({ id: 'mine' })).toEqual([
    400,
    'root or sudo privileges required to specify token id',
  ]);
  expect((await create({ policies: ['maker'] }, token)).lease_duration).toBe(768 * 3_600);
});

test('a root token tells when it was made, and that it is not renewable', async () => {
  const { data } = await self(rootToken);
  expect(data).toMatchObject({ issue_time: '2026-01-01T00:00:00Z', expire_time: null, renewable: false });
  // An empty token is the caller's own.
  expect((await vault.call('POST', 'auth/token/lookup', { token: '' })).data).toEqual(data);
});

test('accessors are listed', async () => {
  const { accessor } = await create({ policies: ['default'] });
  const { data } = await vault.call('GET', 'auth/token/accessors?list=true');
  expect(data.keys).toHaveLength(2);
  expect(data.keys).toContain(accessor);
});
