import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestVault, testVault, type VaultReply } from './support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
});
afterEach(() => vault.close());

interface WrapInfo {
  token: string;
  accessor: string;
  wrapped_accessor?: string;
}

const put = (path: string, body?: object, token?: string) => vault.call('PUT', path, body, token);
const create = async (body: object) => (await put('auth/token/create', body)).auth as Record<string, string>;

/** A request whose answer is to be wrapped; with the root token. */
async function wrapped(method: string, path: string, body?: object, ttl = '60'): Promise<VaultReply> {
  const response = await fetch(`${vault.endpoint}/v1/${path}`, {
    method,
    headers: { 'x-vault-token': 'test-root', 'x-vault-wrap-ttl': ttl },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  const parsed = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  return { status: response.status, body: parsed, errors: parsed.errors ?? [] } as unknown as VaultReply;
}
const infoOf = ({ body }: VaultReply) => body.wrap_info as WrapInfo;

const none = 'wrapping token is not valid or does not exist';

describe('a wrapped answer', () => {
  test('tells only where it is, and is had once, by whoever brings the token', async () => {
    const reply = await wrapped('PUT', 'sys/wrapping/wrap', { a: 1, list: ['x'] });
    expect(reply.body).toEqual({
      request_id: '',
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: null,
      wrap_info: {
        token: expect.stringMatching(/^hvs\./),
        accessor: expect.any(String),
        ttl: 60,
        creation_time: '2026-01-01T00:00:00Z',
        creation_path: 'sys/wrapping/wrap',
      },
      warnings: null,
      auth: null,
      mount_type: '',
    });
    const { token } = infoOf(reply);
    const opened = await put('sys/wrapping/unwrap', undefined, token);
    expect(opened.data).toEqual({ a: 1, list: ['x'] });
    const again = await put('sys/wrapping/unwrap', undefined, token);
    expect([again.status, ...again.errors]).toEqual([400, none]);
    expect((await vault.store.list({ prefix: 'token/holds/' })).length).toBe(0);
  });

  test('is had by a third party with leave for that, once of ten times at once', async () => {
    const { token } = infoOf(await wrapped('GET', 'sys/mounts/sys'));
    const { client_token: reader } = await create({ policies: ['default'] });
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => put('sys/wrapping/unwrap', { token }, reader)),
    );
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array.from({ length: 9 }, () => 400),
    ]);
    expect(replies.find(({ status }) => status === 200)!.data.type).toBe('system');
  });

  test('names the accessor of a token in it', async () => {
    const { token, wrapped_accessor: accessor } = infoOf(await wrapped('PUT', 'auth/token/create', {}));
    const opened = await put('sys/wrapping/unwrap', undefined, token);
    expect(opened.auth).toMatchObject({ accessor, policies: ['root'] });
  });

  test('ends unread with its time, and is gone from the store', async () => {
    const { token } = infoOf(await wrapped('PUT', 'sys/wrapping/wrap', { a: 1 }, '1m'));
    expect((await vault.store.list({ prefix: 'token/holds/' })).length).toBe(2);
    await vault.clock.advance(60_000);
    expect((await put('sys/wrapping/unwrap', { token })).errors).toEqual([none]);
    await vault.clock.advance(1_000);
    expect((await vault.store.list({ prefix: 'token/holds/' })).length).toBe(0);
  });

  test('is raw again where it was', async () => {
    await put('sys/mounts/pki', { type: 'pki' });
    await put('pki/root/generate/internal', { common_name: 'root', key_type: 'ec' });
    const pem = (await vault.call('GET', 'pki/ca/pem')).text;
    const { token } = infoOf(await wrapped('GET', 'pki/ca/pem'));
    const opened = await put('sys/wrapping/unwrap', undefined, token);
    expect(opened.text).toBe(pem);
    expect(opened.headers.get('content-type')).toBe('application/pem-certificate-chain');
  });

  test('is none where there is nothing, or an error', async () => {
    expect((await wrapped('DELETE', 'sys/policies/acl/none')).status).toBe(204);
    expect((await wrapped('GET', 'sys/policies/acl/none')).status).toBe(404);
    expect((await wrapped('LIST', 'auth/token/roles')).status).toBe(404);
    expect((await vault.store.list({ prefix: 'token/holds/' })).length).toBe(0);
  });

  test('without a token too', async () => {
    const response = await fetch(`${vault.endpoint}/v1/sys/internal/ui/mounts`, {
      headers: { 'x-vault-wrap-ttl': '60' },
    });
    const { wrap_info: info } = (await response.json()) as { wrap_info: WrapInfo };
    expect((await put('sys/wrapping/unwrap', undefined, info.token)).data).toEqual({ auth: {}, secret: {} });
  });
});

test('a wrapping token is good for nothing else', async () => {
  const { token } = infoOf(await wrapped('PUT', 'sys/wrapping/wrap', { a: 1 }));
  expect((await vault.call('POST', 'auth/token/lookup', { token })).data).toMatchObject({
    display_name: '',
    num_uses: 1,
    orphan: true,
    path: 'sys/wrapping/wrap',
    policies: ['response-wrapping'],
    explicit_max_ttl: 60,
    renewable: false,
  });
  expect((await vault.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(403);
  // That was its use.
  expect((await put('sys/wrapping/unwrap', { token })).errors).toEqual([none]);
});

test('what is wrapped is looked into without unwrapping, by anyone', async () => {
  const { token } = infoOf(await wrapped('PUT', 'sys/wrapping/wrap', { a: 1 }));
  for (const reply of [
    await put('sys/wrapping/lookup', { token }, ''),
    await put('sys/wrapping/lookup', undefined, token),
    await vault.call('GET', 'sys/wrapping/lookup', undefined, token),
  ]) {
    expect(reply.data).toEqual({
      creation_path: 'sys/wrapping/wrap',
      creation_time: '2026-01-01T00:00:00Z',
      creation_ttl: 60,
    });
  }
  expect((await put('sys/wrapping/unwrap', { token })).data).toEqual({ a: 1 });
});

test('it is wrapped once more for the same time, and the first token is over', async () => {
  const { token } = infoOf(await wrapped('GET', 'sys/mounts/sys', undefined, '300'));
  await vault.clock.advance(100_000);
  const info = infoOf(await put('sys/wrapping/rewrap', { token }));
  expect(info).toMatchObject({ ttl: 300, creation_path: 'sys/mounts/sys' });
  expect((await put('sys/wrapping/unwrap', { token })).errors).toEqual([none]);
  expect((await put('sys/wrapping/lookup', { token: info.token })).data.creation_path).toBe('sys/mounts/sys');
  expect((await put('sys/wrapping/unwrap', { token: info.token })).data.type).toBe('system');
});

test.each([
  ['x', 'error parsing X-Vault-Wrap-TTL header: time: invalid duration "x"'],
  ['99999999999h', 'error parsing X-Vault-Wrap-TTL header: time: invalid duration "99999999999h"'],
  ['-5', 'error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative'],
])('the time %s is refused', async (ttl, message) => {
  const reply = await wrapped('PUT', 'sys/wrapping/wrap', { a: 1 }, ttl);
  expect([reply.status, ...reply.errors]).toEqual([400, message]);
});

test('to wrap values takes a time', async () => {
  const reply = await put('sys/wrapping/wrap', { a: 1 });
  expect([reply.status, ...reply.errors]).toEqual([400, 'endpoint requires response wrapping to be used']);
});

test('a policy can ask for wrapping, and for how long', async () => {
  await put('sys/policies/acl/wrapped', {
    policy:
      'path "auth/token/lookup-self" { capabilities = ["read"] min_wrapping_ttl = "30s" max_wrapping_ttl = "2m" }',
  });
  const { client_token: token } = await create({ policies: ['wrapped'], no_default_policy: true });
  const status = async (ttl?: string) =>
    (
      await fetch(`${vault.endpoint}/v1/auth/token/lookup-self`, {
        headers: { 'x-vault-token': token!, ...(ttl ? { 'x-vault-wrap-ttl': ttl } : {}) },
      })
    ).status;
  expect(await Promise.all([undefined, '0', '29', '30', '2m', '121'].map(status))).toEqual([
    403, 403, 403, 200, 200, 403,
  ]);
});

describe('a cubbyhole', () => {
  test('is its token’s own, and ends with it', async () => {
    const mine = (await create({ policies: ['default'] })).client_token!;
    const other = (await create({ policies: ['default'] })).client_token!;
    expect((await put('cubbyhole/a', { x: 1, deep: { y: true } }, mine)).status).toBe(204);
    await put('cubbyhole/b/c', { z: 'z' }, mine);
    expect((await vault.call('GET', 'cubbyhole/a', undefined, mine)).data).toEqual({
      x: 1,
      deep: { y: true },
    });
    expect((await vault.call('LIST', 'cubbyhole', undefined, mine)).data).toEqual({ keys: ['a', 'b/'] });
    expect((await vault.call('LIST', 'cubbyhole/b', undefined, mine)).data).toEqual({ keys: ['c'] });
    for (const path of ['cubbyhole/a', 'cubbyhole/b/c']) {
      expect((await vault.call('GET', path, undefined, other)).status).toBe(404);
      expect((await vault.call('GET', path)).status).toBe(404);
    }
    expect((await vault.call('DELETE', 'cubbyhole/a', undefined, mine)).status).toBe(204);
    expect((await vault.call('GET', 'cubbyhole/a', undefined, mine)).status).toBe(404);
    await put('auth/token/revoke-self', undefined, mine);
    const left = (await vault.store.list({ prefix: 'token/holds/' })).map(({ key }) => key);
    expect(left.filter((key) => key.includes('/cubbyhole/'))).toEqual([]);
  });

  test('takes values, and none of a batch token', async () => {
    const empty = await put('cubbyhole/a', {});
    expect([empty.status, ...empty.errors]).toEqual([500, '1 error occurred:\n\t* missing data fields\n\n']);
    const { client_token: token } = await create({ type: 'batch', policies: ['default'] });
    expect((await put('cubbyhole/a', { x: 1 }, token)).errors).toEqual([
      'cubbyhole operations are only supported by "service" type tokens',
    ]);
  });

  test('takes the capability create for what is new, and update for what is there', async () => {
    await put('sys/policies/acl/maker', { policy: 'path "cubbyhole/*" { capabilities = ["create"] }' });
    const { client_token: token } = await create({ policies: ['maker'], no_default_policy: true });
    expect((await put('cubbyhole/a', { x: 1 }, token)).status).toBe(204);
    expect((await put('cubbyhole/a', { x: 2 }, token)).status).toBe(403);
  });
});
