import type { Clock } from '../base/clock.ts';
import { minuteMs, secondMs } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { type Controller, type ControllerOptions, startController } from '../kube/controller.ts';
import { type EventRecorder, eventRecorder } from '../kube/event-recorder.ts';
import { keyOf } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { type WorkQueue, workQueue } from '../kube/work-queue.ts';
import { Caches } from './caches.ts';
import { CertificateReconciler } from './certificate-reconciler.ts';
import { connectionPool } from './connection-pool.ts';
import { credentialWatch } from './credential-watch.ts';
import { issuerReconciler } from './issuer-reconciler.ts';
import type { Issuer } from './kinds.ts';
import { type RequestReconciler, requestReconciler } from './request-reconciler.ts';
import type { SigningContext } from './signing.ts';
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

/** How many objects of each kind are worked on at once. */
const concurrency = 5;

/**
 * Starts the controllers of Certificate, CertificateRequest, Issuer and ClusterIssuer: one reconciler for each kind,
 * so that nobody else writes an object's status. Resolves once they are started; work begins when the caches are
 * complete, however long the API server or the definitions take to appear.
 */
export async function startCertManager(options: CertManagerOptions): Promise<CertManager> {
  const { kube, clock, entropy, log, clusterResourceNamespace = 'cert-manager' } = options;
  const ending = new AbortController();
  const connections = connectionPool(options.http);
  const queues: Queues = {
    certificates: workQueue({ clock, initialBackoffMs: secondMs, maxBackoffMs: 30 * secondMs }),
    requests: workQueue({ clock, initialBackoffMs: 5 * secondMs, maxBackoffMs: 5 * minuteMs }),
    issuers: workQueue({ clock, initialBackoffMs: 5 * secondMs, maxBackoffMs: 5 * minuteMs }),
  };
  const secretKeys = (issuer: Issuer) =>
    secretsOf(issuer).map((name) => `${credentialNamespace(issuer, clusterResourceNamespace)}/${name}`);
  const credentials = credentialWatch({
    client: kube,
    clock,
    log,
    onChange(secretKey) {
      for (const issuer of caches.allIssuers()) {
        if (secretKeys(issuer).includes(secretKey)) queues.issuers.add(keyOf(issuer.metadata));
      }
    },
  });
  const caches: Caches = new Caches(
    { kube, clock, entropy, log, signal: ending.signal },
    {
      certificate: (key) => queues.certificates.add(key),
      request(key, urgent) {
        if (urgent) reconcilers.requests.wake(key);
        queues.requests.add(key);
      },
      issuer: (key) => queues.issuers.add(key),
      issuersChanged: () => credentials.follow(new Set(caches.allIssuers().flatMap(secretKeys))),
    },
  );
  const signing = { kube, connect: connections.connect, clusterResourceNamespace };
  const reconcilers = reconcilersOf(options, caches, signing);
  const running = startWhenSynced(caches, queues, reconcilers, options);
  return {
    async close() {
      ending.abort();
      credentials.close();
      for (const queue of Object.values(queues)) queue.close();
      // Requests to CAs end with their connections, so that nothing waits for a CA that does not answer.
      connections.close();
      await Promise.all((await running).map((controller) => controller.close()));
    },
  };
}

interface Queues {
  certificates: WorkQueue;
  requests: WorkQueue;
  issuers: WorkQueue;
}

interface Reconcilers {
  certificates: ControllerOptions['reconcile'];
  requests: RequestReconciler;
  issuers: ControllerOptions['reconcile'];
}

function reconcilersOf(options: CertManagerOptions, caches: Caches, signing: SigningContext): Reconcilers {
  const { kube, clock, entropy, log, approves = true } = options;
  const recorder = recorderOf(options);
  const certificates = new CertificateReconciler({
    kube,
    clock,
    entropy,
    log,
    factsOf: (key) => caches.factsOf(key),
    tell: (certificate, { type, reason, message, by }) =>
      void recorder(`certificates-${by}`).record(certificate, type, reason, message),
  });
  return {
    certificates: (key) => certificates.reconcile(key),
    requests: requestReconciler({
      ...signing,
      clock,
      log,
      approves,
      requestOf: (key) => caches.requestOf(key),
      issuerOf: (reference, namespace) => caches.issuerNamed(reference, namespace),
      tell: (request, { type, reason, message, by }) =>
        void recorder(`certificaterequests-${by}`).record(request, type, reason, message),
    }),
    issuers: issuerReconciler({
      ...signing,
      clock,
      log,
      issuerOf: (key) => caches.issuerOf(key),
      tell: (issuer, { reason, message }) =>
        void recorder(`${issuer.kind.toLowerCase()}s`).record(issuer, 'Warning', reason, message),
    }),
  };
}

async function startWhenSynced(
  caches: Caches,
  queues: Queues,
  reconcilers: Reconcilers,
  { clock, log }: CertManagerOptions,
): Promise<Controller[]> {
  try {
    await caches.synced;
  } catch (error) {
    // Closed before the API server ever answered.
    log.info('certificate controllers were closed before they began', { reason: describeError(error) });
    return [];
  }
  const start = (name: keyof Queues, reconcile: ControllerOptions['reconcile']) =>
    startController({ name, queue: queues[name], reconcile, clock, log, concurrency });
  return [
    start('certificates', reconcilers.certificates),
    start('requests', reconcilers.requests.reconcile),
    start('issuers', reconcilers.issuers),
  ];
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
