import { chmodSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { startApiServer } from '../apiserver/server.ts';
import type { Clock } from '../base/clock.ts';
import { dayMs, secondMs } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import type { Log } from '../base/log.ts';
import { startCertManager } from '../certmanager/controllers.ts';
import { certManagerDefinitions } from '../certmanager/definitions.ts';
import { startIdentity } from '../identity/server.ts';
import { kubeClient } from '../kube/http-kube-client.ts';
import { installDefinitions } from '../kube/install-definitions.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { readKubeconfig } from '../kube/kubeconfig.ts';
import type { Store } from '../store/store.ts';
import { startTrustManager } from '../trustmanager/controller.ts';
import { trustManagerDefinitions } from '../trustmanager/definitions.ts';
import { httpClient } from '../wire/http-client.ts';
import { formatAddress, type ListenAddress } from '../wire/http-server.ts';
import { makePrivateFolder } from './private-folder.ts';

export interface ClusterOptions {
  store: Store;
  clock: Clock;
  /** What Go and OpenSSL clients judge the API server's certificates by: the machine's own clock. */
  certificateClock: Clock;
  entropy: Entropy;
  log: Log;
  listen: ListenAddress;
  identityListen: ListenAddress;
  /** Where the administrator's kubeconfig is written, mode 0600. */
  kubeconfig: string;
  /** Gives up a start under way. */
  signal: AbortSignal;
}

export interface Cluster {
  api: string;
  identity: string;
  identityName: string;
  close(): Promise<void>;
}

const controlNamespace = 'linkerd';
const trustDomain = 'cluster.local';

/**
 * The cluster of the main job in one process: the Kubernetes API and, as its clients over HTTPS like any others,
 * the two controllers and identity. Each could run elsewhere (`capstan controller`, `capstan identity`).
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  // Undone in the reverse order: on request, or at once where the rest does not start.
  const started = new AsyncDisposableStack();
  started.defer(() => options.store.close());
  try {
    const addresses = await startParts(options, started);
    return { ...addresses, close: () => started.disposeAsync() };
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
}

async function startParts(
  options: ClusterOptions,
  started: AsyncDisposableStack,
): Promise<Omit<Cluster, 'close'>> {
  const { store, clock, certificateClock, entropy, log, listen } = options;
  const room = (name: string) => ({ clock, entropy, log: log.with({ room: name }) });
  makePrivateFolder(dirname(options.kubeconfig));
  const api = await startApiServer({ ...room('apiserver'), store, certificateClock, listen });
  started.defer(() => api.close());
  writeKubeconfig(options.kubeconfig, await api.kubeconfig('kubernetes-admin', ['system:masters']));
  const clientAs = async (
    userAgent: string,
    user: string,
    groups: readonly string[],
  ): Promise<KubeClient> => {
    const client = kubeClient(readKubeconfig(await api.kubeconfig(user, groups)), { userAgent });
    started.defer(() => client.close());
    return client;
  };
  const clientOf = (namespace: string, serviceAccount: string) =>
    clientAs(serviceAccount, `system:serviceaccount:${namespace}:${serviceAccount}`, [
      'system:serviceaccounts',
      `system:serviceaccounts:${namespace}`,
    ]);
  const installer = await clientAs('capstan', 'capstan', ['system:masters']);
  await installDefinitions(installer, [...certManagerDefinitions(), ...trustManagerDefinitions()], {
    manager: 'capstan',
    clock: certificateClock,
    signal: options.signal,
  });
  const certManager = await startCertManager({
    ...room('certmanager'),
    kube: await clientOf('cert-manager', 'cert-manager'),
    http: httpClient,
    clusterResourceNamespace: 'cert-manager',
  });
  started.defer(() => certManager.close());
  const trustManager = await startTrustManager({
    ...room('trustmanager'),
    kube: await clientOf('cert-manager', 'trust-manager'),
    trustNamespace: controlNamespace,
  });
  started.defer(() => trustManager.close());
  const identity = await startIdentity({
    ...room('identity'),
    kube: await clientOf(controlNamespace, 'linkerd-identity'),
    listen: options.identityListen,
    tls: true,
    controlNamespace,
    trustDomain,
    issuanceLifetimeMs: dayMs,
    clockSkewMs: 20 * secondMs,
  });
  started.defer(() => identity.close());
  return {
    api: `https://${formatAddress(api.address)}`,
    identity: formatAddress(identity.address),
    identityName: identity.name,
  };
}

function writeKubeconfig(path: string, content: string): void {
  writeFileSync(path, content, { mode: 0o600 });
  chmodSync(path, 0o600);
}
