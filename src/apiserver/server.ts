import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import type { Store } from '../store/store.ts';
import { formatAddress, type ListenAddress, type Listening, listen } from '../wire/http-server.ts';
import { authenticator } from './authentication.ts';
import { anyOf, grantAuthorizer } from './authorization.ts';
import { builtInGrants } from './built-in-grants.ts';
import { ClusterCertificates, type Credentials, kubeconfigText, leafLifetimeMs } from './certificates.ts';
import { CustomResources } from './custom-resources.ts';
import { startEventExpiry } from './event-expiry.ts';
import { GarbageCollector } from './garbage-collector.ts';
import { NamespaceDefaults } from './namespace-defaults.ts';
import { NamespaceLifecycle } from './namespace-lifecycle.ts';
import { ObjectStore } from './object-store.ts';
import { Registry } from './registry.ts';
import { resourceRoutes } from './resource-routes.ts';
import { ResourceTypes } from './resource-type.ts';
import { roleAuthorizer } from './role-authorizer.ts';
import { requestListener } from './routes.ts';
import { Tokens } from './tokens.ts';

export interface ApiServerOptions {
  /** Where the cluster is kept. Secrets are encrypted at rest where this store is an encrypted one. */
  store: Store;
  /** Product time: creation times, ages, tokens' lifetimes. */
  clock: Clock;
  entropy: Entropy;
  log: Log;
  listen: ListenAddress;
  /**
   * The time that clients live by: dates of the server's and clients' certificates, deadlines of watches, the age of
   * watch history. `clock` where absent.
   */
  certificateClock?: Clock;
}

export interface ApiServer {
  address: ListenAddress;
  /** The cluster's CA, PEM. */
  ca: string;
  /** A client certificate of the cluster's CA, valid for a year. */
  clientCredentials(user: string, groups: readonly string[]): Promise<Credentials>;
  /** A kubeconfig that holds everything `user` needs; keep it as secret as a key. */
  kubeconfig(user: string, groups: readonly string[]): Promise<string>;
  /** Ends watches, lets requests under way finish, stops the controllers. The store stays open. */
  close(): Promise<void>;
}

/**
 * Starts the Kubernetes API over `store`, with the controllers without which it would not be one: namespaces,
 * definitions, garbage collection, default accounts.
 *
 * @throws Fault `wire.listen.*`, `store.*`, `apiserver.ca.incomplete`
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock, entropy, log, certificateClock = clock } = options;
  const certificates = await ClusterCertificates.open(store, { clock: certificateClock, entropy });
  const objects = await ObjectStore.open(store, certificateClock);
  const types = new ResourceTypes();
  const registry = new Registry({ objects, clock, entropy });
  const tokens = new Tokens({ key: certificates.serviceAccountKey, clock, entropy, objects });
  const authorizer = anyOf(grantAuthorizer(builtInGrants), roleAuthorizer(objects));
  const stop = new AbortController();
  const stopControllers = await startControllers({ registry, types, log, certificates });
  const signal = stop.signal;
  const resources = resourceRoutes({
    registry,
    types,
    tokens,
    authorizer,
    clientClock: certificateClock,
    signal,
  });
  const address = () => formatAddress(reachable(listening.address));
  const listener = requestListener({
    types,
    tokens,
    authenticate: authenticator(tokens),
    authorizer,
    resources,
    address,
    log,
  });
  const listening = await listenSecurely({ ...options, certificates, certificateClock }, listener);
  return {
    address: listening.address,
    ca: certificates.authority,
    clientCredentials: (user, groups) => certificates.client(user, groups),
    async kubeconfig(user, groups) {
      const credentials = await certificates.client(user, groups);
      return kubeconfigText(`https://${address()}`, certificates.authority, user, credentials);
    },
    async close() {
      stop.abort();
      stopControllers();
      await listening.close();
    },
  };
}

interface ControllerOptions {
  registry: Registry;
  types: ResourceTypes;
  log: Log;
  certificates: ClusterCertificates;
}

/** Starts what keeps the cluster in order by itself; the answer stops it. */
async function startControllers({
  registry,
  types,
  log,
  certificates,
}: ControllerOptions): Promise<() => void> {
  const { objects, clock } = registry;
  const certificateAuthority = certificates.authority;
  const stops = [
    // Definitions first: the others ask which kinds there are.
    await new CustomResources({ registry, types, log }).start(),
    new NamespaceLifecycle({ registry, types, log }).start(),
    new GarbageCollector({ registry, types, log }).start(),
    await new NamespaceDefaults({ registry, types, certificateAuthority, log }).start(),
    startEventExpiry({ objects, clock, log }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

interface SecureListenOptions {
  listen: ListenAddress;
  log: Log;
  certificates: ClusterCertificates;
  certificateClock: Clock;
}

/** HTTPS under a certificate of the cluster's CA, which is exchanged long before it ends. */
async function listenSecurely(
  { listen: wanted, log, certificates, certificateClock }: SecureListenOptions,
  listener: RequestListener,
): Promise<Listening> {
  const identity = async () => {
    const { certificate, key } = await certificates.server([wanted.host]);
    return { cert: certificate, key, ca: certificates.authority };
  };
  const server = createServer(
    {
      ...(await identity()),
      minVersion: 'TLSv1.2',
      // Whoever has no certificate may have a token, so it is asked for and judged later.
      requestCert: true,
      rejectUnauthorized: false,
    },
    listener,
  );
  const listening = await listen(server, wanted);
  // A client that speaks no TLS, or hangs up in the middle of it, is its own problem.
  server.on('tlsClientError', (error) =>
    log.debug('a TLS handshake failed', { error: describeError(error) }),
  );
  let cancel = () => {};
  const renew = async () => {
    try {
      server.setSecureContext(await identity());
    } catch (error) {
      log.error('the serving certificate could not be renewed', { error: describeError(error) });
    }
    schedule();
  };
  const schedule = () => {
    cancel = certificateClock.after((leafLifetimeMs * 2) / 3, () => void renew());
  };
  schedule();
  return {
    address: listening.address,
    close(graceMs) {
      cancel();
      return listening.close(graceMs);
    },
  };
}

/** Where a client on the same machine finds a server that listens everywhere. */
function reachable({ host, port }: ListenAddress): ListenAddress {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return host === '::' ? { host: '::1', port } : { host, port };
}
