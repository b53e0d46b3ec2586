import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { systemClock } from '../src/base/clock.ts';
import { dayMs } from '../src/base/duration.ts';
import { systemEntropy } from '../src/base/entropy.ts';
import { silentLog } from '../src/base/log.ts';
import { type CertManager, startCertManager } from '../src/certmanager/controllers.ts';
import { certManagerDefinitions } from '../src/certmanager/definitions.ts';
import { type Certificate, certificates, issuers } from '../src/certmanager/kinds.ts';
import { installDefinitions } from '../src/kube/install-definitions.ts';
import type { KubeClient } from '../src/kube/kube-client.ts';
import { readKubeconfig } from '../src/kube/kubeconfig.ts';
import { namespaces, resourcePath, type Secret, secrets, serviceAccounts } from '../src/kube/resource.ts';
import { memoryStore } from '../src/store/memory.ts';
import { vaultListener } from '../src/vault/http/vault-listener.ts';
import { type OpenVault, openVault } from '../src/vault/open-vault.ts';
import { neverSealed, statusPaths } from '../src/vault/sys/status.ts';
import { systemDialer } from '../src/wire/dialer.ts';
import { type HttpClient, httpClient } from '../src/wire/http-client.ts';
import { type Listening, listen } from '../src/wire/http-server.ts';
import { readCertificates } from '../src/x509/certificate.ts';
import { type TestCluster, testCluster } from './support/api-server.ts';
import { type Credential, issuance } from './support/certificates.ts';
import { noSinks } from './support/vault.ts';

/** Issuers log in to the CA in each way that it takes, and get certificates from it. */

const namespace = 'mesh';
let cluster: TestCluster;
let admin: KubeClient;
let vault: OpenVault;
let listening: Listening;
let manager: CertManager;
let http: HttpClient;
let servers: Credential;
let clients: Credential;
let client: Credential;

beforeAll(async () => {
  const nowMs = Date.now();
  const issue = issuance('logins', nowMs - dayMs);
  servers = await issue({ commonName: 'servers' });
  const server = await issue({ commonName: 'vault', by: servers, dnsNames: ['localhost'] });
  clients = await issue({ commonName: 'clients' });
  client = await issue({ commonName: 'issuer', by: clients });
  const options = { clock: systemClock, entropy: systemEntropy, log: silentLog };
  vault = await openVault({
    ...options,
    store: memoryStore(),
    openSink: noSinks,
    dialer: systemDialer,
    dev: { rootToken: 'root-token' },
  });
  const status = statusPaths(() => neverSealed(vault.cluster), systemClock);
  const listener = vaultListener({
    ...options,
    core: vault.core,
    status,
    tls: { cert: server.pem, key: server.keyPem },
  });
  listening = await listen(listener, { host: '127.0.0.1', port: 0 });
  http = httpClient({ ca: servers.pem });
  cluster = await testCluster();
  admin = cluster.client('admin');
  await installDefinitions(admin, certManagerDefinitions(), {
    manager: 'capstan',
    clock: systemClock,
    signal: new AbortController().signal,
  });
  await admin.create(namespaces, named('v1', 'Namespace', namespace));
  await setUpVault();
  manager = await startCertManager({ ...options, kube: cluster.client('cert-manager'), http: httpClient });
});

afterAll(async () => {
  await manager?.close();
  http?.close();
  await cluster?.close();
  await listening?.close();
  vault?.close();
});

const server = () => `https://localhost:${listening.address.port}`;

async function call(method: string, path: string, body?: object): Promise<Record<string, string>> {
  const answer = await http.send({
    method,
    url: `${server()}/v1/${path}`,
    headers: { 'x-vault-token': 'root-token' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (answer.status >= 400) throw new Error(`${path}: ${answer.status} ${answer.body.toString()}`);
  const parsed = JSON.parse(answer.body.toString() || '{}') as { data?: Record<string, string> };
  return parsed.data ?? {};
}

async function setUpVault(): Promise<void> {
  await call('POST', 'sys/mounts/pki', { type: 'pki' });
  await call('POST', 'pki/root/generate/internal', { common_name: 'root', key_type: 'ec' });
  await call('POST', 'pki/roles/mesh', { allow_any_name: true, key_type: 'any', max_ttl: '24h' });
  await call('PUT', 'sys/policies/acl/sign', {
    policy: 'path "pki/sign/mesh" { capabilities = ["update"] }',
  });
  for (const type of ['approle', 'kubernetes', 'cert']) await call('POST', `sys/auth/${type}`, { type });
  const given = { token_policies: 'sign', token_ttl: '1m', token_num_uses: 1 };
  await call('POST', 'auth/approle/role/mesh', { ...given, role_id: 'mesh' });
  await call('POST', 'auth/cert/certs/mesh', { ...given, certificate: clients.pem });
  await call('POST', 'auth/kubernetes/role/mesh', {
    ...given,
    bound_service_account_names: 'issuer',
    bound_service_account_namespaces: namespace,
    audience: `vault://${namespace}/kubernetes`,
  });
  await call('POST', 'auth/kubernetes/config', {
    kubernetes_host: readKubeconfig(cluster.kubeconfig).server,
    kubernetes_ca_cert: cluster.api.ca,
    token_reviewer_jwt: await reviewerToken(),
  });
}

async function reviewerToken(): Promise<string> {
  for (const name of ['issuer', 'reviewer']) {
    await admin.create(serviceAccounts, named('v1', 'ServiceAccount', name, { namespace }));
  }
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  await admin.ask(`${rbac}/clusterroles`, {
    ...(named('rbac.authorization.k8s.io/v1', 'ClusterRole', 'reviewer') as object),
    rules: [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }],
  });
  await admin.ask(`${rbac}/clusterrolebindings`, {
    ...(named('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'reviewer') as object),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reviewer' },
    subjects: [{ kind: 'ServiceAccount', name: 'reviewer', namespace }],
  });
  const { status } = await admin.ask<{ status: { token: string } }>(
    resourcePath(serviceAccounts, { namespace, name: 'reviewer', subresource: 'token' }),
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
  );
  return status.token;
}

function named(apiVersion: string, kind: string, name: string, more: object = {}, rest: object = {}) {
  return { apiVersion, kind, metadata: { name, ...more }, ...rest } as never;
}

async function makeSecret(name: string, texts: Record<string, string>): Promise<void> {
  const data = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  await admin.create(secrets, named('v1', 'Secret', name, { namespace }, { type: 'Opaque', data }));
}

async function authOf(way: string): Promise<object> {
  if (way === 'kubernetes') return { kubernetes: { role: 'mesh', serviceAccountRef: { name: 'issuer' } } };
  if (way === 'appRole') {
    const { secret_id } = await call('POST', 'auth/approle/role/mesh/secret-id', {});
    await makeSecret('approle', { id: secret_id! });
    const secretRef = { name: 'approle', key: 'id' };
    return { appRole: { path: 'approle', roleId: 'mesh', secretRef } };
  }
  await makeSecret('client', { 'tls.crt': client.pem, 'tls.key': client.keyPem });
  return { clientCertificate: { name: 'mesh', secretName: 'client' } };
}

test.each(['appRole', 'kubernetes', 'clientCertificate'])('by %s', async (way) => {
  const name = way.toLowerCase();
  const auth = await authOf(way);
  const caBundle = Buffer.from(servers.pem).toString('base64');
  const spec = { vault: { path: 'pki/sign/mesh', server: server(), caBundle, auth } };
  await admin.create(issuers, named('cert-manager.io/v1', 'Issuer', name, { namespace }, { spec }));
  const wanted = {
    secretName: `${name}-tls`,
    commonName: `${name}.mesh`,
    privateKey: { algorithm: 'ECDSA' },
    issuerRef: { name, kind: 'Issuer' },
  };
  const certificate = named('cert-manager.io/v1', 'Certificate', name, { namespace }, { spec: wanted });
  await admin.create(certificates, certificate);
  const ready = async () => {
    const found = await admin.get<Certificate>(certificates, name, namespace);
    expect(found?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'True' }),
    );
  };
  await vi.waitFor(ready, { timeout: 20_000, interval: 50 });
  const secret = await admin.get<Secret>(secrets, `${name}-tls`, namespace);
  const pem = Buffer.from(secret?.data?.['tls.crt'] ?? '', 'base64').toString();
  expect(
    readCertificates(pem)[0]
      ?.subject.rdns.flat()
      .map(({ value }) => value),
  ).toContain(`${name}.mesh`);
});
