import { type Clock, sleep } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { type Metrics, newMetrics } from '../base/metrics.ts';
import { type Following, following as followStore } from '../store/following.ts';
import { meteredStore } from '../store/metered.ts';
import type { Store } from '../store/store.ts';
import type { Dialer } from '../wire/dialer.ts';
import { httpClient } from '../wire/http-client.ts';
import { type Auditor, openAuditor } from './audit/auditor.ts';
import type { OpenSink } from './audit/sink.ts';
import { authMethods } from './auth/auth-methods.ts';
import { type PodFile, systemPodFile } from './auth/kubernetes/pod-file.ts';
import { type Core, core } from './core.ts';
import { type Cubbyhole, cubbyhole } from './cubbyhole/cubbyhole.ts';
import { cubbyholeRoutes } from './cubbyhole/cubbyhole-routes.ts';
import { ensureDevRoot } from './dev-root.ts';
import { leaseRoutes } from './lease/lease-routes.ts';
import { type Leases, LeaseTable } from './lease/leases.ts';
import { type KmsLibraries, type ManagedKeys, openManagedKeys } from './managed-keys/managed-keys.ts';
import { type InFlight, meteredCore } from './metered-core.ts';
import { fixedMount } from './mount/fixed-mount.ts';
import { leaseLimits } from './mount/mount.ts';
import { type Mounted, type Mounts, openMounts } from './mount/mounts.ts';
import { pkiEngine } from './pki/pki-engine.ts';
import { openPolicies, type Policies } from './policy/policies.ts';
import { limitedCore } from './quota/limited-core.ts';
import { openQuotas, type Quotas } from './quota/quotas.ts';
import { engine } from './routing/route.ts';
import { sealRoutes } from './seal/seal-routes.ts';
import { auditRoutes } from './sys/audit-routes.ts';
import { authRoutes } from './sys/auth-routes.ts';
import { capabilityRoutes } from './sys/capability-routes.ts';
import type { Diagnostics } from './sys/diagnostics.ts';
import { managedKeyRoutes } from './sys/managed-key-routes.ts';
import { mountRoutes } from './sys/mount-routes.ts';
import { operationRoutes } from './sys/operation-routes.ts';
import { policyRoutes } from './sys/policy-routes.ts';
import { quotaRoutes } from './sys/quota-routes.ts';
import { resultantAclRoutes } from './sys/resultant-acl.ts';
import { type Cluster, ensureCluster } from './sys/status.ts';
import type { SealControl, SysContext } from './sys/sys-context.ts';
import { rootTokenPlan } from './token/root-token.ts';
import { tokenRoles } from './token/token-roles.ts';
import { tokenRoutes } from './token/token-routes.ts';
import { openTokens, type Tokens } from './token/tokens.ts';
import { responseWrapper, type Wrapping } from './wrapping/wrapping.ts';
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
  ...managedKeyRoutes,
  ...leaseRoutes,
  ...wrappingRoutes,
];

/** What a server is given of the world around it. */
export interface VaultWorld {
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
  /** Ways to HSMs, for managed keys; none where absent. */
  kmsLibraries?: KmsLibraries;
  /** What Kubernetes tells the pod that this runs in; what this machine tells where absent. */
  podFile?: PodFile;
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

export interface OpenOptions extends VaultWorld {
  /** On a store that was never one's before: make it one, with this as a root token. */
  dev?: { rootToken: string };
  /** Given where something else follows the same store. */
  following?: Following;
  /** A server that is given none cannot be sealed. */
  seal?: SealControl;
}

/** A request waits so long for a database that is away: about as long as one takes to fail over. */
const patienceMs = 5_000;
const retryMs = 100;

/** Everything that answers requests. @throws Fault `vault.uninitialised`, `store.*` */
export async function openVault(options: OpenOptions): Promise<OpenVault> {
  const { clock, dev, metrics = newMetrics(() => clock.now()) } = options;
  const store = meteredStore(options.store, metrics);
  if (!dev && !(await store.get('core/cluster'))) {
    throw new Fault('this store holds no initialised Vault', {
      code: 'vault.uninitialised',
      blame: 'operator',
      fix: 'start it in dev mode, with a root token',
    });
  }
  const following = options.following ?? (await followStore(store));
  const around: Around = { ...options, store, metrics, following };
  const cluster = await ensureCluster(store, options.entropy);
  // The table of mounts and the paths that change it know each other.
  let mounts: Mounts;
  const parts = await openParts(around, () => mounts);
  const { tokens, leases, auditor, quotas } = parts;
  if (dev) await ensureDevRoot(store, tokens, clock, dev.rootToken);
  mounts = await openMountTable(around, parts, {
    mounts: () => mounts,
    inFlight: () => answering.inFlight(),
  });
  await leases.sweep();
  const nowMs = () => clock.now();
  const limited = limitedCore(core({ ...parts, mounts }), { quotas, auditor, nowMs });
  const answering = meteredCore(limited, metrics, nowMs);
  return {
    core: { handle: (request) => freshSoon(following, clock).then(() => answering.handle(request)) },
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

/** Other nodes may have changed what is about to be decided on, and have been answered: all of that is seen first. */
async function freshSoon(following: Following, clock: Clock): Promise<void> {
  const endMs = clock.now() + patienceMs;
  for (;;) {
    try {
      return await following.fresh();
    } catch (error) {
      const away = error instanceof Fault && error.code === 'store.unavailable';
      if (!away || clock.now() >= endMs) throw error;
    }
    await sleep(clock, retryMs);
  }
}

type Around = OpenOptions & { metrics: Metrics; following: Following };

/** What requests go through, and what the paths of mounts work on. */
interface Parts {
  policies: Policies;
  tokens: Tokens;
  leases: Leases;
  auditor: Auditor;
  quotas: Quotas;
  managedKeys: ManagedKeys;
  held: Cubbyhole;
  wrapping: Wrapping;
}

async function openParts(around: Around, mounts: () => Mounts): Promise<Parts> {
  const { store, following, clock } = around;
  // Tokens and leases end with each other.
  let leases: Leases | undefined;
  const tokens = await openTokens({ ...around, onLeasesDue: () => leases?.sweepSoon() });
  leases = new LeaseTable({
    ...around,
    tokens,
    revoke: async ({ path, internal }) => mounts().match(path)?.mounted.engine.revokeLease?.(internal),
  });
  const held = cubbyhole({ store, tokens });
  return {
    policies: await openPolicies(store, following),
    tokens,
    leases,
    auditor: await openAuditor(around),
    quotas: await openQuotas({ ...around, mountOf: (path) => mounts().match(path)?.mounted.mount.path }),
    managedKeys: await openManagedKeys({ ...around, mounts: () => mounts().all('secret') }),
    held,
    wrapping: responseWrapper({ tokens, held, clock }),
  };
}

/** What is known once all stands. */
interface Late {
  mounts: () => Mounts;
  inFlight: () => readonly InFlight[];
}

async function openMountTable(around: Around, parts: Parts, late: Late): Promise<Mounts> {
  const { tokens, leases, managedKeys } = parts;
  return openMounts({
    ...around,
    engines: {
      secret: { pki: pkiEngine({ ...around, managedKeys }) },
      auth: authMethods({
        ...around,
        tokens,
        connect: httpClient,
        podFile: around.podFile ?? systemPodFile,
        stands: (mount) => late.mounts().stands(mount),
      }),
    },
    onLeave: (path) => leases.revokeBelow(path, { force: true, later: false }),
    fixed: await fixedMounts(around, parts, late),
  });
}

/** What is always mounted. */
async function fixedMounts(around: Around, parts: Parts, { mounts, inFlight }: Late): Promise<Mounted[]> {
  const { seal } = around;
  const sys: SysContext = { ...around, ...parts, mounts, inFlight };
  const token = {
    ...around,
    ...parts,
    roles: tokenRoles(around.store),
    limits: () => leaseLimits(mounts().at('auth/token/')!),
    renewer: (path: string) => mounts().match(path)?.mounted.engine.renew,
  };
  return [
    {
      mount: await fixedMount(around, {
        path: 'sys/',
        type: 'system',
        description: 'system endpoints used for control, policy and debugging',
      }),
      engine: engine(seal ? [...systemRoutes, ...sealRoutes] : systemRoutes, sys),
    },
    {
      mount: await fixedMount(around, {
        path: 'cubbyhole/',
        type: 'cubbyhole',
        description: 'per-token private secret storage',
        local: true,
      }),
      engine: engine(cubbyholeRoutes, parts.held),
    },
    {
      mount: await fixedMount(around, {
        path: 'auth/token/',
        type: 'token',
        description: 'token based credentials',
      }),
      engine: engine(tokenRoutes, token),
    },
  ];
}
