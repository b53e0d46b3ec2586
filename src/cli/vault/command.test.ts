import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RecordingServer, type Reply, recordingServer } from '../../../test/support/recording-server.ts';
import { runInProcess } from '../../../test/support/transcript.ts';

let server: RecordingServer;
let home: string;

beforeAll(async () => {
  server = await recordingServer();
});
afterAll(() => server.close());
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'capstan-vault-'));
  server.requests.length = 0;
  server.replies.length = 0;
  return () => rmSync(home, { recursive: true });
});

/** Runs `capstan vault ...` against a server that answers with `replies`. */
function vault(
  args: readonly string[],
  {
    replies = [],
    env = {},
    stdin = '',
  }: { replies?: Reply[]; env?: Record<string, string>; stdin?: string } = {},
) {
  server.replies.push(...replies);
  const usual = { HOME: home, VAULT_ADDR: `${server.address}/`, VAULT_TOKEN: 'hvs.mine' };
  return runInProcess(['vault', ...args], { env: { ...usual, ...env }, cwd: home, stdin });
}

const envelope = { request_id: 'r', lease_id: '', renewable: false, lease_duration: 0 };

const mountConfig = { options: null, default_lease_ttl: '0s', max_lease_ttl: '0s', force_no_cache: false };

function mountBody(changes: object) {
  return {
    type: 'pki',
    description: '',
    config: mountConfig,
    local: false,
    seal_wrap: false,
    external_entropy_access: false,
    options: null,
    ...changes,
  };
}

/** What each command sends: its arguments, the request line, the body. */
test.each<[string, string, unknown]>([
  ['secrets enable pki', 'POST /v1/sys/mounts/pki', mountBody({})],
  [
    'secrets enable -path=pki_int -max-lease-ttl=43800h -description=two -options=a=b -version=2 -local pki',
    'POST /v1/sys/mounts/pki_int',
    mountBody({
      description: 'two',
      config: { ...mountConfig, max_lease_ttl: '43800h0m0s' },
      local: true,
      options: { a: 'b', version: '2' },
    }),
  ],
  [
    'secrets tune -max-lease-ttl=2160h pki',
    'POST /v1/sys/mounts/pki/tune',
    { options: null, default_lease_ttl: '', max_lease_ttl: '2160h0m0s', force_no_cache: false },
  ],
  [
    'secrets tune -default-lease-ttl=system -description=d -allowed-response-headers=X -plugin-version=v1 /pki/',
    'POST /v1/sys/mounts/pki/tune',
    {
      options: null,
      default_lease_ttl: 'system',
      description: 'd',
      max_lease_ttl: '',
      force_no_cache: false,
      allowed_response_headers: ['X'],
      plugin_version: 'v1',
    },
  ],
  ['secrets disable pki', 'DELETE /v1/sys/mounts/pki', undefined],
  ['write /auth/token/create ttl=767h', 'PUT /v1/auth/token/create', { ttl: '767h' }],
  ['write -f pki/tidy', 'PUT /v1/pki/tidy', null],
  ['write sys/policies/acl/x policy=a policy=b', 'PUT /v1/sys/policies/acl/x', { policy: ['a', 'b'] }],
  ['delete pki/roles/web', 'DELETE /v1/pki/roles/web', undefined],
  ['delete kv/x versions=1 versions=2', 'DELETE /v1/kv/x?versions=1&versions=2', undefined],
  ['read pki/cert/ca format=pem', 'GET /v1/pki/cert/ca?format=pem', undefined],
  ['list pki/roles', 'GET /v1/pki/roles?list=true', undefined],
  ['list -after=a -limit=2 pki/roles', 'GET /v1/pki/roles?after=a&limit=2&list=true', undefined],
  ['policy list', 'GET /v1/sys/policies/acl?list=true', undefined],
  ['policy delete Issuer', 'DELETE /v1/sys/policies/acl/issuer', undefined],
  [
    'token create -policy=a -policy=b -ttl=767h -orphan -no-default-policy -metadata=k=v',
    'POST /v1/auth/token/create',
    {
      policies: ['a', 'b'],
      meta: { k: 'v' },
      ttl: '767h0m0s',
      explicit_max_ttl: '0s',
      period: '0s',
      no_parent: true,
      no_default_policy: true,
      display_name: '',
      num_uses: 0,
      renewable: true,
      type: 'service',
      entity_alias: '',
    },
  ],
  [
    'token create -role=web -type=batch',
    'POST /v1/auth/token/create/web',
    {
      ttl: '0s',
      explicit_max_ttl: '0s',
      period: '0s',
      display_name: '',
      num_uses: 0,
      renewable: false,
      type: 'batch',
      entity_alias: '',
    },
  ],
  ['token lookup', 'GET /v1/auth/token/lookup-self', undefined],
  ['token lookup t', 'POST /v1/auth/token/lookup', { token: 't' }],
  ['token lookup -accessor a', 'POST /v1/auth/token/lookup-accessor', { accessor: 'a' }],
  ['token renew', 'PUT /v1/auth/token/renew-self', { increment: 0 }],
  ['token renew -increment=30m t', 'PUT /v1/auth/token/renew', { increment: 1800, token: 't' }],
  ['token renew -i 90 -accessor a', 'POST /v1/auth/token/renew-accessor', { accessor: 'a', increment: 90 }],
  ['token revoke t', 'PUT /v1/auth/token/revoke', { token: 't' }],
  ['token revoke -self', 'PUT /v1/auth/token/revoke-self', undefined],
  ['token revoke -mode=orphan t', 'PUT /v1/auth/token/revoke-orphan', { token: 't' }],
  ['token revoke -mode=path auth/x', 'PUT /v1/sys/leases/revoke-prefix/auth/x', undefined],
  ['token revoke -accessor a', 'POST /v1/auth/token/revoke-accessor', { accessor: 'a' }],
  ['token capabilities pki/x', 'POST /v1/sys/capabilities-self', { path: 'pki/x', token: 'hvs.mine' }],
  ['token capabilities t pki/x', 'POST /v1/sys/capabilities', { path: 'pki/x', token: 't' }],
  ['unwrap w', 'PUT /v1/sys/wrapping/unwrap', { token: 'w' }],
])('%s sends %s', async (line, requestLine, body) => {
  await vault(line.split(' '));
  expect(server.requests).toHaveLength(1);
  const [{ method, url, headers, body: sent }] = server.requests as [(typeof server.requests)[0]];
  expect(`${method} ${url}`).toBe(requestLine);
  expect(sent === '' ? undefined : JSON.parse(sent)).toEqual(body);
  expect(headers).toMatchObject({ 'x-vault-token': 'hvs.mine', 'x-vault-request': 'true' });
});

test('a policy comes from stdin or a file, byte for byte, under a lower-case name', async () => {
  writeFileSync(join(home, 'p.hcl'), 'path "a" {}\n');
  const policy = 'path "pki*" {\n    capabilities = ["read"]\n}\n';
  expect(await vault(['policy', 'write', 'pki_policy', '-'], { stdin: policy })).toEqual({
    status: 0,
    stdout: 'Success! Uploaded policy: pki_policy\n',
    stderr: '',
  });
  expect(await vault(['policy', 'write', 'Mine', 'p.hcl'])).toMatchObject({
    stdout: 'Success! Uploaded policy: mine\n',
    stderr: 'Policy name was converted from "Mine" to "mine"\n',
  });
  expect(server.requests.map(({ method, url, body }) => ({ method, url, body: JSON.parse(body) }))).toEqual([
    { method: 'PUT', url: '/v1/sys/policies/acl/pki_policy', body: { policy } },
    { method: 'PUT', url: '/v1/sys/policies/acl/mine', body: { policy: 'path "a" {}\n' } },
  ]);
});

test('headers for namespace, wrapping, MFA and the user’s own', async () => {
  const flags = [
    '-namespace=/team/a',
    '-wrap-ttl=90',
    '-mfa=x:1',
    '-mfa=y:2',
    '-header=X-Me=1',
    '-policy-override',
  ];
  await vault(['read', ...flags, 'a']);
  expect(server.requests[0]!.headers).toMatchObject({
    'x-vault-namespace': 'team/a/',
    'x-vault-wrap-ttl': '1m30s',
    'x-vault-mfa': 'x:1, y:2',
    'x-me': '1',
    'x-vault-policy-override': 'true',
  });
  expect(await vault(['read', '-header=X-Vault-Token=x', 'a'])).toMatchObject({ status: 2 });
});

test('the token of a login is kept for the owner alone, and used by later commands', async () => {
  const data = { id: 'my-token', accessor: 'acc', policies: ['root'], ttl: 0, renewable: false, meta: null };
  const { status, stdout } = await vault(['login', 'my-token'], {
    replies: [{ body: { ...envelope, data } }],
    env: { VAULT_TOKEN: '' },
  });
  expect(status).toBe(0);
  expect(stdout).toContain(
    'token                my-token\ntoken_accessor       acc\ntoken_duration       ∞\n',
  );
  expect(server.requests[0]).toMatchObject({ url: '/v1/auth/token/lookup-self' });
  expect(server.requests[0]!.headers['x-vault-token']).toBe('my-token');
  expect(readFileSync(join(home, '.vault-token'), 'utf8')).toBe('my-token');
  expect(statSync(join(home, '.vault-token')).mode & 0o777).toBe(0o600);

  await vault(['read', 'a'], { env: { VAULT_TOKEN: '' } });
  expect(server.requests[1]!.headers['x-vault-token']).toBe('my-token');
  await vault(['read', 'a'], { env: { VAULT_TOKEN: 'other' } });
  expect(server.requests[2]!.headers['x-vault-token']).toBe('other');
});

test('a failed login leaves the kept token alone', async () => {
  writeFileSync(join(home, '.vault-token'), 'before');
  const replies = [{ status: 403, body: { errors: ['permission denied'] } }];
  expect(await vault(['login', 'bad'], { replies })).toEqual({
    status: 2,
    stdout: '',
    stderr:
      'Error authenticating: error looking up token: Error making API request.\n\n' +
      `URL: GET ${server.address}/v1/auth/token/lookup-self\nCode: 403. Errors:\n\n* permission denied\n`,
  });
  expect(readFileSync(join(home, '.vault-token'), 'utf8')).toBe('before');
});

test('-field prints the value alone, and says so on stderr where there is none', async () => {
  const replies = [{ body: { ...envelope, auth: { client_token: 'hvs.new', policies: ['p'] } } }];
  expect(await vault(['write', '-field=token', 'auth/token/create', 'ttl=1h'], { replies })).toEqual({
    status: 0,
    stdout: 'hvs.new',
    stderr: '',
  });
  expect(await vault(['read', '-field=x', 'a'], { replies: [{ body: { ...envelope, data: {} } }] })).toEqual({
    status: 1,
    stdout: '',
    stderr: 'Field "x" not present in secret\n',
  });
});

test('warnings go to stderr, set to the width of a terminal', async () => {
  const warnings = [
    'TTL of "2160h" exceeded the effective max_ttl of "768h"; TTL value is capped accordingly',
  ];
  const { stdout, stderr } = await vault(['write', 'a', 'b=c'], {
    replies: [{ body: { ...envelope, data: { ttl: 2764800 }, warnings } }],
  });
  expect(stderr).toBe(
    'WARNING! The following warnings were returned from Vault:\n\n' +
      '  * TTL of "2160h" exceeded the effective max_ttl of "768h"; TTL value is\n  capped accordingly\n\n',
  );
  expect(stdout).toBe('Key    Value\n---    -----\nttl    768h\n');
});

test('nothing at a path is status 2; a 404 that carries data is shown', async () => {
  const nothing = { status: 404, body: { errors: [] } };
  expect(await vault(['read', 'a'], { replies: [nothing] })).toMatchObject({
    status: 2,
    stderr: 'No value found at a\n',
  });
  expect(await vault(['list', '-format=json', 'a'], { replies: [nothing] })).toMatchObject({
    status: 2,
    stdout: '{}\n',
  });
  const deleted = { status: 404, body: { ...envelope, data: { version: 2 } } };
  expect(await vault(['read', 'a'], { replies: [deleted] })).toMatchObject({
    status: 0,
    stdout: 'Key        Value\n---        -----\nversion    2\n',
  });
});

test('the seal decides the status of `status`', async () => {
  const seal = {
    type: 'shamir',
    initialized: true,
    sealed: true,
    t: 3,
    n: 5,
    progress: 1,
    nonce: 'x',
    version: '1',
  };
  const sealedLeader = { status: 503, body: { errors: ['Vault is sealed'] } };
  const { status, stdout } = await vault(['status'], { replies: [{ body: seal }, sealedLeader] });
  expect(status).toBe(2);
  expect(stdout.split('\n').slice(2)).toEqual([
    'Seal Type          shamir',
    'Initialized        true',
    'Sealed             true',
    'Total Shares       5',
    'Threshold          3',
    'Unseal Progress    1/3',
    'Unseal Nonce       x',
    'Version            1',
    'HA Enabled         true',
    '',
  ]);
  expect(await vault(['status'], { replies: [{ status: 500, body: { errors: ['no'] } }] })).toMatchObject({
    status: 1,
  });
});

test('`status` as JSON leaves out what a lone server has nothing to say about', async () => {
  const seal = {
    type: 'shamir',
    initialized: true,
    sealed: false,
    t: 1,
    n: 1,
    progress: 0,
    nonce: '',
    version: '1',
  };
  const leader = {
    ha_enabled: false,
    is_self: false,
    leader_address: '',
    active_time: '0001-01-01T00:00:00Z',
  };
  const replies = [
    { body: { ...seal, build_date: 'today', storage_type: 'x', cluster_name: '' } },
    { body: leader },
  ];
  const { stdout } = await vault(['status', '-format=json'], { replies });
  expect(JSON.parse(stdout)).toEqual({
    ...seal,
    build_date: 'today',
    storage_type: 'x',
    ha_enabled: false,
    active_time: '0001-01-01T00:00:00Z',
  });
});

test('asks once, and again only as often as VAULT_MAX_RETRIES allows', async () => {
  const busy = { status: 503, headers: { 'retry-after': '0' }, body: { errors: ['later'] } };
  expect(await vault(['read', 'a'], { replies: [busy] })).toMatchObject({ status: 2 });
  expect(server.requests).toHaveLength(1);
  const replies = [busy, busy, { body: { ...envelope, data: { a: 'b' } } }];
  expect(await vault(['read', 'a'], { replies, env: { VAULT_MAX_RETRIES: '2' } })).toMatchObject({
    status: 0,
  });
  expect(server.requests).toHaveLength(4);
});

test('follows one redirect, with method, token and body', async () => {
  const redirect = { status: 307, headers: { location: `${server.address}/v1/elsewhere` } };
  expect(await vault(['write', 'a', 'b=c'], { replies: [redirect] })).toMatchObject({ status: 0 });
  expect(server.requests[1]).toMatchObject({ method: 'PUT', url: '/v1/elsewhere', body: '{"b":"c"}' });
  expect(server.requests[1]!.headers['x-vault-token']).toBe('hvs.mine');
  expect(await vault(['write', '-disable-redirects', 'a', 'b=c'], { replies: [redirect] })).toMatchObject({
    status: 0,
  });
  expect(server.requests).toHaveLength(3);
});

test('no server, no name and no TLS are told in words that can be looked up', async () => {
  const read = (address: string) => vault(['read', `-address=${address}`, 'a']);
  expect(await read('http://127.0.0.1:1')).toEqual({
    status: 2,
    stdout: '',
    stderr:
      'Error reading a: Get "http://127.0.0.1:1/v1/a": dial tcp 127.0.0.1:1: connect: connection refused\n',
  });
  expect(await read(server.address.replace('http:', 'https:'))).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('http: server gave HTTP response to HTTPS client'),
  });
});

test.each(['127.0.0.1:8200', 'localhost', 'unix://run/vault.sock', 'http://'])(
  '%s is no address, and the message shows how one looks',
  async (address) => {
    expect(await vault(['read', 'a'], { env: { VAULT_ADDR: address } })).toEqual({
      status: 2,
      stdout: '',
      stderr: `failed to create client: "${address}" is not an address; write it like http://127.0.0.1:8200 or unix:///run/vault.sock\n`,
    });
  },
);

test('asking for the request sends none', async () => {
  expect(await vault(['write', '-output-curl-string', 'a', 'b=c'])).toEqual({
    status: 0,
    stderr: '',
    stdout:
      'curl -X PUT -H "X-Vault-Request: true" -H "X-Vault-Token: $(capstan vault print token)" ' +
      `-d '{"b":"c"}' "${server.address}/v1/a"\n`,
  });
  expect(await vault(['delete', '-output-policy', 'a'])).toMatchObject({
    stdout: 'path "a" {\n  capabilities = ["delete"]\n}\n',
  });
  expect(server.requests).toHaveLength(0);
});

test.each([
  ['write a', 'Must supply data or use -force'],
  ['write', 'Not enough arguments (expected 1, got 0)'],
  ['list a b', 'Too many arguments (expected 1, got 2)'],
  ['token revoke -self -accessor', 'Cannot use -self with -accessor!'],
  ['token revoke -accessor -mode=path a', 'Cannot use -accessor with -mode=path!'],
  ['token lookup -accessor', 'Not enough arguments with -accessor (expected 1, got 0)'],
  ['read -format=html a', 'Invalid output format: html'],
  ['list -format=raw a', 'This command does not support the -format=raw option.'],
  ['login -no-store -no-print x', '-no-store and -no-print cannot be used together'],
])('%s is status 1: %s', async (line, message) => {
  expect(await vault(line.split(' '))).toEqual({ status: 1, stdout: '', stderr: `${message}\n` });
  expect(server.requests).toHaveLength(0);
});

test('flags behind the arguments are named, not heeded', async () => {
  const { stderr } = await vault(['secrets', 'tune', 'pki', '-max-lease-ttl=1h']);
  expect(stderr).toBe(
    'Command flags must be provided before positional arguments. The following arguments will not be parsed as ' +
      'flags: [-max-lease-ttl=1h]\nToo many arguments (expected 1, got 2)\n',
  );
});

test('no line of help is wider than a terminal', async () => {
  const family = [
    'status',
    'login',
    'read',
    'write',
    'list',
    'delete',
    'secrets enable',
    'secrets tune',
    'token create',
  ];
  const helps = await Promise.all(
    [...family, ''].map((name) => vault([...name.split(' ').filter(Boolean), '-h'])),
  );
  const lines = helps.flatMap(({ stdout }) => stdout.split('\n'));
  expect(lines.filter((line) => line.length > 90)).toEqual([]);
});

test('help for the group, a family and a command; a word that is none of them is status 127', async () => {
  expect(await vault(['-help'])).toMatchObject({ status: 0, stdout: expect.stringContaining('print token') });
  expect(await vault(['secrets'])).toMatchObject({ status: 1, stderr: expect.stringContaining('  tune ') });
  expect(await vault(['secrets', '-h'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('  tune '),
  });
  expect(await vault(['write', 'a', '-h'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('  -force, -f\n      Go on with no KEY=VALUE at all.\n'),
  });
  expect(await vault(['conjure'])).toMatchObject({ status: 127, stdout: '' });
});
