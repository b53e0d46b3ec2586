import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rootToken, type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;
beforeAll(async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
});
afterAll(() => vault.close());

/** Sends bytes as they are; answers all that comes back. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(vault.server.address.port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('the envelope', () => {
  test('has the fields of Vault’s, an id of its own each time', async () => {
    const one = await vault.call('GET', 'pki/config/urls');
    const two = await vault.call('GET', 'pki/config/urls');
    expect(Object.keys(one.body)).toEqual([
      'request_id',
      'lease_id',
      'renewable',
      'lease_duration',
      'data',
      'wrap_info',
      'warnings',
      'auth',
      'mount_type',
    ]);
    expect(one.body).toMatchObject({
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      wrap_info: null,
      warnings: null,
      auth: null,
    });
    expect(one.body.request_id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(one.body.request_id).not.toBe(two.body.request_id);
    expect(one.text.endsWith('}\n')).toBe(true);
    expect(one.headers.get('cache-control')).toBe('no-store');
    expect(one.headers.get('content-type')).toBe('application/json');
  });

  test('old paths of sys repeat their data at the top', async () => {
    const { body, data } = await vault.call('GET', 'sys/mounts');
    expect(Object.keys(data)).toEqual(['cubbyhole/', 'pki/', 'sys/']);
    expect(body['pki/']).toEqual(data['pki/']);
    expect((await vault.call('GET', 'pki/config/urls')).body).not.toHaveProperty('issuing_certificates');
  });

  test('mounts that are always there say what Vault sets for them', async () => {
    const { data: secret } = await vault.call('GET', 'sys/mounts');
    expect(secret['sys/']).toMatchObject({ config: { passthrough_request_headers: ['Accept'] } });
    expect(secret['sys/']).not.toHaveProperty('deprecation_status');
    expect(secret['pki/']).toMatchObject({
      deprecation_status: 'supported',
      running_plugin_version: 'v1.17.0+builtin.capstan',
    });
    const { data: auth } = await vault.call('GET', 'sys/auth');
    expect(auth['token/']).toMatchObject({ type: 'token', config: { token_type: 'default-service' } });
    expect((await vault.call('GET', 'sys/auth/token')).data).toEqual(auth['token/']);
    expect((await vault.call('GET', 'sys/auth/token/tune')).data).toEqual({
      default_lease_ttl: 2_764_800,
      description: 'token based credentials',
      force_no_cache: false,
      max_lease_ttl: 2_764_800,
      token_type: 'default-service',
    });
  });

  test('nothing to say is 204 to a write and 404 to a read or a list', async () => {
    const written = await vault.call('POST', 'sys/mounts/pki/tune', { description: 'x' });
    expect([written.status, written.text]).toEqual([204, '']);
    for (const [method, path] of [
      ['GET', 'sys/policies/acl/absent'],
      ['GET', 'pki/cert/00:11'],
      ['GET', 'pki/certs?list=true'],
      ['GET', 'pki/issuers?list=true'],
      ['GET', 'pki/keys?list=true'],
    ] as const) {
      const read = await vault.call(method, path);
      expect([path, read.status, read.body]).toEqual([path, 404, { errors: [] }]);
    }
  });
});

describe('requests', () => {
  test('PUT is POST, LIST is GET with list=true', async () => {
    for (const method of ['POST', 'PUT']) {
      expect((await vault.call(method, 'sys/policies/acl/same', { policy: 'path "a" {}' })).status).toBe(204);
    }
    const listed = await vault.call('GET', 'sys/policies/acl?list=true');
    expect(listed.data).toEqual({ keys: ['default', 'same', 'root'] });
    expect((await vault.call('LIST', 'sys/policies/acl')).data).toEqual(listed.data);
    expect((await vault.call('GET', 'sys/policies/acl/?list=1')).data).toEqual(listed.data);
    expect((await vault.call('GET', 'sys/policies/acl?list=perhaps')).status).toBe(400);
  });

  test('unknown parameters are warned of, those of the path win over the body', async () => {
    const { status, warnings } = await vault.call('POST', 'pki/config/urls', { nonsense: 1, another: 2 });
    expect(status).toBe(200);
    expect(warnings).toEqual(['Endpoint ignored these unrecognized parameters: [another nonsense]']);
  });

  test('bodies may be forms', async () => {
    const response = await fetch(`${vault.endpoint}/v1/pki/config/urls`, {
      method: 'POST',
      headers: { 'x-vault-token': rootToken, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'issuing_certificates=http%3A%2F%2Fca.example%2Fca',
    });
    const { data } = (await response.json()) as { data: object };
    expect(data).toMatchObject({ issuing_certificates: ['http://ca.example/ca'] });
  });

  test('slashes too many are passed over', async () => {
    const headers = { 'x-vault-token': rootToken };
    expect((await fetch(`${vault.endpoint}//v1/sys//mounts`, { headers })).status).toBe(200);
    expect((await fetch(`${vault.endpoint}/v1/sys%2F%2Fmounts`, { headers })).status).toBe(404);
  });

  test('a token may come as a bearer’s', async () => {
    const headers = { authorization: `Bearer ${rootToken}` };
    expect((await fetch(`${vault.endpoint}/v1/auth/token/lookup-self`, { headers })).status).toBe(200);
  });

  test('the namespace root is this one, others are none', async () => {
    const inNamespace = (name: string) =>
      fetch(`${vault.endpoint}/v1/sys/mounts`, {
        headers: { 'x-vault-token': rootToken, 'x-vault-namespace': name },
      });
    const root = await inNamespace('root');
    expect([root.status, root.headers.get('x-vault-namespace')]).toEqual([200, 'root']);
    expect((await inNamespace('team')).status).toBe(400);
  });

  test('wrapping in another format is refused, not left out', async () => {
    const headers = { 'x-vault-token': rootToken, 'x-vault-wrap-ttl': '60s', 'x-vault-wrap-format': 'jwt' };
    const response = await fetch(`${vault.endpoint}/v1/auth/token/lookup-self`, { headers });
    expect([response.status, await response.json()]).toEqual([
      400,
      { errors: ['wrapping tokens in the format jwt are not supported: leave X-Vault-Wrap-Format out'] },
    ]);
  });
});

describe('errors', () => {
  const occurred = (message: string) => [`1 error occurred:\n\t* ${message}\n\n`];
  const denied = ['1 error occurred:\n\t* permission denied\n\n'];

  test.each([
    [
      'GET',
      'nowhere/at/all',
      undefined,
      404,
      ['no handler for route "nowhere/at/all". route entry not found.'],
    ],
    ['GET', 'pki/nowhere', undefined, 404, ['1 error occurred:\n\t* unsupported path\n\n']],
    ['POST', 'pki/ca', {}, 405, ['1 error occurred:\n\t* unsupported operation\n\n']],
    ['DELETE', 'pki/certs', undefined, 405, ['1 error occurred:\n\t* unsupported operation\n\n']],
    ['POST', 'pki/config/', {}, 400, ["cannot write to a path ending in '/'"]],
    ['GET', 'pki/..%2Fsys', undefined, 400, ['relative paths not supported']],
    ['POST', 'pki/config/urls', '{', 400, [expect.stringMatching(/^failed to parse JSON input: /)]],
    ['POST', 'pki/config/urls', '[1]', 400, [expect.stringMatching(/^failed to parse JSON input: /)]],
    [
      'POST',
      'pki/config/urls',
      { enable_templating: 'perhaps' },
      400,
      [
        'Field validation failed: error converting input for field "enable_templating": expected a boolean, got "perhaps"',
      ],
    ],
    [
      'POST',
      'pki/config/urls',
      { ocsp_servers: 'nonsense' },
      400,
      ['invalid URL found in Authority Information Access (AIA) parameter ocsp_servers: nonsense'],
    ],
    ['POST', 'sys/mounts/pki', { type: 'pki' }, 400, ['path is already in use at pki/']],
    ['POST', 'sys/mounts/pki/below', { type: 'pki' }, 400, ['path is already in use at pki/']],
    ['POST', 'sys/mounts/sys', { type: 'pki' }, 400, ['cannot mount "sys/"']],
    ['POST', 'sys/mounts/auth/x', { type: 'pki' }, 400, ['cannot mount "auth/x/"']],
    ['POST', 'sys/mounts/identity', { type: 'pki' }, 400, ['cannot mount "identity/"']],
    ['POST', 'sys/mounts/sys/tune', { description: 'x' }, 400, ['cannot tune "sys/"']],
    [
      'POST',
      'sys/mounts/pki/tune',
      { max_lease_ttl: '1zz' },
      400,
      ['unable to parse max TTL of 1zz: time: unknown unit "zz" in duration "1zz"'],
    ],
    ['GET', 'sys/auth/none', undefined, 400, ['No auth engine at none/']],
    ['GET', 'sys/auth/none/tune', undefined, 400, ['cannot fetch sysview for path "auth/none/"']],
    [
      'POST',
      'sys/policies/acl/bad',
      { policy: 'path "a" {' },
      400,
      ['failed to parse policy: At 1:11: expected a key, found the end'],
    ],
    [
      'POST',
      'sys/policies/acl/bad',
      { policy: 'pth "a" {}\npath "b" {}\nptah "c" {}' },
      400,
      [
        'failed to parse policy: 2 errors occurred:\n' +
          '\t* invalid key "pth" on line 1\n\t* invalid key "ptah" on line 3\n\n',
      ],
    ],
    ['POST', 'sys/policies/acl/empty', {}, 400, ["'policy' parameter not supplied or empty"]],
    ['PUT', 'sys/policies/acl/root', { policy: 'path "a" {}' }, 400, ['cannot update "root" policy']],
    ['DELETE', 'sys/policies/acl/default', undefined, 400, ['cannot delete default policy']],
    [
      'POST',
      'pki/root/sign-intermediate',
      { csr: 'nonsense' },
      500,
      occurred('could not fetch the CA certificate (was one set?): no default issuer currently configured'),
    ],
    [
      'POST',
      'pki/root/generate/elsewhere',
      {},
      400,
      ['the "exported" path parameter must be "internal", "existing", "exported" or "kms"'],
    ],
    [
      'POST',
      'pki/root/generate/internal',
      { key_type: 'dsa' },
      400,
      ['unknown key type dsa; use rsa, ec, ed25519 or mldsa'],
    ],
    [
      'POST',
      'pki/root/generate/internal',
      { key_type: 'ec', key_bits: 111 },
      400,
      ['unsupported bit length for EC key: 111'],
    ],
    [
      'POST',
      'pki/root/generate/internal',
      { key_type: 'rsa', key_bits: 1024 },
      400,
      ['RSA keys < 2048 bits are unsafe and not supported: got 1024'],
    ],
    [
      'POST',
      'pki/root/generate/internal',
      { ttl: 'zz' },
      400,
      ['Field validation failed: error converting input for field "ttl": time: invalid duration "zz"'],
    ],
    [
      'POST',
      'pki/root/generate/existing',
      { key_ref: 'none' },
      400,
      ['failed to lookup public key from existing key: unable to find PKI key for reference: none'],
    ],
    [
      'POST',
      'pki/root/generate/internal',
      { format: 'p12' },
      400,
      ['The "format" path parameter must be "pem", "der" or "pem_bundle"'],
    ],
    ['GET', 'pki/issuer/none', undefined, 500, occurred('unable to find PKI issuer for reference: none')],
    ['GET', 'pki/issuer/default', undefined, 500, occurred('no default issuer currently configured')],
    // Who needs no token is told in one line.
    ['GET', 'pki/issuer/none/json', undefined, 500, ['unable to find PKI issuer for reference: none']],
    ['GET', 'pki/cert/ca', undefined, 400, ['no default issuer currently configured']],
    ['GET', 'pki/cert/ca_chain', undefined, 400, ['no default issuer currently configured']],
    ['GET', 'pki/cert/crl', undefined, 500, ['no default issuer currently configured']],
    ['GET', 'pki/key/default', undefined, 500, occurred('no default key currently configured')],
    ['GET', 'pki/key/none', undefined, 500, occurred('unable to find PKI key for reference: none')],
    [
      'POST',
      'pki/config/issuers',
      { default: 'none' },
      400,
      ['Error resolving issuer reference: unable to find PKI issuer for reference: none'],
    ],
    [
      'POST',
      'pki/config/issuers',
      { default_follows_latest_issuer: true },
      400,
      ["Invalid issuer specification; must be non-empty and can't be 'default'."],
    ],
    [
      'POST',
      'pki/config/keys',
      { default: 'default' },
      400,
      ["Invalid key specification; must be non-empty and can't be 'default'."],
    ],
    [
      'POST',
      'pki/config/keys',
      { default: 'none' },
      400,
      ['Error resolving issuer reference: unable to find PKI key for reference: none'],
    ],
    [
      'POST',
      'pki/root/replace',
      {},
      400,
      ['Error resolving issuer reference: unable to find PKI issuer for reference: next'],
    ],
    ['POST', 'auth/token/lookup-accessor', { accessor: 'none' }, 400, occurred('invalid accessor')],
    ['POST', 'auth/token/lookup-accessor', {}, 400, occurred('missing accessor')],
    ['POST', 'auth/token/renew-accessor', { accessor: 'none' }, 400, occurred('invalid accessor')],
    ['POST', 'auth/token/revoke-accessor', {}, 400, occurred('missing accessor')],
    ['POST', 'auth/token/revoke-orphan', {}, 400, ['missing token ID']],
    ['POST', 'auth/token/revoke-orphan', { token: 'none' }, 400, ['token to revoke not found']],
    ['POST', 'auth/token/create', { ttl: 'zz' }, 400, ['time: invalid duration "zz"']],
    ['POST', 'auth/token/create/web', {}, 400, ['unknown role web']],
    ['POST', 'sys/capabilities', { token: 'none', paths: 'x' }, 400, occurred('invalid token')],
    ['POST', 'sys/capabilities', { paths: 'x' }, 500, occurred('no token found')],
    ['POST', 'sys/capabilities-accessor', { accessor: 'x', paths: 'x' }, 400, occurred('invalid accessor')],
    ['POST', 'sys/capabilities-accessor', { paths: 'x' }, 400, ['missing accessor']],
    ['PUT', 'sys/init', {}, 400, ['Vault is already initialized']],
  ] as const)('%s %s with %j', async (method, path, body, status, errors) => {
    const reply = await vault.call(method, path, body);
    expect([reply.status, reply.errors]).toEqual([status, errors]);
  });

  test('a request that is none is told of once there is an issuer', async () => {
    await vault.call('POST', 'sys/mounts/with-root', { type: 'pki' });
    await vault.call('POST', 'with-root/root/generate/internal', { common_name: 'r', key_type: 'ec' });
    const refusal = async (csr: string) => {
      const reply = await vault.call('POST', 'with-root/root/sign-intermediate', { csr });
      return [reply.status, ...reply.errors];
    };
    expect(await refusal('')).toEqual([400, '"csr" is empty']);
    expect(await refusal('nonsense')).toEqual([400, 'csr contains no data']);
    await vault.call('DELETE', 'sys/mounts/with-root');
  });

  test('no token, and one that is none, are permission denied', async () => {
    expect(await vault.call('GET', 'sys/mounts', undefined, '')).toMatchObject({
      status: 403,
      errors: denied,
    });
    expect(await vault.call('GET', 'nowhere', undefined, '')).toMatchObject({ status: 403, errors: denied });
    expect(await vault.call('GET', 'sys/mounts', undefined, 'hvs.nonsense')).toMatchObject({
      status: 403,
      errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'],
    });
  });

  test('a body that is too large is 413, and ends the connection', async () => {
    const reply = await vault.call('POST', 'pki/config/urls', {
      ocsp_servers: 'x'.repeat(33 * 1_024 * 1_024),
    });
    expect([reply.status, reply.errors]).toEqual([
      413,
      ['failed to parse JSON input: http: request body too large'],
    ]);
  });

  test('PATCH without its media type is 415', async () => {
    const reply = await vault.call('PATCH', 'pki/config/urls', {});
    expect(reply.status).toBe(415);
  });

  test('what is not below /v1/ is not there', async () => {
    for (const path of ['/', '/ui/', '/v2/sys/health']) {
      expect((await fetch(vault.endpoint + path)).status).toBe(404);
    }
  });
});

describe('status paths need no token', () => {
  test('health tells how it is, and takes another code for it', async () => {
    const { status, body } = await vault.call('GET', 'sys/health', undefined, '');
    expect(status).toBe(200);
    expect(body).toMatchObject({ initialized: true, sealed: false, standby: false });
    expect(body.server_time_utc).toBe(vault.clock.now() / 1_000);
    const head = await vault.call('HEAD', 'sys/health?activecode=299&standbyok=true', undefined, '');
    expect([head.status, head.text]).toEqual([299, '']);
    expect((await vault.call('GET', 'sys/health?sealedcode=x', undefined, '')).status).toBe(400);
    expect((await vault.call('POST', 'sys/health', {}, '')).status).toBe(405);
  });

  test('seal-status, leader and init are what vault status reads', async () => {
    const seal = await vault.call('GET', 'sys/seal-status', undefined, '');
    expect(seal.body).toMatchObject({ type: 'shamir', initialized: true, sealed: false, t: 1, n: 1 });
    expect((await vault.call('GET', 'sys/leader', undefined, '')).body.ha_enabled).toBe(false);
    expect((await vault.call('GET', 'sys/init', undefined, '')).body).toEqual({ initialized: true });
  });
});

describe('the method LIST, which Node’s parser does not know', () => {
  test('is answered on the bare connection, which ends', async () => {
    const answer = await raw(
      `LIST /v1/sys/policies/acl HTTP/1.1\r\nHost: x\r\nX-Vault-Token: ${rootToken}\r\nX-Vault-Namespace: root\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(answer).toContain('Cache-Control: no-store\r\n');
    expect(answer).toContain('X-Vault-Namespace: root\r\n');
    expect(answer).toContain('Connection: close\r\n');
    expect(answer).toContain('"keys":["default"');
  });

  test('needs a token like any other, and a well-formed head', async () => {
    expect(await raw('LIST /v1/sys/policies/acl HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 403 /);
    expect(await raw('LIST /v1/sys/policies/acl HTTP/1.1\r\nbad header\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
    expect(await raw('LIST nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
  });
});
