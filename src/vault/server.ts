import type { Clock } from '../base/clock.ts';
import { type Entropy, uuid } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import type { Store } from '../store/store.ts';
import { type ListenAddress, listen } from '../wire/http-server.ts';
import { core } from './core.ts';
import { ensureDevRoot } from './dev-root.ts';
import { vaultListener } from './http/vault-listener.ts';
import type { Mount } from './mount/mount.ts';
import { accessorOf, type Mounts, openMounts } from './mount/mounts.ts';
import { pkiEngine } from './pki/pki-engine.ts';
import { openPolicies } from './policy/policies.ts';
import { engine } from './routing/route.ts';
import { capabilityRoutes } from './sys/capability-routes.ts';
import { mountRoutes } from './sys/mount-routes.ts';
import { policyRoutes } from './sys/policy-routes.ts';
import { ensureCluster, statusPaths } from './sys/status.ts';
import type { SysContext } from './sys/sys-context.ts';
import { systemLease } from './token/lifetime.ts';
import { tokenRoutes } from './token/token-routes.ts';
import { openTokens } from './token/tokens.ts';

/** What is served below `sys/`, but for what needs no token (`statusPaths`). */
export const systemRoutes = [...mountRoutes, ...policyRoutes, ...capabilityRoutes];

export interface VaultOptions {
  /** Everything durable goes there; the caller has seen to its encryption, and closes it. */
  store: Store;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  listen: ListenAddress;
  /** Start initialised and unsealed, with this as a root token: Vault's dev mode. */
  dev?: { rootToken: string };
}

export interface VaultServer {
  address: ListenAddress;
  close(): Promise<void>;
}

/**
 * Starts a server that speaks Vault's API over plain HTTP. On a store that has been one's before it goes on where
 * that ended: mounts, policies, tokens, issuers, certificates.
 *
 * @throws Fault `vault.uninitialised`, `wire.listen.*`, `store.*`
 */
export async function startVault(options: VaultOptions): Promise<VaultServer> {
  const { store, clock, entropy, log, dev } = options;
  if (!dev && !(await store.get('core/cluster'))) {
    throw new Fault('this store holds no initialised Vault', {
      code: 'vault.uninitialised',
      blame: 'operator',
      fix: 'start it in dev mode, with a root token',
    });
  }
  const cluster = await ensureCluster(store, entropy);
  const policies = await openPolicies(store);
  const tokens = await openTokens({ store, clock, entropy, log });
  if (dev) await ensureDevRoot(store, tokens, clock, dev.rootToken);

  const fixed = {
    secret: [
      await fixedMount(options, 'sys/', 'system', 'system endpoints used for control, policy and debugging'),
    ],
    auth: [await fixedMount(options, 'token/', 'token', 'token based credentials')],
  };
  // The table of mounts and the paths that change it know each other.
  let mounts: Mounts;
  const sys: SysContext = { tokens, policies, mounts: () => mounts, fixed };
  const token = { tokens, policies, clock, limits: () => systemLease };
  mounts = await openMounts({
    store,
    entropy,
    log,
    engines: { pki: pkiEngine({ store, clock, entropy }) },
    fixed: [
      {
        mount: fixed.secret[0]!,
        engine: engine(systemRoutes, sys),
      },
      { mount: { ...fixed.auth[0]!, path: 'auth/token/' }, engine: engine(tokenRoutes, token) },
    ],
  });
  const status = statusPaths(cluster, clock);
  const listener = vaultListener({ core: core({ tokens, policies, mounts }), status, entropy, log });
  const listening = await listen(listener, options.listen);
  log.info('vault listens', { ...listening.address });
  return {
    address: listening.address,
    async close() {
      await listening.close();
      tokens.close();
    },
  };
}

/** A mount that is always there; its names stay the same from start to start. */
async function fixedMount(
  { store, entropy }: VaultOptions,
  path: string,
  type: string,
  description: string,
): Promise<Mount> {
  const key = `core/fixed-mount/${type}`;
  const found = await store.get(key);
  if (found) return JSON.parse(found.value.toString()) as Mount;
  const mount: Mount = {
    uuid: uuid(entropy),
    path,
    type,
    description,
    accessor: accessorOf(type === 'token' ? 'auth_token' : type, entropy),
    defaultLeaseTtlMs: 0,
    maxLeaseTtlMs: 0,
    forceNoCache: false,
    listingVisibility: '',
    options: null,
    local: false,
    sealWrap: false,
  };
  await store.commit({ puts: [{ key, value: Buffer.from(JSON.stringify(mount)) }] });
  return mount;
}
