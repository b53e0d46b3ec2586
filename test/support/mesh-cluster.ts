import { hourMs } from '../../src/base/duration.ts';
import { kubeClient } from '../../src/kube/http-kube-client.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { readKubeconfig } from '../../src/kube/kubeconfig.ts';
import {
  configMaps,
  type KubeObject,
  namespaces,
  type Resource,
  resourcePath,
  secrets,
  serviceAccounts,
} from '../../src/kube/resource.ts';
import { type TestCluster, testCluster } from './api-server.ts';

export interface MeshCluster extends TestCluster {
  admin: KubeClient;
  /** A kubeconfig and a client with the rights of linkerd-identity alone. */
  identityKubeconfig: string;
  identityClient: KubeClient;
  putIssuer(pair: { pem: string; keyPem: string }): Promise<void>;
  putRoots(pem: string): Promise<void>;
  /** What the kubelet projects for a pod of this service account. */
  token(serviceAccount: string, audience?: string): Promise<string>;
}

/** The embedded API with the namespaces and accounts of a meshed application. */
export async function meshCluster(accounts: readonly string[]): Promise<MeshCluster> {
  const cluster = await testCluster();
  const admin = cluster.client('kubectl');
  const put = async (resource: Resource, object: KubeObject & Record<string, unknown>) => {
    await admin.apply(resource, object, { manager: 'test' });
  };
  for (const name of ['linkerd', 'emojivoto']) {
    await put(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  for (const name of accounts) {
    const metadata = { name, namespace: 'emojivoto' };
    await put(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  }
  const identityKubeconfig = await cluster.api.kubeconfig('system:serviceaccount:linkerd:linkerd-identity', [
    'system:serviceaccounts',
    'system:serviceaccounts:linkerd',
  ]);
  const identityClient = kubeClient(readKubeconfig(identityKubeconfig), { userAgent: 'linkerd-identity' });
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return {
    ...cluster,
    admin,
    identityKubeconfig,
    identityClient,
    putIssuer: (pair) =>
      put(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'linkerd-identity-issuer', namespace: 'linkerd' },
        type: 'kubernetes.io/tls',
        data: { 'tls.crt': base64(pair.pem), 'tls.key': base64(pair.keyPem) },
      }),
    putRoots: (pem) =>
      put(configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'linkerd-identity-trust-roots', namespace: 'linkerd' },
        data: { 'ca-bundle.crt': pem },
      }),
    async token(serviceAccount, audience = 'identity.l5d.io') {
      const at = { namespace: 'emojivoto', name: serviceAccount, subresource: 'token' };
      const { status } = await admin.ask<{ status: { token: string } }>(resourcePath(serviceAccounts, at), {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: [audience], expirationSeconds: (24 * hourMs) / 1_000 },
      });
      return status.token;
    },
    async close() {
      identityClient.close();
      await cluster.close();
    },
  };
}
