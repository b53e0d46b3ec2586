import type { Clock } from '../base/clock.ts';
import type { SecretText } from '../base/secret.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { CaClient } from './ca-client.ts';
import type { ClusterReady } from './processes.ts';
import type { Workloads } from './workloads.ts';

/** What the steps of the main job see and share. */
export interface World {
  clock: Clock;
  signal: AbortSignal;
  workloads: Workloads;
  /** The CA as its root token's holder; there once the first step has started it. */
  readonly ca: CaClient;
  /** The Kubernetes API as its administrator; there once the second step has started the cluster. */
  readonly kube: KubeClient;
  readonly cluster: ClusterReady;
  /** The token for cert-manager between its making and the Secret that keeps it. */
  issuerToken?: SecretText;
  /** The trust anchor, PEM. */
  root?: string;
}
