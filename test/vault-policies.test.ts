import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rootToken, type TestVault, testVault } from './support/vault.ts';

/** What each policy lets its holder do, over the wire: every operation against every holder. */

const policies = {
  nothing: '',
  reader: 'path "pki/*" { capabilities = ["read", "list"] }',
  signer: 'path "pki/root/sign-intermediate" { capabilities = ["update"] }',
  creator: 'path "pki/*" { capabilities = ["create"] }',
  everything: 'path "*" { capabilities = ["create", "read", "update", "delete", "list"] }',
  tutorial: 'path "pki*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }',
  fenced: `path "pki/*" { capabilities = ["read", "list", "update"] }
    path "pki/issuer/*" { capabilities = ["deny"] }
    path "pki/certs" { capabilities = ["deny"] }`,
  tokens: `path "auth/token/create" { capabilities = ["update"] }
    path "auth/token/accessors" { capabilities = ["list"] }`,
  accessors: 'path "auth/token/accessors" { capabilities = ["list", "sudo"] }',
  narrow: `path "pki/root/sign-intermediate" {
      capabilities = ["update"]
      allowed_parameters = { "csr" = [] "ttl" = ["1h"] }
    }`,
} as const;

type Holder = keyof typeof policies;
const holders = Object.keys(policies) as Holder[];

let vault: TestVault;
const tokens = new Map<Holder, string>();

beforeAll(async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.call('POST', 'pki/root/generate/internal', { common_name: 'root.example', key_type: 'ec' });
  for (const name of holders) {
    const policy = policies[name] || 'path "nowhere" {}';
    expect((await vault.call('PUT', `sys/policies/acl/${name}`, { policy })).status).toBe(204);
    const reply = await vault.call('POST', 'auth/token/create', {
      policies: [name],
      no_default_policy: true,
      ttl: '1h',
    });
    tokens.set(name, reply.auth.client_token as string);
  }
});
afterAll(() => vault.close());

/** Allowed is whatever is not 403: a request that gets as far as being found wrong was let through. */
const allowed = async (holder: Holder, method: string, path: string, body?: unknown) =>
  (await vault.call(method, path, body, tokens.get(holder))).status !== 403;

const signing = ['signer', 'everything', 'tutorial', 'fenced'] as const;
const csrBody = { csr: 'x' };

test.each([
  ['GET', 'pki/config/urls', undefined, ['reader', 'everything', 'tutorial', 'fenced']],
  ['POST', 'pki/config/urls', {}, ['everything', 'tutorial', 'fenced']],
  ['GET', 'pki/certs?list=true', undefined, ['reader', 'everything', 'tutorial']],
  ['GET', 'pki/issuer/default', undefined, ['reader', 'everything', 'tutorial']],
  ['POST', 'pki/root/sign-intermediate', csrBody, [...signing, 'narrow']],
  ['POST', 'pki/root/sign-intermediate', { ...csrBody, ttl: '1h' }, [...signing, 'narrow']],
  ['POST', 'pki/root/sign-intermediate', { ...csrBody, ttl: '2h' }, signing],
  ['POST', 'pki/root/sign-intermediate', { ...csrBody, format: 'pem' }, signing],
  ['POST', 'pki/issuer/default/sign-intermediate', csrBody, ['everything', 'tutorial']],
  ['POST', 'pki/root/generate/nonsense', {}, ['everything', 'tutorial', 'fenced']],
  ['GET', 'pki/does/not/exist', undefined, ['reader', 'everything', 'tutorial', 'fenced']],
  ['GET', 'sys/mounts', undefined, ['everything']],
  ['POST', 'sys/mounts/pki/tune', {}, ['everything']],
  ['PUT', 'sys/policies/acl/probe', {}, ['everything']],
  ['GET', 'sys/policies/acl?list=true', undefined, ['everything']],
  ['DELETE', 'sys/mounts/absent', undefined, ['everything']],
  ['GET', 'auth/token/lookup-self', undefined, ['everything']],
  ['POST', 'auth/token/create', { ttl: 'x' }, ['everything', 'tokens']],
  // This path asks for sudo besides list.
  ['GET', 'auth/token/accessors?list=true', undefined, ['accessors']],
  ['GET', 'no/such/mount', undefined, ['everything']],
  // Open to anyone, so no policy keeps them.
  ['GET', 'pki/ca/pem', undefined, holders],
  ['GET', 'pki/issuers?list=true', undefined, holders],
  ['GET', 'sys/health', undefined, holders],
] as const)('%s %s with %j', async (method, path, body, expected) => {
  const found = await Promise.all(
    holders.map(async (holder) => [holder, await allowed(holder, method, path, body)]),
  );
  const letThrough = found.filter(([, through]) => through).map(([holder]) => holder as Holder);
  expect(letThrough).toEqual(holders.filter((holder) => (expected as readonly Holder[]).includes(holder)));
});

test('a change of a policy holds from the next request on, for tokens that have it', async () => {
  await vault.call('PUT', 'sys/policies/acl/changing', { policy: policies.reader });
  const { auth } = await vault.call('POST', 'auth/token/create', { policies: ['changing'] });
  const read = async () =>
    (await vault.call('GET', 'pki/config/urls', undefined, auth.client_token as string)).status;
  expect(await read()).toBe(200);
  await vault.call('PUT', 'sys/policies/acl/changing', { policy: policies.signer });
  expect(await read()).toBe(403);
  await vault.call('PUT', 'sys/policies/acl/changing', { policy: policies.reader });
  expect(await read()).toBe(200);
  await vault.call('DELETE', 'sys/policies/acl/changing');
  expect(await read()).toBe(403);
});

describe('policies over the wire', () => {
  test('names are lower case, texts may be base64 or JSON, the old path says rules', async () => {
    const encoded = Buffer.from(policies.reader).toString('base64');
    const { warnings } = await vault.call('PUT', 'sys/policies/acl/Encoded', { policy: encoded });
    expect(warnings).toEqual(['policy name was converted to encoded']);
    expect((await vault.call('GET', 'sys/policies/acl/ENCODED')).data.policy).toBe(policies.reader);
    const json = '{"path": {"pki/*": {"capabilities": ["read"]}}}';
    const old = await vault.call('PUT', 'sys/policy/old', { rules: json });
    expect(old.warnings).toEqual(["'rules' is deprecated, please use 'policy' instead"]);
    const read = await vault.call('GET', 'sys/policy/old');
    expect(read.data).toEqual({ name: 'old', rules: json });
    expect(read.body.rules).toBe(json);
    expect((await vault.call('GET', 'sys/policy')).body.policies).toContain('old');
  });

  test('capabilities are told as they are', async () => {
    const ask = (token: string, paths: unknown) =>
      vault.call('POST', 'sys/capabilities-self', { paths }, token);
    const { auth } = await vault.call('POST', 'auth/token/create', { policies: ['fenced', 'signer'] });
    const token = auth.client_token as string;
    const { data } = await ask(token, [
      'pki/config/urls',
      'pki/issuer/default',
      'sys/mounts',
      '/pki/root/sign-intermediate',
    ]);
    expect(data).toEqual({
      'pki/config/urls': ['read', 'list', 'update'],
      'pki/issuer/default': ['deny'],
      'sys/mounts': ['deny'],
      '/pki/root/sign-intermediate': ['update'],
    });
    expect((await vault.call('POST', 'sys/capabilities-self', { path: 'any' })).body.capabilities).toEqual([
      'root',
    ]);
    expect(
      (await vault.call('POST', 'sys/capabilities', { token, paths: 'pki/ca' })).body.capabilities,
    ).toEqual(['read', 'list', 'update']);
    expect(
      (await vault.call('POST', 'sys/capabilities-accessor', { accessor: auth.accessor, paths: 'x' })).body
        .capabilities,
    ).toEqual(['deny']);
    expect((await ask(token, [])).errors).toEqual(['paths must be supplied']);
  });

  test('mounts show themselves to those who reach them', async () => {
    const shown = async (holder: Holder) => {
      const { data } = await vault.call('GET', 'sys/internal/ui/mounts', undefined, tokens.get(holder));
      return [Object.keys(data.secret as object), Object.keys(data.auth as object)];
    };
    expect(await shown('nothing')).toEqual([[], []]);
    expect(await shown('signer')).toEqual([['pki/'], []]);
    expect(await shown('tokens')).toEqual([[], ['token/']]);
    expect(await shown('everything')).toEqual([['cubbyhole/', 'pki/', 'sys/'], ['token/']]);
    expect((await vault.call('GET', 'sys/internal/ui/mounts', undefined, '')).data).toEqual({
      auth: {},
      secret: {},
    });
    const one = await vault.call('GET', 'sys/internal/ui/mounts/pki/cert/x');
    expect(one.data).toMatchObject({ path: 'pki/', type: 'pki' });
    for (const path of ['pki', 'absent']) {
      const reply = await vault.call(
        'GET',
        `sys/internal/ui/mounts/${path}`,
        undefined,
        tokens.get('nothing'),
      );
      expect(reply.status).toBe(403);
    }
  });
});

describe('beside the policies', () => {
  test('everything that a token may do is told, path by path', async () => {
    await vault.call('PUT', 'sys/policies/acl/shown', {
      policy: `
        path "pki/sign/web" {
          capabilities = ["update", "create"]
          allowed_parameters = { "csr" = [] }
          required_parameters = ["csr"]
          min_wrapping_ttl = "1m"
        }
        path "pki/*" { capabilities = ["read"] }
        path "pki/+/x" { capabilities = ["read"] }
        path "pki/root" { capabilities = ["deny"] }
        path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }`,
    });
    const { auth } = await vault.call('POST', 'auth/token/create', {
      policies: ['shown'],
      no_default_policy: true,
    });
    const shown = await vault.call(
      'GET',
      'sys/internal/ui/resultant-acl',
      undefined,
      String(auth.client_token),
    );
    expect(shown.data).toEqual({
      root: false,
      exact_paths: {
        'pki/root': { capabilities: ['deny'] },
        'pki/sign/web': {
          allowed_parameters: { csr: [] },
          capabilities: ['create', 'update'],
          min_wrapping_ttl: 60,
          required_parameters: ['csr'],
        },
        'sys/internal/ui/resultant-acl': { capabilities: ['read'] },
      },
      glob_paths: { 'pki/': { capabilities: ['read'] } },
    });
    expect((await vault.call('GET', 'sys/internal/ui/resultant-acl')).data).toEqual({ root: true });
  });

  test('a policy that is there is patched, and names are listed below a folder', async () => {
    const patch = async (name: string, body: object) => {
      const response = await fetch(`${vault.endpoint}/v1/sys/policies/acl/${name}`, {
        method: 'PATCH',
        headers: { 'x-vault-token': rootToken, 'content-type': 'application/merge-patch+json' },
        body: JSON.stringify(body),
      });
      return [response.status, ((await response.json()) as { errors?: string[] }).errors];
    };
    await vault.call('PUT', 'sys/policies/acl/team/a', { policy: 'path "a" {}' });
    expect(await patch('team/a', { policy: 'path "b" {}' })).toEqual([200, undefined]);
    expect((await vault.call('GET', 'sys/policies/acl/team/a')).data.policy).toBe('path "b" {}');
    expect(await patch('team/b', { policy: 'path "b" {}' })).toEqual([400, ['policy not found']]);
    expect((await vault.call('LIST', 'sys/policies/acl/team')).data).toEqual({ keys: ['team/a'] });
  });

  test('identity templates are filled from a login, for its token and the tokens below it', async () => {
    await vault.call('POST', 'sys/auth/approle', { type: 'approle' });
    const { data: mounts } = await vault.call('GET', 'sys/auth');
    const { accessor } = mounts['approle/'] as { accessor: string };
    const key = `{{identity.entity.aliases.${accessor}.metadata.role_name}}`;
    await vault.call('PUT', 'sys/policies/acl/own', {
      policy: `path "pki/sign/${key}" { capabilities = ["update"] }
               path "auth/token/create*" { capabilities = ["update"] }`,
    });
    await vault.call('POST', 'auth/approle/role/web', { token_policies: 'own', bind_secret_id: true });
    const { data: role } = await vault.call('GET', 'auth/approle/role/web/role-id');
    const { data: secret } = await vault.call('POST', 'auth/approle/role/web/secret-id');
    const { auth } = await vault.call(
      'POST',
      'auth/approle/login',
      { role_id: role.role_id, secret_id: secret.secret_id },
      '',
    );
    const child = await vault.call('POST', 'auth/token/create', {}, String(auth.client_token));
    const orphan = await vault.call('POST', 'auth/token/create-orphan', {}, String(auth.client_token));
    const may = async (token: unknown, path: string) =>
      (await vault.call('POST', 'sys/capabilities', { token, path })).data.capabilities;
    expect(await may(auth.client_token, 'pki/sign/web')).toEqual(['update']);
    expect(await may(auth.client_token, 'pki/sign/other')).toEqual(['deny']);
    expect(await may(child.auth.client_token, 'pki/sign/web')).toEqual(['update']);
    expect(await may(orphan.auth.client_token, 'pki/sign/web')).toEqual(['deny']);
    // What a token says of itself fills nothing.
    const made = await vault.call('POST', 'auth/token/create', {
      policies: ['own'],
      meta: { role_name: 'web' },
    });
    expect(await may(made.auth.client_token, 'pki/sign/web')).toEqual(['deny']);
  });
});

test('a denial is not got around by capitals where names have no case', async () => {
  await vault.call('POST', 'sys/auth/caseless', { type: 'approle' });
  for (const name of ['admin', 'other']) await vault.call('POST', `auth/caseless/role/${name}`, {});
  const policy = `
    path "auth/caseless/role/*" { capabilities = ["create", "read", "update", "delete", "list"] }
    path "auth/caseless/role/admin*" { capabilities = ["deny"] }
    path "sys/policies/acl/*" { capabilities = ["create", "read", "update"] }
    path "sys/policies/acl/caseless" { capabilities = ["deny"] }
  `;
  await vault.call('PUT', 'sys/policies/acl/caseless', { policy });
  const { auth } = await vault.call('POST', 'auth/token/create', { policies: ['caseless'] });
  const status = async (method: string, path: string, body?: object) =>
    (await vault.call(method, path, body, auth.client_token as string)).status;
  expect(await status('POST', 'auth/caseless/role/OTHER/secret-id', {})).toBe(200);
  for (const name of ['admin', 'ADMIN', 'aDmin']) {
    expect(await status('POST', `auth/caseless/role/${name}/secret-id`, {})).toBe(403);
    expect(await status('GET', `auth/caseless/role/${name}`)).toBe(403);
    expect(await status('LIST', `auth/caseless/role/${name}/secret-id`)).toBe(403);
  }
  expect(await status('PUT', 'sys/policies/acl/CASELESS', { policy })).toBe(403);
  expect(await status('GET', 'sys/policies/acl/Caseless')).toBe(403);
  expect(await status('GET', 'sys/policies/acl/Default')).toBe(200);
});
