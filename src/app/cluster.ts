import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
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
  const { store, clock, certificateClock, entropy, log, listen } = options;
  const api = await startApiServer({
    store,
    clock,
    certificateClock,
    entropy,
    log: log.with({ room: 'apiserver' }),
    listen,
  });
  writeKubeconfig(options.kubeconfig, await api.kubeconfig('kubernetes-admin', ['system:masters']));
  const clients: KubeClient[] = [];
  const clientOf = async (namespace: string, serviceAccount: string): Promise<KubeClient> => {
    const user = `system:serviceaccount:${namespace}:${serviceAccount}`;
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
    const client = kubeClient(readKubeconfig(await api.kubeconfig(user, groups)), {
      userAgent: serviceAccount,
    });
    clients.push(client);
    return client;
  };
  const installer = kubeClient(readKubeconfig(await api.kubeconfig('capstan', ['system:masters'])), {
    userAgent: 'capstan',
  });
  clients.push(installer);
  await installDefinitions(installer, [...certManagerDefinitions(), ...trustManagerDefinitions()], {
    manager: 'capstan',
    clock: certificateClock,
    signal: options.signal,
  });
  const room = (name: string) => ({ clock, entropy, log: log.with({ room: name }) });
  const [certManager, trustManager, identity] = await Promise.all([
    startCertManager({
      ...room('certmanager'),
      kube: await clientOf('cert-manager', 'cert-manager'),
      http: httpClient,
      clusterResourceNamespace: 'cert-manager',
    }),
    startTrustManager({
      ...room('trustmanager'),
      kube: await clientOf('cert-manager', 'trust-manager'),
      trustNamespace: controlNamespace,
    }),
    startIdentity({
      ...room('identity'),
      kube: await clientOf(controlNamespace, 'linkerd-identity'),
      listen: options.identityListen,
      tls: true,
      controlNamespace,
      trustDomain,
      issuanceLifetimeMs: dayMs,
      clockSkewMs: 20 * secondMs,
    }),
  ]);
  return {
    api: `https://${formatAddress(api.address)}`,
    identity: formatAddress(identity.address),
    identityName: `linkerd-identity.${controlNamespace}.serviceaccount.identity.${controlNamespace}.${trustDomain}`,
    async close() {
      await Promise.all([certManager.close(), trustManager.close(), identity.close()]);
      for (const client of clients) client.close();
      await api.close();
      await store.close();
    },
  };
}

function writeKubeconfig(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, content, { mode: 0o600 });
  chmodSync(path, 0o600);
}
