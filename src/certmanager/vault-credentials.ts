import { Fault } from '../base/fault.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { resourcePath, type Secret, secrets, serviceAccounts } from '../kube/resource.ts';
import type { HttpClientOptions } from '../wire/http-client.ts';
import {
  clusterIssuers,
  dataKeys,
  type Issuer,
  type SecretKeyReference,
  type VaultAuth,
  type VaultIssuer,
} from './kinds.ts';

/** How to reach one Vault, and what to show it; everything read from the API server and nothing asked of Vault. */
export interface VaultAccess {
  server: string;
  path: string;
  namespace: string | undefined;
  connection: HttpClientOptions;
  login: VaultLogin;
}

export type VaultLogin =
  | { method: 'token'; token: string }
  /** POST of `body` to `url` answers a token; over `connection` where the login needs a certificate of its own. */
  | {
      method: 'exchange';
      url: string;
      body: Readonly<Record<string, string>>;
      connection?: HttpClientOptions;
    };

/** The Secrets that an issuer reads, by name. */
export function secretsOf({ spec: { vault } }: Issuer): string[] {
  if (!vault) return [];
  const { tokenSecretRef, appRole, kubernetes, clientCertificate } = vault.auth ?? {};
  const names = [
    tokenSecretRef?.name,
    appRole?.secretRef?.name,
    kubernetes?.secretRef?.name,
    clientCertificate?.secretName,
    vault.caBundleSecretRef?.name,
    vault.clientCertSecretRef?.name,
    vault.clientKeySecretRef?.name,
  ];
  return [...new Set(names.flatMap((name) => (name ? [name] : [])))];
}

/** Where an issuer's Secrets are: its own namespace, or for a ClusterIssuer the cluster resource namespace. */
export function credentialNamespace(issuer: Issuer, clusterResourceNamespace: string): string {
  return issuer.kind === clusterIssuers.kind ? clusterResourceNamespace : issuer.metadata.namespace!;
}

/**
 * @throws Fault `certmanager.secret.missing`, `certmanager.secret.key`, `certmanager.vault.auth`, and whatever the API
 *   server refuses with
 */
export async function vaultAccess(
  issuer: Issuer,
  options: { kube: KubeClient; clusterResourceNamespace: string },
): Promise<VaultAccess> {
  const vault = issuer.spec.vault!;
  const namespace = credentialNamespace(issuer, options.clusterResourceNamespace);
  const read = secretReader(options.kube, namespace);
  const connection = await connectionOf(vault, read);
  return {
    server: vault.server.replace(/\/+$/, ''),
    path: vault.path.replace(/^\/+|\/+$/g, ''),
    namespace: vault.namespace || undefined,
    connection,
    login: await loginOf(issuer, vault, { ...options, namespace, read, connection }),
  };
}

type ReadKey = (reference: SecretKeyReference, defaultKey?: string) => Promise<string>;

function secretReader(kube: KubeClient, namespace: string): ReadKey {
  return async ({ name, key }, defaultKey = '') => {
    const secret = await kube.get<Secret>(secrets, name, namespace);
    if (!secret) {
      throw new Fault(`secrets ${JSON.stringify(name)} not found`, {
        code: 'certmanager.secret.missing',
        blame: 'operator',
        fix: `create it in namespace ${namespace}`,
      });
    }
    const wanted = key || defaultKey;
    const value = secret.data?.[wanted];
    if (value === undefined) {
      // Upstream writes the name before the namespace; nobody would look for the Secret there.
      throw new Fault(`no data for ${JSON.stringify(wanted)} in secret '${namespace}/${name}'`, {
        code: 'certmanager.secret.key',
        blame: 'operator',
      });
    }
    return Buffer.from(value, 'base64').toString('utf8');
  };
}

async function connectionOf(vault: VaultIssuer, read: ReadKey): Promise<HttpClientOptions> {
  const { caBundle, caBundleSecretRef, clientCertSecretRef, clientKeySecretRef, serverName } = vault;
  const ca = caBundle
    ? Buffer.from(caBundle, 'base64').toString('utf8')
    : caBundleSecretRef && (await read(caBundleSecretRef, dataKeys.ca));
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(serverName ? { serverName } : {}),
    ...(clientCertSecretRef && clientKeySecretRef
      ? {
          clientCertificate: await read(clientCertSecretRef, dataKeys.certificate),
          clientKey: await read(clientKeySecretRef, dataKeys.privateKey),
        }
      : {}),
  };
}

interface LoginContext {
  kube: KubeClient;
  namespace: string;
  read: ReadKey;
  connection: HttpClientOptions;
}

/** The first method that is set, in upstream's order. */
async function loginOf(issuer: Issuer, vault: VaultIssuer, context: LoginContext): Promise<VaultLogin> {
  const { tokenSecretRef, appRole, clientCertificate, kubernetes } = vault.auth;
  const { read } = context;
  if (tokenSecretRef) return { method: 'token', token: (await read(tokenSecretRef, 'token')).trim() };
  if (appRole) {
    const body = { role_id: appRole.roleId.trim(), secret_id: (await read(appRole.secretRef)).trim() };
    return { method: 'exchange', url: `/v1/auth/${trimmed(appRole.path || 'approle')}/login`, body };
  }
  if (clientCertificate) return certificateLogin(clientCertificate, context);
  if (kubernetes) {
    const jwt = kubernetes.secretRef?.name
      ? await read(kubernetes.secretRef, 'token')
      : await serviceAccountToken(issuer, vault, kubernetes, context);
    const url = `/${trimmed(kubernetes.mountPath || '/v1/auth/kubernetes')}/login`;
    return { method: 'exchange', url, body: { role: kubernetes.role, jwt } };
  }
  throw new Fault('error initializing Vault client: auth.aws is not served yet', {
    code: 'certmanager.vault.auth',
    blame: 'operator',
    fix: 'use tokenSecretRef, appRole, clientCertificate or kubernetes',
  });
}

async function certificateLogin(
  { mountPath, name, secretName }: NonNullable<VaultAuth['clientCertificate']>,
  { read, connection }: LoginContext,
): Promise<VaultLogin> {
  return {
    method: 'exchange',
    url: `/${trimmed(mountPath || '/v1/auth/cert')}/login`,
    body: { name: name ?? '' },
    ...(secretName
      ? {
          connection: {
            ...connection,
            clientCertificate: await read({ name: secretName, key: dataKeys.certificate }),
            clientKey: await read({ name: secretName, key: dataKeys.privateKey }),
          },
        }
      : {}),
  };
}

/** A service account's token for this issuer alone, of the shortest life that the API gives. */
async function serviceAccountToken(
  issuer: Issuer,
  vault: VaultIssuer,
  { serviceAccountRef }: NonNullable<VaultAuth['kubernetes']>,
  { kube, namespace }: LoginContext,
): Promise<string> {
  const { name, audiences = [] } = serviceAccountRef!;
  const { metadata } = issuer;
  const audience = `vault://${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
  const answer = await kube.ask<{ status: { token: string } }>(
    resourcePath(serviceAccounts, { namespace, name, subresource: 'token' }),
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [...audiences, audience, vault.server], expirationSeconds: 600 },
    },
  );
  return answer.status.token;
}

function trimmed(path: string): string {
  return path.replace(/^\/+|\/+$/g, '');
}
