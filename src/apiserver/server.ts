import { createServer } from 'node:https';
import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import type { Store } from '../store/store.ts';
import { formatAddress, type ListenAddress, listen } from '../wire/http-server.ts';
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

  const controllers = [
    await new CustomResources({ registry, types, log }).start(),
    new NamespaceLifecycle({ registry, types, log }).start(),
    new GarbageCollector({ registry, types, log }).start(),
    await new NamespaceDefaults({
      registry,
      types,
      certificateAuthority: certificates.authority,
      log,
    }).start(),
    startEventExpiry({ objects, clock, log }),
  ];

  const resources = resourceRoutes({
    registry,
    types,
    tokens,
    authorizer,
    clientClock: certificateClock,
    signal: stop.signal,
  });
  const address = () => formatAddress(reachable(listening.address));
  const serving = await certificates.server([options.listen.host]);
  const server = createServer(
    {
      cert: serving.certificate,
      key: serving.key,
      ca: certificates.authority,
      minVersion: 'TLSv1.2',
      // Whoever has no certificate may have a token, so it is asked for and judged later.
      requestCert: true,
      rejectUnauthorized: false,
    },
    requestListener({
      types,
      tokens,
      authenticate: authenticator(tokens),
      authorizer,
      resources,
      address,
      log,
    }),
  );
  const listening = await listen(server, options.listen);
  // A client that speaks no TLS, or hangs up in the middle of it, is its own problem.
  server.on('tlsClientError', (error) =>
    log.debug('a TLS handshake failed', { error: describeError(error) }),
  );

  const renew = (): (() => void) =>
    certificateClock.after((leafLifetimeMs * 2) / 3, async () => {
      const fresh = await certificates.server([options.listen.host]);
      server.setSecureContext({ cert: fresh.certificate, key: fresh.key, ca: certificates.authority });
      cancelRenewal = renew();
    });
  let cancelRenewal = renew();

  return {
    address: listening.address,
    ca: certificates.authority,
    clientCredentials: (user, groups) => certificates.client(user, groups),
    async kubeconfig(user, groups) {
      const credentials = await certificates.client(user, groups);
      return kubeconfigText(`https://${address()}`, certificates.authority, user, credentials);
    },
    async close() {
      cancelRenewal();
      stop.abort();
      for (const stopController of controllers) stopController();
      await listening.close();
    },
  };
}

/** Where a client on the same machine finds a server that listens everywhere. */
function reachable({ host, port }: ListenAddress): ListenAddress {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return host === '::' ? { host: '::1', port } : { host, port };
}
