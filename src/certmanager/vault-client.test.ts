import { expect, test } from 'vitest';
import { memoryKube } from '../../test/support/memory-kube.ts';
import { ManualClock } from '../base/manual-clock.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { secrets } from '../kube/resource.ts';
import type { HttpClientOptions, HttpRequest, HttpResponse } from '../wire/http-client.ts';
import type { Issuer, VaultIssuer } from './kinds.ts';
import { openVault } from './vault-client.ts';
import { secretsOf, vaultAccess } from './vault-credentials.ts';

const issuer = (fields: Partial<VaultIssuer>, namespace?: string): Issuer => ({
  apiVersion: 'cert-manager.io/v1',
  kind: namespace ? 'Issuer' : 'ClusterIssuer',
  metadata: { name: 'ca', ...(namespace ? { namespace } : {}) },
  spec: { vault: { server: 'http://vault:8200/', path: '/pki/sign/role', auth: {}, ...fields } },
});

async function kubeWith(data: Record<string, string>, namespace = 'cert-manager') {
  const kube = memoryKube(new ManualClock());
  const encoded = Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  const metadata = { name: 'secret', namespace };
  await kube.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata, data: encoded } as never);
  return kube;
}

/** A server that answers from a table, and notes what it was asked. */
function server(
  answers: Record<string, { status?: number; body?: object; headers?: HttpResponse['headers'] }>,
) {
  const asked: (HttpRequest & { options: HttpClientOptions })[] = [];
  const connect = (options: HttpClientOptions) => ({
    async send(request: HttpRequest): Promise<HttpResponse> {
      asked.push({ ...request, options });
      const {
        status = 200,
        body = {},
        headers = {},
      } = answers[new URL(request.url).pathname] ?? { status: 404 };
      return { status, headers, body: Buffer.from(JSON.stringify(body)) };
    },
    open: () => Promise.reject(new Error('not served')),
    close() {},
  });
  return { asked, connect };
}

const access = (one: Issuer, kube: KubeClient) =>
  vaultAccess(one, { kube, clusterResourceNamespace: 'cert-manager' });

test('a token is read from its Secret, trimmed, and sent with the namespace, except for health', async () => {
  const kube = await kubeWith({ token: ' s.abc\n' });
  const { asked, connect } = server({
    '/v1/sys/health': {},
    '/v1/pki/sign/role': { body: { data: { certificate: 'PEM' } } },
  });
  const one = issuer({ auth: { tokenSecretRef: { name: 'secret' } }, namespace: 'team' });
  const vault = await openVault(await access(one, kube), connect);
  await vault.checkHealth();
  expect(await vault.sign({ csr: 'x' } as never)).toEqual({ certificate: 'PEM' });
  expect(asked.map(({ method, url, headers }) => [method, String(url), headers])).toEqual([
    ['GET', 'http://vault:8200/v1/sys/health', { 'x-vault-request': 'true' }],
    [
      'POST',
      'http://vault:8200/v1/pki/sign/role',
      {
        'x-vault-request': 'true',
        'x-vault-token': 's.abc',
        'x-vault-namespace': 'team',
        'content-type': 'application/json',
      },
    ],
  ]);
});

test.each<[string, VaultIssuer['auth'], Record<string, string>, string, object]>([
  [
    'appRole',
    { appRole: { path: 'roles', roleId: ' id ', secretRef: { name: 'secret', key: 'sid' } } },
    { sid: 'hush\n' },
    '/v1/auth/roles/login',
    { role_id: 'id', secret_id: 'hush' },
  ],
  [
    'kubernetes by Secret',
    { kubernetes: { role: 'mesh', secretRef: { name: 'secret' } } },
    { token: 'jwt' },
    '/v1/auth/kubernetes/login',
    { role: 'mesh', jwt: 'jwt' },
  ],
  [
    'clientCertificate',
    { clientCertificate: { mountPath: '/v1/auth/tls', name: 'web', secretName: 'secret' } },
    { 'tls.crt': 'CERT', 'tls.key': 'KEY' },
    '/v1/auth/tls/login',
    { name: 'web' },
  ],
])('logs in by %s', async (_, auth, data, path, body) => {
  const { asked, connect } = server({
    [path]: { body: { auth: { client_token: 'fresh' } } },
    '/v1/auth/token/lookup-self': {},
  });
  const vault = await openVault(await access(issuer({ auth }, 'app'), await kubeWith(data, 'app')), connect);
  await vault.lookUpToken();
  expect(JSON.parse(asked[0]!.body as string)).toEqual(body);
  expect(asked[1]!.headers).toMatchObject({ 'x-vault-token': 'fresh' });
  if (auth.clientCertificate) {
    expect(asked[0]!.options).toMatchObject({ clientCertificate: 'CERT', clientKey: 'KEY' });
    expect(asked[1]!.options).toEqual({});
  }
});

test('a service account token is asked for with the audiences of this issuer', async () => {
  const kube = await kubeWith({});
  const asks: [string, unknown][] = [];
  kube.ask = async <T>(path: string, body: unknown) => {
    asks.push([path, body]);
    return { status: { token: 'jwt' } } as T;
  };
  const auth = { kubernetes: { role: 'mesh', serviceAccountRef: { name: 'vault', audiences: ['extra'] } } };
  const { login } = await access(issuer({ auth }, 'app'), kube);
  expect(login).toMatchObject({ body: { role: 'mesh', jwt: 'jwt' } });
  expect(asks).toEqual([
    [
      '/api/v1/namespaces/app/serviceaccounts/vault/token',
      expect.objectContaining({
        spec: { audiences: ['extra', 'vault://app/ca', 'http://vault:8200/'], expirationSeconds: 600 },
      }),
    ],
  ]);
});

test('roots and a client certificate for the connection come from the spec or its Secrets', async () => {
  const kube = await kubeWith({ 'ca.crt': 'ROOT', 'tls.crt': 'CERT', 'tls.key': 'KEY', token: 't' });
  const reference = { name: 'secret' };
  const one = issuer({
    auth: { tokenSecretRef: reference },
    caBundleSecretRef: reference,
    clientCertSecretRef: reference,
    clientKeySecretRef: reference,
    serverName: 'vault.example',
  });
  expect((await access(one, kube)).connection).toEqual({
    ca: 'ROOT',
    clientCertificate: 'CERT',
    clientKey: 'KEY',
    serverName: 'vault.example',
  });
  expect(secretsOf(one)).toEqual(['secret']);
});

test.each([
  [{ name: 'absent' }, 'secrets "absent" not found'],
  [{ name: 'secret', key: 'absent' }, `no data for "absent" in secret 'cert-manager/secret'`],
])('a token that is not there is named: %j', async (tokenSecretRef, message) => {
  const kube = await kubeWith({ token: 't' });
  await expect(access(issuer({ auth: { tokenSecretRef } }), kube)).rejects.toThrow(message);
});

test.each([
  [200, undefined],
  [429, undefined],
  [472, undefined],
  [473, undefined],
  [501, 'Vault is not initialized'],
  [503, 'Vault is sealed'],
  [500, 'error calling Vault /v1/sys/health: Error making API request.'],
])('health %i is %s', async (status, message) => {
  const kube = await kubeWith({ token: 't' });
  const { connect } = server({ '/v1/sys/health': { status } });
  const vault = await openVault(
    await access(issuer({ auth: { tokenSecretRef: { name: 'secret' } } }), kube),
    connect,
  );
  if (message === undefined) await vault.checkHealth();
  else await expect(vault.checkHealth()).rejects.toThrow(message);
});

test('a standby that points elsewhere is followed once; what a token may not ask is unknown', async () => {
  const kube = await kubeWith({ token: 't' });
  const { asked, connect } = server({
    '/v1/pki/sign/role': { status: 307, headers: { location: 'http://active:8200/v1/there' } },
    '/v1/there': { body: { data: { certificate: 'PEM' } } },
    '/v1/auth/token/lookup-self': { status: 403 },
  });
  const vault = await openVault(
    await access(issuer({ auth: { tokenSecretRef: { name: 'secret' } } }), kube),
    connect,
  );
  expect(await vault.sign({ csr: 'x' } as never)).toEqual({ certificate: 'PEM' });
  expect(asked.map(({ url }) => String(url))).toEqual([
    'http://vault:8200/v1/pki/sign/role',
    'http://active:8200/v1/there',
  ]);
  expect(await vault.lookUpToken()).toBeUndefined();
});
