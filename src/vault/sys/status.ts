import type { Clock } from '../../base/clock.ts';
import { type Entropy, uuid } from '../../base/entropy.ts';
import type { Store } from '../../store/store.ts';
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

/** What a status path answers: outside the envelope, and to anyone. */
export interface StatusAnswer {
  status: number;
  body: Readonly<Record<string, unknown>> | undefined;
}

export interface StatusRequest {
  method: string;
  query: URLSearchParams;
}

type StatusPath = (request: StatusRequest) => StatusAnswer;

/** The paths that tell how the server is: probes and `vault status` read them before there is a token. */
export function statusPaths(cluster: Cluster, clock: Clock): Readonly<Record<string, StatusPath>> {
  return {
    'sys/health': (request) => health(request, cluster, clock),
    'sys/seal-status': onlyGet(() => sealStatus(cluster)),
    'sys/leader': onlyGet(leader),
    'sys/init': ({ method }) => {
      if (method === 'GET') return { status: 200, body: { initialized: true } };
      if (method !== 'PUT' && method !== 'POST') return notAllowed;
      return { status: 400, body: { errors: ['Vault is already initialized'] } };
    },
  };
}

const notAllowed: StatusAnswer = { status: 405, body: { errors: [] } };

function onlyGet(body: () => Record<string, unknown>): StatusPath {
  return ({ method }) => (method === 'GET' ? { status: 200, body: body() } : notAllowed);
}

/** An active, unsealed server: 200, or what the query has in its place. */
function health({ method, query }: StatusRequest, cluster: Cluster, clock: Clock): StatusAnswer {
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
  return {
    status: Number(query.get('activecode') ?? 200),
    body: {
      initialized: true,
      sealed: false,
      standby: false,
      performance_standby: false,
      replication_performance_mode: 'disabled',
      replication_dr_mode: 'disabled',
      server_time_utc: Math.floor(clock.now() / 1_000),
      version: vaultVersion,
      enterprise: false,
      cluster_name: cluster.name,
      cluster_id: cluster.id,
      echo_duration_ms: 0,
      clock_skew_ms: 0,
    },
  };
}

function sealStatus(cluster: Cluster): Record<string, unknown> {
  return {
    type: 'shamir',
    initialized: true,
    sealed: false,
    t: 1,
    n: 1,
    progress: 0,
    nonce: '',
    version: vaultVersion,
    build_date: '',
    migration: false,
    cluster_name: cluster.name,
    cluster_id: cluster.id,
    recovery_seal: false,
    storage_type: 'capstan',
  };
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
