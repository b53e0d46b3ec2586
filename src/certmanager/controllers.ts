import type { Clock } from '../base/clock.ts';
import { minuteMs, secondMs } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { type Controller, type ControllerOptions, startController } from '../kube/controller.ts';
import { type EventRecorder, eventRecorder } from '../kube/event-recorder.ts';
import { keyOf } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { type WorkQueue, workQueue } from '../kube/work-queue.ts';
import { type Caches, startCaches } from './caches.ts';
import { certificateReconciler } from './certificate-reconciler.ts';
import { connectionPool } from './connection-pool.ts';
import { credentialWatch } from './credential-watch.ts';
import { issuerReconciler } from './issuer-reconciler.ts';
import { clusterIssuers } from './kinds.ts';
import { requestReconciler } from './request-reconciler.ts';
import type { HttpClientFactory } from './vault-client.ts';
import { credentialNamespace, secretsOf } from './vault-credentials.ts';

export interface CertManagerOptions {
  kube: KubeClient;
  /** Rules every decision about certificates: renewal, backoff, expiry. */
  clock: Clock;
  entropy: Entropy;
  log: Log;
  /** Makes the connections to CAs. */
  http: HttpClientFactory;
  /** Where the Secrets of ClusterIssuers are. */
  clusterResourceNamespace?: string;
  /** Whether every CertificateRequest for our issuers is approved here; false leaves that to an approver. */
  approves?: boolean;
}

export interface CertManager {
  /** Ends every watch and waits for what is under way. */
  close(): Promise<void>;
}

type Work = [name: string, queue: WorkQueue, reconcile: ControllerOptions['reconcile']];

/** How many objects of each kind are worked on at once. */
const concurrency = 5;

/**
 * Starts the controllers of Certificate, CertificateRequest, Issuer and ClusterIssuer: one reconciler for each kind,
 * so that nobody else writes an object's status. Resolves once they are started; work begins when the caches are
 * complete, however long the API server or the definitions take to appear.
 */
export async function startCertManager(options: CertManagerOptions): Promise<CertManager> {
  const { kube, clock, entropy, log, clusterResourceNamespace = 'cert-manager', approves = true } = options;
  const ending = new AbortController();
  const certificateQueue = workQueue({ clock, initialBackoffMs: secondMs, maxBackoffMs: 30 * secondMs });
  const requestQueue = workQueue({ clock, initialBackoffMs: 5 * secondMs, maxBackoffMs: 5 * minuteMs });
  const issuerQueue = workQueue({ clock, initialBackoffMs: 5 * secondMs, maxBackoffMs: 5 * minuteMs });
  const connections = connectionPool(options.http);
  const signing = { kube, connect: connections.connect, clusterResourceNamespace };
  const recorders = recorderOf(options);

  const credentials = credentialWatch({ client: kube, clock, log, onChange: credentialChanged });
  const caches: Caches = startCaches(
    { kube, clock, entropy, log, signal: ending.signal },
    {
      certificate: (key) => certificateQueue.add(key),
      request: (key, urgent) => {
        if (urgent) requests.wake(key);
        requestQueue.add(key);
      },
      issuer: (key) => issuerQueue.add(key),
      issuersChanged: () => credentials.follow(credentialKeys()),
    },
  );
  const requests = requestReconciler({
    ...signing,
    clock,
    log,
    approves,
    requestOf: caches.requestOf,
    issuerOf: caches.issuerNamed,
    tell: (request, { type, reason, message, by }) =>
      void recorders(`certificaterequests-${by}`).record(request, type, reason, message),
  });

  /** Issuer keys by the Secrets that they read. */
  function credentialKeys(): Set<string> {
    return new Set(caches.allIssuers().flatMap(credentialKeysOf));
  }

  function credentialKeysOf(issuer: ReturnType<Caches['allIssuers']>[number]): string[] {
    const namespace = credentialNamespace(issuer, clusterResourceNamespace);
    return secretsOf(issuer).map((name) => `${namespace}/${name}`);
  }

  function credentialChanged(secretKey: string): void {
    for (const issuer of caches.allIssuers()) {
      if (!credentialKeysOf(issuer).includes(secretKey)) continue;
      issuerQueue.add(keyOf(issuer.metadata));
      caches.wakeDependents(keyOf(issuer.metadata));
    }
  }

  const reconcilers: [
    string,
    WorkQueue,
    (key: string) => Promise<{ requeueAfterMs?: number | undefined }>,
  ][] = [
    [
      'certificates',
      certificateQueue,
      certificateReconciler({
        kube,
        clock,
        entropy,
        log,
        factsOf: caches.factsOf,
        tell: (certificate, { type, reason, message, by }) =>
          void recorders(`certificates-${by}`).record(certificate, type, reason, message),
      }),
    ],
    ['certificaterequests', requestQueue, requests.reconcile],
    [
      'issuers',
      issuerQueue,
      issuerReconciler({
        ...signing,
        clock,
        log,
        issuerOf: caches.issuerOf,
        tell: (issuer, { reason, message }) =>
          void recorders(issuer.kind === clusterIssuers.kind ? 'clusterissuers' : 'issuers').record(
            issuer,
            'Warning',
            reason,
            message,
          ),
      }),
    ],
  ];
  const running = startWhenSynced(caches, work, options);
  return {
    async close() {
      ending.abort();
      credentials.close();
      for (const [, queue] of work) queue.close();
      // Requests to CAs end with their connections, so that nothing waits for a CA that does not answer.
      connections.close();
      await Promise.all((await running).map((controller) => controller.close()));
    },
  };
}

async function startWhenSynced(
  caches: Caches,
  reconcilers: readonly [
    string,
    WorkQueue,
    (key: string) => Promise<{ requeueAfterMs?: number | undefined }>,
  ][],
  { clock, log }: CertManagerOptions,
): Promise<Controller[]> {
  try {
    await caches.synced;
  } catch (error) {
    // Closed before the API server ever answered.
    if (error instanceof Fault && error.code === 'kube.informer.stopped') return [];
    log.error('certificate controllers did not start', { reason: describeError(error) });
    return [];
  }
  return work.map(([name, queue, reconcile]) =>
    startController({ name, queue, reconcile, clock, log, concurrency }),
  );
}

/** One recorder for each component, named as upstream's are. */
function recorderOf({ kube, clock, log }: CertManagerOptions): (work: string) => EventRecorder {
  const recorders = new Map<string, EventRecorder>();
  return (work) => {
    const component = `cert-manager-${work}`;
    const recorder = recorders.get(component) ?? eventRecorder({ client: kube, clock, component, log });
    recorders.set(component, recorder);
    return recorder;
  };
}
