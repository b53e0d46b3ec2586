import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { type Metrics, newMetrics } from '../base/metrics.ts';
import { type Following, following as followStore } from '../store/following.ts';
import { meteredStore } from '../store/metered.ts';
import type { Store } from '../store/store.ts';
import type { Dialer } from '../wire/dialer.ts';
import { httpClient } from '../wire/http-client.ts';
import { type ListenAddress, listen } from '../wire/http-server.ts';
import { openAuditor } from './audit/auditor.ts';
import type { OpenSink } from './audit/sink.ts';
import { authMethods } from './auth/auth-methods.ts';
import { type PodFile, systemPodFile } from './auth/kubernetes/pod-file.ts';
import { type Core, core } from './core.ts';
import { cubbyhole } from './cubbyhole/cubbyhole.ts';
import { cubbyholeRoutes } from './cubbyhole/cubbyhole-routes.ts';
import { ensureDevRoot } from './dev-root.ts';
import { vaultListener } from './http/vault-listener.ts';
import type { Lease } from './lease/lease.ts';
import { leaseRoutes } from './lease/lease-routes.ts';
import { type Leases, LeaseTable } from './lease/leases.ts';
import { meteredCore } from './metered-core.ts';
import { fixedMount } from './mount/fixed-mount.ts';
import { leaseLimits } from './mount/mount.ts';
import { type Mounts, openMounts } from './mount/mounts.ts';
import { pkiEngine } from './pki/pki-engine.ts';
import { openPolicies } from './policy/policies.ts';
import { limitedCore } from './quota/limited-core.ts';
import { openQuotas } from './quota/quotas.ts';
import { engine } from './routing/route.ts';
import { sealRoutes } from './seal/seal-routes.ts';
import { auditRoutes } from './sys/audit-routes.ts';
import { authRoutes } from './sys/auth-routes.ts';
import { capabilityRoutes } from './sys/capability-routes.ts';
import type { Diagnostics } from './sys/diagnostics.ts';
import { mountRoutes } from './sys/mount-routes.ts';
import { operationRoutes } from './sys/operation-routes.ts';
import { policyRoutes } from './sys/policy-routes.ts';
import { quotaRoutes } from './sys/quota-routes.ts';
import { resultantAclRoutes } from './sys/resultant-acl.ts';
import { type Cluster, ensureCluster, neverSealed, statusPaths } from './sys/status.ts';
import type { SealControl, SysContext } from './sys/sys-context.ts';
import { rootTokenPlan } from './token/root-token.ts';
import { tokenRoles } from './token/token-roles.ts';
import { tokenRoutes } from './token/token-routes.ts';
import { openTokens } from './token/tokens.ts';
import { responseWrapper } from './wrapping/wrapping.ts';
import { wrappingRoutes } from './wrapping/wrapping-routes.ts';

/** What is served below `sys/`, but for what needs no token (`statusPaths`). */
export const systemRoutes = [
  ...mountRoutes,
  ...authRoutes,
  ...policyRoutes,
  ...capabilityRoutes,
  ...resultantAclRoutes,
  ...auditRoutes,
  ...operationRoutes,
  ...quotaRoutes,
  ...leaseRoutes,
  ...wrappingRoutes,
];

export interface VaultOptions {
  /** Everything durable goes there; the caller has seen to its encryption, and closes it. */
  store: Store;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  /** Opens what audit devices write to. */
  openSink: OpenSink;
  /** How ACME's challenges are tried. */
  dialer: Dialer;
  /** Takes what the server counts and measures; where absent it is measured in whole milliseconds. */
  metrics?: Metrics;
  /** How it looks at its own process and machine; what asks for that is not served where absent. */
  diagnostics?: Diagnostics;
  listen: ListenAddress;
  /** What Kubernetes tells the pod that this runs in; what this machine tells where absent. */
  podFile?: PodFile;
  /** Start initialised and unsealed, with this as a root token: Vault's dev mode. */
  dev?: { rootToken: string };
}

export interface VaultServer {
  address: ListenAddress;
  /** Opens the logs of audit devices anew, where they were moved away. */
  reopenLogs(): Promise<void>;
  close(): Promise<void>;
}

/** A server without a wire, on a store that can be read. */
export interface OpenVault {
  core: Core;
  cluster: Cluster;
  /** Opens the logs of audit devices anew, where they were moved away. */
  reopenLogs(): Promise<void>;
  /** Makes `id` a root token. */
  issueRoot(id: string): Promise<void>;
  /** Ends what it does by itself; requests may still come. */
  close(): void;
}

export interface OpenOptions extends Omit<VaultOptions, 'listen'> {
  /** Given where something else follows the same store. */
  following?: Following;
  /** A server that is given none cannot be sealed. */
  seal?: SealControl;
}

/**
 * Starts a server that speaks Vault's API over plain HTTP. On a store that has been one's before it goes on where
 * that ended: mounts, policies, tokens, issuers, certificates.
 *
 * @throws Fault `vault.uninitialised`, `wire.listen.*`, `store.*`
 */
export async function startVault(options: VaultOptions): Promise<VaultServer> {
  const { clock, entropy, log } = options;
  const vault = await openVault(options);
  const status = statusPaths(() => neverSealed(vault.cluster), clock);
  const listening = await listen(vaultListener({ core: vault.core, status, entropy, log }), options.listen);
  log.info('vault listens', { ...listening.address });
  return {
    address: listening.address,
    reopenLogs: () => vault.reopenLogs(),
    async close() {
      await listening.close();
      vault.close();
    },
  };
}

/** Everything that answers requests. @throws Fault `vault.uninitialised`, `store.*` */
export async function openVault(options: OpenOptions): Promise<OpenVault> {
  const { clock, entropy, log, dev, seal, metrics = newMetrics(() => clock.now()) } = options;
  const store = meteredStore(options.store, metrics);
  if (!dev && !(await store.get('core/cluster'))) {
    throw new Fault('this store holds no initialised Vault', {
      code: 'vault.uninitialised',
      blame: 'operator',
      fix: 'start it in dev mode, with a root token',
    });
  }
  const following = options.following ?? (await followStore(store));
  const cluster = await ensureCluster(store, entropy);
  const policies = await openPolicies(store, following);
  // Tokens and leases end with each other.
  let leases: Leases | undefined;
  const tokens = await openTokens({ store, clock, entropy, log, onLeasesDue: () => leases?.sweepSoon() });
  if (dev) await ensureDevRoot(store, tokens, clock, dev.rootToken);

  const system = await fixedMount(options, {
    path: 'sys/',
    type: 'system',
    description: 'system endpoints used for control, policy and debugging',
  });
  const tokenMethod = await fixedMount(options, {
    path: 'auth/token/',
    type: 'token',
    description: 'token based credentials',
  });
  const cubbyholes = await fixedMount(options, {
    path: 'cubbyhole/',
    type: 'cubbyhole',
    description: 'per-token private secret storage',
    local: true,
  });
  // The table of mounts and the paths that change it know each other.
  let mounts: Mounts;
  const auditor = await openAuditor({
    store,
    following,
    clock,
    entropy,
    log,
    metrics,
    openSink: options.openSink,
  });
  const quotas = await openQuotas({
    store,
    following,
    clock,
    mountOf: (path) => mounts.match(path)?.mounted.mount.path,
  });
  leases = new LeaseTable({
    store,
    clock,
    entropy,
    log,
    tokens,
    revoke: (lease) => revokeLease(mounts, lease),
  });
  const held = cubbyhole({ store, tokens });
  const wrapping = responseWrapper({ tokens, held, clock });
  const sys: SysContext = {
    leases,
    wrapping,
    clock,
    log,
    auditor,
    quotas,
    metrics,
    inFlight: () => answering.inFlight(),
    ...(options.diagnostics ? { diagnostics: options.diagnostics } : {}),
    tokens,
    policies,
    mounts: () => mounts,
    ...(seal ? { seal } : {}),
  };
  const token = {
    tokens,
    roles: tokenRoles(store),
    policies,
    clock,
    log,
    limits: () => leaseLimits(mounts.at('auth/token/')!),
    renewer: (path: string) => mounts.match(path)?.mounted.engine.renew,
  };
  mounts = await openMounts({
    store,
    following,
    entropy,
    log,
    engines: {
      secret: { pki: pkiEngine({ store, clock, entropy, log, dialer: options.dialer }) },
      auth: authMethods({
        ...{ store, clock, entropy, log, tokens, connect: httpClient },
        podFile: options.podFile ?? systemPodFile,
        stands: (mount) => mounts.stands(mount),
      }),
    },
    onLeave: (path) => leases.revokeBelow(path, { force: true, later: false }),
    fixed: [
      {
        mount: system,
        engine: engine(seal ? [...systemRoutes, ...sealRoutes] : systemRoutes, sys),
      },
      { mount: cubbyholes, engine: engine(cubbyholeRoutes, held) },
      { mount: tokenMethod, engine: engine(tokenRoutes, token) },
    ],
  });
  await leases.sweep();
  const nowMs = () => clock.now();
  const whole = core({ tokens, policies, mounts, auditor, leases, wrapping });
  const answering = meteredCore(limitedCore(whole, { quotas, auditor, nowMs }), metrics, nowMs);
  return {
    core: {
      // Other nodes may have changed what is about to be decided on, and have been answered.
      handle: (request) => following.fresh().then(() => answering.handle(request)),
    },
    cluster,
    reopenLogs: () => auditor.reopen(),
    async issueRoot(id) {
      await tokens.create(rootTokenPlan(clock.now()), id);
    },
    close() {
      mounts.close();
      tokens.close();
      leases.close();
      auditor.close();
    },
  };
}

async function revokeLease(
  mounts: Mounts,
  { path, internal }: Pick<Lease, 'path' | 'internal'>,
): Promise<void> {
  await mounts.match(path)?.mounted.engine.revokeLease?.(internal);
}
