import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KubeClient } from '../src/kube/kube-client.ts';
import { readKubeconfig } from '../src/kube/kubeconfig.ts';
import { resourcePath, serviceAccounts } from '../src/kube/resource.ts';
import { type TestCluster, testCluster } from './support/api-server.ts';
import { rootToken, type TestVault, testVault } from './support/vault.ts';

/** Logins of service accounts against a real API server: it makes their tokens, and reviews them. */

let cluster: TestCluster;
let kube: KubeClient;
let vault: TestVault;

beforeAll(async () => {
  cluster = await testCluster();
  kube = cluster.client('test');
  for (const [name, tier] of [
    ['mesh', 'gold'],
    ['other', 'lead'],
  ]) {
    await make('/api/v1/namespaces', 'Namespace', { metadata: { name, labels: { tier } } });
    for (const account of ['issuer', 'web-1']) await makeAccount(name!, account);
  }
  await makeAccount('mesh', 'reviewer');
  const subjects = [{ kind: 'ServiceAccount', name: 'reviewer', namespace: 'mesh' }];
  await make('/apis/rbac.authorization.k8s.io/v1/clusterroles', 'ClusterRole', {
    metadata: { name: 'reviewer' },
    rules: [
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
    ],
  });
  await make('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', 'ClusterRoleBinding', {
    metadata: { name: 'reviewer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reviewer' },
    subjects,
  });
});
afterAll(() => cluster.close());

beforeEach(async () => {
  vault = await testVault();
  await ok('sys/auth/kubernetes', { type: 'kubernetes' });
  await ok('auth/kubernetes/config', {
    kubernetes_host: readKubeconfig(cluster.kubeconfig).server,
    kubernetes_ca_cert: cluster.api.ca,
    token_reviewer_jwt: await tokenOf('mesh', 'reviewer'),
  });
});
afterEach(() => vault.close());

function make(path: string, kind: string, body: object): Promise<unknown> {
  const apiVersion = path.startsWith('/api/v1') ? 'v1' : 'rbac.authorization.k8s.io/v1';
  return kube.ask(path, { apiVersion, kind, ...body });
}

function makeAccount(namespace: string, name: string): Promise<unknown> {
  return make(`/api/v1/namespaces/${namespace}/serviceaccounts`, 'ServiceAccount', { metadata: { name } });
}

async function tokenOf(namespace: string, name: string, audiences?: string[]): Promise<string> {
  const { status } = await kube.ask<{ status: { token: string } }>(
    resourcePath(serviceAccounts, { namespace, name, subresource: 'token' }),
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: audiences ? { audiences } : {},
    },
  );
  return status.token;
}

async function ok(path: string, body: unknown): Promise<void> {
  const { errors } = await vault.call('POST', path, body);
  expect([path, errors]).toEqual([path, []]);
}

const role = (body: object) => ok('auth/kubernetes/role/mesh', body);
const login = (jwt: string, name = 'mesh') =>
  vault.call('POST', 'auth/kubernetes/login', { role: name, jwt }, '');

test('a service account logs in by its token, and is told by its cluster', async () => {
  await role({
    bound_service_account_names: 'issuer',
    bound_service_account_namespaces: 'mesh',
    token_policies: 'pki',
    token_ttl: '20m',
  });
  const { auth } = await login(await tokenOf('mesh', 'issuer'));
  expect(auth).toMatchObject({ policies: ['default', 'pki'], lease_duration: 1_200, orphan: true });
  expect(auth.metadata).toEqual({
    role: 'mesh',
    service_account_name: 'issuer',
    service_account_namespace: 'mesh',
    service_account_secret_name: '',
    service_account_uid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
  });
  const self = await vault.call('GET', 'auth/token/lookup-self', undefined, auth.client_token as string);
  expect(self.data).toMatchObject({ display_name: 'kubernetes-mesh-issuer' });
  await vault.call('DELETE', 'auth/kubernetes/role/mesh');
  const renewal = await vault.call('POST', 'auth/token/renew-self', {}, auth.client_token as string);
  expect([renewal.status, renewal.errors[0]]).toEqual([
    500,
    expect.stringContaining('does not exist during renewal'),
  ]);
});

describe('a login is refused', () => {
  const bound = { bound_service_account_names: 'issuer', bound_service_account_namespaces: 'mesh' };
  const refusal = async (jwt: string) => {
    const { status, errors } = await login(jwt);
    return [status, errors[0]?.replaceAll(/\s+/g, ' ').trim()];
  };
  const permissionDenied = [403, 'permission denied'];

  test('for another account and another namespace', async () => {
    await role(bound);
    expect(await refusal(await tokenOf('mesh', 'web-1'))).toEqual([
      403,
      'service account name not authorized',
    ]);
    expect(await refusal(await tokenOf('other', 'issuer'))).toEqual([403, 'namespace not authorized']);
  });

  test('for a token that the cluster did not sign, or signed for others', async () => {
    await role(bound);
    const token = await tokenOf('mesh', 'issuer');
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    expect(await refusal(`${header}.${payload}.${flipped}`)).toEqual(permissionDenied);
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const forged = Buffer.from(JSON.stringify({ ...claims, exp: 4e9 })).toString('base64url');
    expect(await refusal(`${header}.${forged}.${signature}`)).toEqual(permissionDenied);
    expect(await refusal(await tokenOf('mesh', 'issuer', ['vault']))).toEqual(permissionDenied);
    expect((await refusal('no.token'))[0]).toBe(403);
  });

  test('for another account whose token names this one', async () => {
    await role(bound);
    const other = (await tokenOf('mesh', 'web-1')).split('.');
    const own = (await tokenOf('mesh', 'issuer')).split('.');
    expect(await refusal([other[0], own[1], other[2]].join('.'))).toEqual(permissionDenied);
  });

  test('once its account is gone', async () => {
    await role({ ...bound, bound_service_account_names: 'gone' });
    await makeAccount('mesh', 'gone');
    const token = await tokenOf('mesh', 'gone');
    expect((await login(token)).status).toBe(200);
    await kube.delete(serviceAccounts, 'gone', 'mesh');
    expect(await refusal(token)).toEqual(permissionDenied);
  });

  test('where the cluster cannot be trusted', async () => {
    await role(bound);
    const elsewhere = await testCluster();
    try {
      await ok('auth/kubernetes/config', {
        kubernetes_host: readKubeconfig(cluster.kubeconfig).server,
        kubernetes_ca_cert: elsewhere.api.ca,
      });
      expect(await refusal(await tokenOf('mesh', 'issuer'))).toEqual(permissionDenied);
    } finally {
      await elsewhere.close();
    }
  });

  test('without a role, or without what it needs', async () => {
    expect((await login('x', 'none')).errors).toEqual(['invalid role name "none"']);
    expect((await login('')).errors).toEqual(['missing jwt']);
    expect((await login('x', '')).errors).toEqual(['missing role']);
  });
});

test('a role may name accounts and namespaces by globs, and an audience', async () => {
  await role({
    bound_service_account_names: 'web-*',
    bound_service_account_namespaces: 'me*h',
    audience: 'vault',
  });
  const login1 = await login(await tokenOf('mesh', 'web-1', ['vault', 'more']));
  expect([login1.status, login1.errors]).toEqual([200, []]);
  expect((await login(await tokenOf('mesh', 'web-1'))).errors[0]).toContain('invalid audience (aud) claim');
});

test('a role may ask for labels of the namespace, which the reviewer looks up', async () => {
  await role({
    bound_service_account_names: '*',
    bound_service_account_namespace_selector: '{"matchLabels":{"tier":"gold"}}',
  });
  expect((await login(await tokenOf('mesh', 'web-1'))).status).toBe(200);
  expect((await login(await tokenOf('other', 'web-1'))).errors).toEqual(['namespace not authorized']);
  await ok('auth/kubernetes/config', {
    kubernetes_host: readKubeconfig(cluster.kubeconfig).server,
    kubernetes_ca_cert: cluster.api.ca,
  });
  expect((await login(await tokenOf('mesh', 'web-1'))).errors[0]).toContain(
    'TokenReviewer JWT needs to be configured to use namespace selectors',
  );
});

test('the reviewer may be the pod that the server runs in, and its token is never shown', async () => {
  const files = { 'ca.crt': cluster.api.ca, token: await tokenOf('mesh', 'reviewer') };
  const inPod = await testVault({ podFile: async (name) => files[name] });
  try {
    const call = (path: string, body: unknown, token = rootToken) => inPod.call('POST', path, body, token);
    await call('sys/auth/kubernetes', { type: 'kubernetes' });
    await call('auth/kubernetes/config', { kubernetes_host: readKubeconfig(cluster.kubeconfig).server });
    await call('auth/kubernetes/role/mesh', {
      bound_service_account_names: 'issuer',
      bound_service_account_namespaces: '*',
    });
    const jwt = await tokenOf('mesh', 'issuer');
    expect((await call('auth/kubernetes/login', { role: 'mesh', jwt }, '')).status).toBe(200);
  } finally {
    await inPod.close();
  }
  const { data } = await vault.call('GET', 'auth/kubernetes/config');
  expect(data).toMatchObject({ token_reviewer_jwt_set: true, disable_iss_validation: true, pem_keys: [] });
  expect(data).not.toHaveProperty('token_reviewer_jwt');
});

test.each([
  [{}, '"bound_service_account_names" can not be empty'],
  [
    { bound_service_account_names: 'a' },
    '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set',
  ],
  [
    { bound_service_account_names: 'a,*', bound_service_account_namespaces: '*' },
    'can not mix "*" with values',
  ],
  [
    { bound_service_account_names: 'a', bound_service_account_namespace_selector: '{"a":' },
    'invalid "bound_service_account_namespace_selector" configured',
  ],
  [
    {
      bound_service_account_names: 'a',
      bound_service_account_namespaces: 'b',
      alias_name_source: 'x',
    },
    'invalid alias_name_source, must be one of: serviceaccount_uid, serviceaccount_name',
  ],
])('a role of %j is refused', async (body, message) => {
  const { status, errors } = await vault.call('POST', 'auth/kubernetes/role/mesh', body);
  expect([status, ...errors]).toEqual([400, message]);
});
