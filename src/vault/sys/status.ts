import type { Clock } from '../../base/clock.ts';
import { type Entropy, uuid } from '../../base/entropy.ts';
import type { Store } from '../../store/store.ts';
import type { RawFields } from '../routing/fields.ts';
import { vaultVersion } from '../version.ts';

/** Who this server is, for as long as its store lives. */
export interface Cluster {
  name: string;
  id: string;
}

const clusterKey = 'core/cluster';

export async function ensureCluster(store: Store, entropy: Entropy): Promise<Cluster> {
  const found = await store.get(clusterKey);
  if (found) return JSON.parse(found.value.toString()) as Cluster;
  const cluster = { name: `vault-cluster-${entropy.bytes(4).toString('hex')}`, id: uuid(entropy) };
  await store.commit({
    expect: [{ key: clusterKey, revision: 0 }],
    puts: [{ key: clusterKey, value: Buffer.from(JSON.stringify(cluster)) }],
  });
  return cluster;
}

/** How a server is sealed, and how far it is unsealed. */
export interface SealState {
  /** `shamir`, or the system that unseals in people's place. */
  type: string;
  /** Whether the shares are of a recovery key, and unseal nothing by themselves. */
  recovery: boolean;
  initialized: boolean;
  /** Whether what it was sealed by is to be left for another kind of seal. */
  migrating: boolean;
  sealed: boolean;
  /** Into how many shares the unseal key was split, and how many of them unseal. */
  shares: number;
  threshold: number;
  /** How many have been given, and the name of that attempt. */
  progress: number;
  nonce: string;
  /** Known once it is unsealed. */
  cluster: Cluster | undefined;
}

/** A server in dev mode, whose only share nobody was ever given. */
export function neverSealed(cluster: Cluster): SealState {
  return {
    ...{ type: 'shamir', recovery: false, initialized: true, migrating: false, sealed: false },
    ...{ shares: 1, threshold: 1, progress: 0, nonce: '', cluster },
  };
}

/** What a status path answers: outside the envelope, and to anyone. */
export interface StatusAnswer {
  status: number;
  body: Readonly<Record<string, unknown>> | undefined;
}

export interface StatusRequest {
  method: string;
  query: URLSearchParams;
  /** The body's parameters. @throws Fault `vault.request.invalid` where they cannot be read */
  fields: () => RawFields;
}

export type StatusPath = (request: StatusRequest) => StatusAnswer | Promise<StatusAnswer>;

/** The paths that tell how the server is: probes and `vault status` read them before there is a token. */
export function statusPaths(
  state: () => SealState | Promise<SealState>,
  clock: Clock,
): Readonly<Record<string, StatusPath>> {
  return {
    'sys/health': async (request) => health(request, await state(), clock),
    'sys/seal-status': onlyGet(async () => sealStatus(await state())),
    'sys/leader': onlyGet(leader),
    'sys/init': ({ method }) => {
      if (method === 'GET') return { status: 200, body: { initialized: true } };
      if (method !== 'PUT' && method !== 'POST') return notAllowed;
      return { status: 400, body: { errors: ['Vault is already initialized'] } };
    },
  };
}

export const notAllowed: StatusAnswer = { status: 405, body: { errors: [] } };

function onlyGet(body: () => Record<string, unknown> | Promise<Record<string, unknown>>): StatusPath {
  return async ({ method }) => (method === 'GET' ? { status: 200, body: await body() } : notAllowed);
}

/** 200 for an unsealed server, 503 for a sealed one, 501 for one to be initialised, or what the query has instead. */
function health({ method, query }: StatusRequest, state: SealState, clock: Clock): StatusAnswer {
  if (method !== 'GET' && method !== 'HEAD') return notAllowed;
  const codes = [
    'activecode',
    'standbycode',
    'sealedcode',
    'uninitcode',
    'drsecondarycode',
    'performancestandbycode',
  ];
  for (const name of codes) {
    const text = query.get(name);
    if (text !== null && !/^[1-9]\d\d$/.test(text)) return { status: 400, body: { errors: [] } };
  }
  const { initialized, sealed, cluster } = state;
  // A server that does not know its peers yet stands by, as far as Vault can tell.
  const replication = sealed ? 'unknown' : 'disabled';
  return {
    status: healthCode(state, query),
    body: {
      initialized,
      sealed,
      standby: sealed,
      performance_standby: false,
      replication_performance_mode: replication,
      replication_dr_mode: replication,
      server_time_utc: Math.floor(clock.now() / 1_000),
      version: vaultVersion,
      enterprise: false,
      ...named(cluster),
      echo_duration_ms: 0,
      clock_skew_ms: 0,
    },
  };
}

function healthCode({ initialized, sealed }: SealState, query: URLSearchParams): number {
  if (!initialized) return Number(query.get('uninitcode') ?? 501);
  if (sealed) return Number(query.get('sealedcode') ?? 503);
  return Number(query.get('activecode') ?? 200);
}

/** The answer of `sys/seal-status`, and of `sys/unseal`. */
export function sealStatus(state: SealState): Record<string, unknown> {
  return {
    type: state.type,
    initialized: state.initialized,
    sealed: state.sealed,
    t: state.threshold,
    n: state.shares,
    progress: state.progress,
    nonce: state.nonce,
    version: vaultVersion,
    build_date: '',
    migration: state.migrating,
    ...named(state.cluster),
    recovery_seal: state.recovery,
    ...(state.recovery ? { recovery_seal_type: 'shamir' } : {}),
    storage_type: 'capstan',
  };
}

function named(cluster: Cluster | undefined) {
  return cluster && { cluster_name: cluster.name, cluster_id: cluster.id };
}

function leader(): Record<string, unknown> {
  return {
    ha_enabled: false,
    is_self: false,
    active_time: '0001-01-01T00:00:00Z',
    leader_address: '',
    leader_cluster_address: '',
    performance_standby: false,
    performance_standby_last_remote_wal: 0,
  };
}
