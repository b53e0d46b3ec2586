import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { systemClock } from '../src/base/clock.ts';
import { systemEntropy } from '../src/base/entropy.ts';
import { silentLog } from '../src/base/log.ts';
import { type CertManager, startCertManager } from '../src/certmanager/controllers.ts';
import { certManagerDefinitions } from '../src/certmanager/definitions.ts';
import { type Certificate, certificates, clusterIssuers, type Issuer } from '../src/certmanager/kinds.ts';
import { installDefinitions } from '../src/kube/install-definitions.ts';
import type { KubeClient } from '../src/kube/kube-client.ts';
import {
  type Condition,
  events,
  type KubeObject,
  namespaces,
  type Secret,
  secrets,
} from '../src/kube/resource.ts';
import { memoryStore } from '../src/store/memory.ts';
import { startVault, type VaultServer } from '../src/vault/server.ts';
import { systemDialer } from '../src/wire/dialer.ts';
import { httpClient } from '../src/wire/http-client.ts';
import { formatAddress } from '../src/wire/http-server.ts';
import { readCertificates } from '../src/x509/certificate.ts';
import { readPrivateKey, samePublicKey } from '../src/x509/key.ts';
import { verifyChain } from '../src/x509/verify.ts';
import { type TestCluster, testCluster } from './support/api-server.ts';
import { tutorialSpec } from './support/certificate-world.ts';
import { noSinks } from './support/vault.ts';

/** Tries `check` until it does not throw. */
const eventually = <T>(check: () => Promise<T>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

let cluster: TestCluster;
let vault: VaultServer;
let manager: CertManager;
let admin: KubeClient;
const http = httpClient();
const at = { name: 'linkerd-identity-issuer', namespace: 'linkerd' };

async function vaultRequest(method: string, path: string, body?: object): Promise<Record<string, never>> {
  const answer = await http.send({
    method,
    url: `http://${formatAddress(vault.address)}/v1/${path}`,
    headers: { 'x-vault-token': 'my-token', 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.body.toString()}`);
  return answer.body.length > 0 ? JSON.parse(answer.body.toString()) : {};
}

/** What the main job does with the vault CLI; answers the root and the token for the controllers. */
async function setUpVault(): Promise<{ root: string; token: string }> {
  await vaultRequest('POST', 'sys/mounts/pki', {
    type: 'pki',
    config: { default_lease_ttl: '0s', max_lease_ttl: '0s' },
  });
  await vaultRequest('POST', 'sys/mounts/pki/tune', { max_lease_ttl: '2160h' });
  const policy = 'path "pki*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }';
  await vaultRequest('PUT', 'sys/policies/acl/pki_policy', { policy });
  const { auth } = (await vaultRequest('PUT', 'auth/token/create', {
    policies: 'pki_policy',
    no_parent: true,
    no_default_policy: true,
    renewable: true,
    ttl: '767h',
    num_uses: 0,
  })) as unknown as { auth: { client_token: string } };
  const { data } = (await vaultRequest('PUT', 'pki/root/generate/internal', {
    common_name: 'root.linkerd.cluster.local',
    ttl: '2160h',
    key_type: 'ec',
  })) as unknown as { data: { certificate: string } };
  return { root: data.certificate, token: auth.client_token };
}

const object = (apiVersion: string, kind: string, metadata: KubeObject['metadata'], rest: object) =>
  ({ apiVersion, kind, metadata, ...rest }) as never;

let root: string;

beforeAll(async () => {
  const options = { clock: systemClock, entropy: systemEntropy, log: silentLog };
  const listen = { host: '127.0.0.1', port: 0 };
  [cluster, vault] = await Promise.all([
    testCluster(),
    startVault({
      ...options,
      openSink: noSinks,
      dialer: systemDialer,
      store: memoryStore(),
      listen,
      dev: { rootToken: 'my-token' },
    }),
  ]);
  admin = cluster.client('kubectl');
  const { signal } = new AbortController();
  await installDefinitions(admin, certManagerDefinitions(), {
    manager: 'capstan',
    clock: systemClock,
    signal,
  });
  for (const name of ['linkerd', 'cert-manager']) {
    await admin.create(namespaces, object('v1', 'Namespace', { name }, {}));
  }
  manager = await startCertManager({ ...options, kube: cluster.client('cert-manager'), http: httpClient });
  let token: string;
  ({ root, token } = await setUpVault());
  const secret = { type: 'Opaque', data: { token: Buffer.from(token).toString('base64') } };
  await admin.create(
    secrets,
    object('v1', 'Secret', { name: 'my-secret-token', namespace: 'cert-manager' }, secret),
  );
  const spec = {
    vault: {
      path: 'pki/root/sign-intermediate',
      server: `http://${formatAddress(vault.address)}`,
      auth: { tokenSecretRef: { name: 'my-secret-token', key: 'token' } },
    },
  };
  await admin.create(
    clusterIssuers,
    object('cert-manager.io/v1', 'ClusterIssuer', { name: 'vault-issuer' }, { spec }),
  );
});

afterAll(async () => {
  await manager?.close();
  http.close();
  await cluster?.close();
  await vault?.close();
});

const conditionOf = (conditions: readonly Condition[] | undefined, type: string) =>
  conditions?.find((condition) => condition.type === type);

/** The Certificate, once it is ready at this revision. */
function readyAt(revision: number): Promise<Certificate> {
  return eventually(async () => {
    const certificate = await admin.get<Certificate>(certificates, at.name, at.namespace);
    expect(certificate?.status?.revision).toBe(revision);
    expect(conditionOf(certificate!.status!.conditions, 'Ready')).toMatchObject({ status: 'True' });
    expect(conditionOf(certificate!.status!.conditions, 'Issuing')).toBeUndefined();
    return certificate!;
  });
}

test('the issuer is verified, and its token and path are shown to be accepted', () =>
  eventually(async () => {
    const issuer = await admin.get<Issuer>(clusterIssuers, 'vault-issuer');
    expect(conditionOf(issuer?.status?.conditions, 'Ready')).toMatchObject({
      status: 'True',
      reason: 'VaultVerified',
      message: 'Vault verified',
    });
    expect(conditionOf(issuer?.status?.conditions, 'Authorized')).toMatchObject({
      status: 'True',
      reason: 'SigningPermitted',
    });
  }));

test('the Certificate becomes a Secret that verifies against the root', async () => {
  await admin.create(certificates, object('cert-manager.io/v1', 'Certificate', at, { spec: tutorialSpec }));
  const certificate = await readyAt(1);
  const secret = (await admin.get<Secret>(secrets, at.name, at.namespace))!;
  const text = (key: string) => Buffer.from(secret.data![key]!, 'base64').toString();
  const [leaf, ...more] = readCertificates(text('tls.crt'));
  expect(more).toEqual([]);
  expect(text('ca.crt').trim()).toBe(root.trim());
  expect(samePublicKey(leaf!.publicKey, readPrivateKey(text('tls.key')).publicKey)).toBe(true);
  expect(text('tls.key')).toMatch(/^-----BEGIN EC PRIVATE KEY-----/);
  const roots = readCertificates(root);
  expect(verifyChain(leaf!, { roots, intermediates: [], at: systemClock.now() })).toMatchObject({
    valid: true,
  });
  expect(leaf!.isCa).toBe(true);
  expect(secret.type).toBe('kubernetes.io/tls');
  expect(secret.metadata.annotations).toMatchObject({
    'cert-manager.io/alt-names': 'identity.linkerd.cluster.local',
    'cert-manager.io/issuer-kind': 'ClusterIssuer',
    'cert-manager.io/issuer-group': '',
  });
  const { renewalTime, notAfter } = certificate.status!;
  expect(Date.parse(notAfter!) - Date.parse(renewalTime!)).toBe(25 * 3_600_000);
});

test('the events tell the way there', () =>
  eventually(async () => {
    const { items } = await admin.list<KubeObject & { reason: string; involvedObject: { kind: string } }>(
      events,
      {
        namespace: at.namespace,
      },
    );
    const reasons = items
      .filter(({ involvedObject }) => involvedObject.kind === 'Certificate')
      .map(({ reason }) => reason);
    expect(reasons.toSorted()).toEqual(['Generated', 'Issuing', 'Issuing', 'Requested']);
  }));

test('a tampered root in the Secret is put back, a deleted Secret issued again', async () => {
  const forged = Buffer.from('forged').toString('base64');
  await admin.mergePatch(secrets, at, { data: { 'ca.crt': forged } });
  await eventually(async () => {
    const secret = await admin.get<Secret>(secrets, at.name, at.namespace);
    expect(Buffer.from(secret!.data!['ca.crt']!, 'base64').toString().trim()).toBe(root.trim());
  });
  await readyAt(1);
  await admin.delete(secrets, at.name, at.namespace);
  await readyAt(2);
});

test('nothing is written once all is as it should be', async () => {
  await readyAt(2);
  const settled = await eventually(async () => {
    const { items } = await admin.list<Secret>(secrets, { namespace: at.namespace });
    expect(items.filter(({ metadata }) => metadata.labels?.['cert-manager.io/next-private-key'])).toEqual([]);
    return admin.get<Certificate>(certificates, at.name, at.namespace);
  });
  const secret = await admin.get<Secret>(secrets, at.name, at.namespace);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const later = await admin.get<Certificate>(certificates, at.name, at.namespace);
  expect(later!.metadata.resourceVersion).toBe(settled!.metadata.resourceVersion);
  const laterSecret = await admin.get<Secret>(secrets, at.name, at.namespace);
  expect(laterSecret!.metadata.resourceVersion).toBe(secret!.metadata.resourceVersion);
});
