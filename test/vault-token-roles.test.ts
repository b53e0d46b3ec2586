import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../src/base/duration.ts';
import { rootToken, type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
});
afterEach(() => vault.close());

const role = (name: string, body: object) => vault.call('POST', `auth/token/roles/${name}`, body);
const by = (name: string, body: object = {}, token = rootToken) =>
  vault.call('POST', `auth/token/create/${name}`, body, token);
const self = (token: unknown) => vault.call('GET', 'auth/token/lookup-self', undefined, String(token));

async function limited(): Promise<string> {
  await vault.call('PUT', 'sys/policies/acl/maker', {
    policy: 'path "auth/token/create/*" { capabilities = ["update"] }',
  });
  const { auth } = await vault.call('POST', 'auth/token/create', { policies: ['maker'] });
  return String(auth.client_token);
}

test('a role is written, changed in part, read, listed and deleted', async () => {
  expect((await role('web', { allowed_policies: 'B,a', path_suffix: 'v-1' })).status).toBe(204);
  expect((await role('web', { orphan: 'true', token_period: '24h' })).status).toBe(204);
  expect((await vault.call('GET', 'auth/token/roles/web')).data).toEqual({
    allowed_entity_aliases: null,
    allowed_policies: ['a', 'b'],
    allowed_policies_glob: [],
    disallowed_policies: [],
    disallowed_policies_glob: [],
    explicit_max_ttl: 0,
    name: 'web',
    orphan: true,
    path_suffix: 'v-1',
    period: 0,
    renewable: true,
    token_explicit_max_ttl: 0,
    token_no_default_policy: false,
    token_period: 86_400,
    token_type: 'default-service',
  });
  expect((await vault.call('LIST', 'auth/token/roles')).data).toEqual({ keys: ['web'] });
  expect((await vault.call('DELETE', 'auth/token/roles/web')).status).toBe(204);
  expect((await vault.call('GET', 'auth/token/roles/web')).status).toBe(404);
  expect((await vault.call('LIST', 'auth/token/roles')).status).toBe(404);
});

test('settings by their old names are shown by both', async () => {
  await role('old', { period: '1h', explicit_max_ttl: 7_200, bound_cidrs: '10.0.0.0/8' });
  expect((await vault.call('GET', 'auth/token/roles/old')).data).toMatchObject({
    period: 3_600,
    token_period: 3_600,
    explicit_max_ttl: 7_200,
    token_explicit_max_ttl: 7_200,
    bound_cidrs: ['10.0.0.0/8'],
    token_bound_cidrs: ['10.0.0.0/8'],
  });
  const both = await role('old', { period: '1h', token_period: '2h' });
  expect(both.warnings).toEqual([
    "Both 'token_period' and deprecated 'period' value supplied, ignoring the deprecated value",
  ]);
  expect((await vault.call('GET', 'auth/token/roles/old')).data).toMatchObject({
    period: 0,
    token_period: 7_200,
  });
});

test.each([
  [{ token_type: 'odd' }, `invalid 'token_type' value "odd"`],
  [{ token_type: 'batch' }, "'token_type' cannot be 'batch' when role is set to generate non-orphan tokens"],
  [
    { token_type: 'batch', orphan: true },
    "'token_type' cannot be 'batch' when role is set to generate renewable tokens",
  ],
  [{ token_num_uses: -1 }, "error parsing role fields: 'token_num_uses' cannot be negative"],
  [{ path_suffix: 'a/b' }, 'given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w'],
  [
    { token_bound_cidrs: 'x' },
    'error parsing role fields: error parsing address "x": it is no address and no network',
  ],
  [{ allowed_entity_aliases: 'x' }, 'there are no entities here: leave allowed_entity_aliases out'],
])('the role %j is refused', async (body, message) => {
  const reply = await role('bad', body);
  expect([reply.status, ...reply.errors]).toEqual([400, message]);
  expect((await vault.call('GET', 'auth/token/roles/bad')).status).toBe(404);
});

test('tokens by a role that is not there are refused', async () => {
  const reply = await by('none');
  expect([reply.status, ...reply.errors]).toEqual([400, 'unknown role none']);
});

describe('policies by a role', () => {
  test('may be others than the caller’s, among those that it allows', async () => {
    await role('web', { allowed_policies: 'web,ops', allowed_policies_glob: 'team-*' });
    const token = await limited();
    expect((await by('web', {}, token)).auth.policies).toEqual(['default', 'ops', 'web']);
    expect((await by('web', { policies: ['web'] }, token)).auth.policies).toEqual(['default', 'web']);
    expect((await by('web', { policies: ['team-a'], no_default_policy: true }, token)).auth.policies).toEqual(
      ['team-a'],
    );
    const refused = await by('web', { policies: ['root', 'x'] }, token);
    expect([refused.status, ...refused.errors]).toEqual([
      400,
      'token policies (["root"]) must be subset of the role\'s allowed policies (["default" "ops" "web"]) or ' +
        'glob policies (["team-*"])',
    ]);
  });

  test('are never root for who is not root, whatever it allows', async () => {
    await role('any', { allowed_policies_glob: '*' });
    const token = await limited();
    expect((await by('any', { policies: ['root'] }, token)).errors).toEqual([
      'root tokens may not be created without parent token being root',
    ]);
    expect((await by('any', { policies: ['root'] })).auth.policies).toEqual(['root']);
  });

  test('are never those that it disallows', async () => {
    await role('most', { disallowed_policies: 'ops', disallowed_policies_glob: 'team-*,default' });
    expect((await by('most', { policies: ['web'] })).auth.policies).toEqual(['web']);
    expect((await by('most', { policies: ['web', 'ops'] })).errors).toEqual([
      'token policy "ops" is disallowed by this role',
    ]);
    expect((await by('most', { policies: ['team-a'] })).errors).toEqual([
      'token policy "team-a" is disallowed by this role',
    ]);
  });

  test('are the caller’s at most where it says nothing of them', async () => {
    await role('plain', {});
    const token = await limited();
    expect((await by('plain', { policies: ['other'] }, token)).errors).toEqual([
      'child policies must be subset of parent',
    ]);
  });
});

test('a role sets path, period, uses, orphanage and networks', async () => {
  await role('web', {
    orphan: true,
    path_suffix: 'v-1',
    token_period: '1h',
    token_num_uses: 5,
    token_bound_cidrs: ['127.0.0.1/32'],
    renewable: false,
  });
  const reply = await by('web', { policies: ['default'], period: '2h', num_uses: 9 });
  expect(reply.warnings).toEqual([
    'Period specified both during creation call and in role; using the lesser value of 3600 seconds',
  ]);
  const { data } = await self(reply.auth.client_token);
  expect(data).toMatchObject({
    path: 'auth/token/create/web/v-1',
    role: 'web',
    ttl: 3_600,
    num_uses: 4,
    orphan: true,
    bound_cidrs: ['127.0.0.1'],
    renewable: false,
  });
});

test('a bound token is none from elsewhere, and costs no use there; its children are bound too', async () => {
  await role('far', { token_bound_cidrs: '192.0.2.0/24', token_num_uses: 1 });
  const { auth } = await by('far', { policies: ['default'] });
  for (let time = 0; time < 3; time++) {
    const reply = await self(auth.client_token);
    expect([reply.status, ...reply.errors]).toEqual([403, '1 error occurred:\n\t* permission denied\n\n']);
  }
  expect((await vault.call('POST', 'auth/token/lookup', { token: auth.client_token })).data.num_uses).toBe(1);
  await role('near', { token_bound_cidrs: '127.0.0.0/8' });
  await vault.call('PUT', 'sys/policies/acl/maker', {
    policy: 'path "auth/token/*" { capabilities = ["read", "update"] }',
  });
  const parent = await by('near', { policies: ['maker'] });
  const child = await vault.call('POST', 'auth/token/create', {}, String(parent.auth.client_token));
  expect((await self(child.auth.client_token)).data.bound_cidrs).toEqual(['127.0.0.0/8']);
});

describe('batch tokens', () => {
  const batch = async (body: object = {}) =>
    (await vault.call('POST', 'auth/token/create', { type: 'batch', policies: ['default'], ...body })).auth;

  test('answer as Vault’s do, and keep nothing in the store', async () => {
    const before = (await vault.store.list({ prefix: '' })).length;
    const auth = await batch({ ttl: '1h', no_parent: true });
    expect(auth).toMatchObject({
      client_token: expect.stringMatching(/^hvb\./),
      accessor: '',
      token_type: 'batch',
      renewable: false,
      lease_duration: 3_600,
      orphan: true,
      num_uses: 0,
    });
    expect((await vault.store.list({ prefix: '' })).length).toBe(before);
    expect((await self(auth.client_token)).data).toMatchObject({ type: 'batch', accessor: '', ttl: 3_600 });
    await vault.clock.advance(hourMs);
    expect((await self(auth.client_token)).status).toBe(403);
  });

  test('are neither renewed nor revoked, and make no others', async () => {
    await vault.call('PUT', 'sys/policies/acl/maker', {
      policy: 'path "auth/token/*" { capabilities = ["read", "update"] }',
    });
    const { client_token: token } = await batch({ policies: ['maker'] });
    const refusal = async (path: string, body: object = {}, as = rootToken) =>
      (await vault.call('POST', `auth/token/${path}`, body, as)).errors[0];
    expect(await refusal('renew', { token })).toBe('batch tokens cannot be renewed');
    expect(await refusal('revoke', { token })).toBe('batch tokens cannot be revoked');
    expect(await refusal('revoke-orphan', { token })).toBe('batch tokens cannot be revoked');
    expect(await refusal('revoke-self', {}, String(token))).toBe('batch tokens cannot be revoked');
    expect(await refusal('create', {}, String(token))).toBe('batch tokens cannot create more tokens');
    expect(await refusal('create', { type: 'batch' })).toBe('batch tokens cannot be root tokens');
  });

  test('end with the token that made them', async () => {
    await vault.call('PUT', 'sys/policies/acl/maker', {
      policy: 'path "auth/token/*" { capabilities = ["read", "update"] }',
    });
    const parent = await vault.call('POST', 'auth/token/create', { policies: ['maker'] });
    const asParent = String(parent.auth.client_token);
    const { auth } = await vault.call('POST', 'auth/token/create', { type: 'batch' }, asParent);
    expect((await self(auth.client_token)).data.orphan).toBe(false);
    await vault.call('POST', 'auth/token/revoke-self', {}, asParent);
    expect((await self(auth.client_token)).status).toBe(403);
  });

  test('come of roles that make no other, or no other by default', async () => {
    await role('quick', { token_type: 'batch', orphan: true, renewable: false });
    await role('either', { token_type: 'default-batch' });
    const type = async (name: string, body: object) =>
      (await by(name, { policies: ['default'], ...body })).auth.token_type;
    expect(await type('quick', {})).toBe('batch');
    expect(await type('quick', { type: 'service' })).toBe('batch');
    expect(await type('either', {})).toBe('batch');
    expect(await type('either', { type: 'service' })).toBe('service');
  });
});

test('the token mount’s own times hold for tokens, and their warnings', async () => {
  const tuned = await vault.call('POST', 'sys/auth/token/tune', {
    default_lease_ttl: '2h',
    max_lease_ttl: '4h',
  });
  expect([tuned.status, ...tuned.errors]).toEqual([204]);
  expect((await vault.call('GET', 'sys/auth/token/tune')).data).toMatchObject({
    default_lease_ttl: 7_200,
    max_lease_ttl: 14_400,
  });
  const create = async (body: object) =>
    vault.call('POST', 'auth/token/create', { policies: ['default'], ...body });
  expect((await create({})).auth.lease_duration).toBe(7_200);
  const long = await create({ ttl: '5h' });
  expect(long.auth.lease_duration).toBe(14_400);
  expect(long.warnings).toEqual([
    'TTL of "5h" exceeded the effective max_ttl of "4h"; TTL value is capped accordingly',
  ]);
  expect((await role('long', { token_explicit_max_ttl: '5h' })).warnings).toEqual([
    'Given explicit max TTL of 18000 is greater than system/mount allowed value of 14400 seconds; until this is ' +
      'fixed attempting to create tokens against this role will result in an error',
  ]);
});

test('tidying begins at once', async () => {
  expect((await vault.call('POST', 'auth/token/tidy')).status).toBe(202);
});

test('a token of few uses is used no more often on two nodes at once', async () => {
  const other = await testVault({ store: vault.store, clock: vault.clock, seed: 'other' });
  try {
    const { auth } = await vault.call('POST', 'auth/token/create', { policies: ['default'], num_uses: 7 });
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, at) =>
        (at % 2 ? vault : other).call('GET', 'auth/token/lookup-self', undefined, String(auth.client_token)),
      ),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(7);
    const left = await vault.store.list({ prefix: 'token/id/' });
    expect(left).toHaveLength(1);
  } finally {
    await other.close();
  }
});

test('a token by a role is renewed as the role now says, and not without it', async () => {
  await role('web', { token_period: '1h' });
  const { auth } = await by('web', { policies: ['default'] });
  const renew = () => vault.call('POST', 'auth/token/renew', { token: auth.client_token });
  expect((await renew()).auth.lease_duration).toBe(3_600);
  await role('web', { token_period: '2h' });
  expect((await renew()).auth.lease_duration).toBe(7_200);
  await role('web', { token_period: 0, token_explicit_max_ttl: '3h' });
  await vault.clock.advance(1.5 * hourMs);
  expect((await renew()).auth.lease_duration).toBe(5_400);
  await vault.call('DELETE', 'auth/token/roles/web');
  expect((await renew()).errors).toEqual([
    '1 error occurred:\n\t* failed to renew entry: original token role "web" could not be found, not renewing\n\n',
  ]);
});
