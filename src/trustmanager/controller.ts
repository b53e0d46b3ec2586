import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { startController } from '../kube/controller.ts';
import { eventRecorder } from '../kube/event-recorder.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { workQueue } from '../kube/work-queue.ts';
import { carryOut, type Hands } from './act.ts';
import { BundleWatch } from './bundle-watch.ts';
import { decideBundle } from './decide.ts';

export interface TrustManagerOptions {
  kube: KubeClient;
  clock: Clock;
  log: Log;
  /** The one namespace that sources are read from. */
  trustNamespace?: string;
  /** Namespaces that may be written to; all where absent or empty. */
  targetNamespaces?: readonly string[];
  /** Leaves expired certificates out of every bundle. */
  filterExpired?: boolean;
  /** Leaves certificates out of every bundle that are no CA's. */
  filterNonCa?: boolean;
}

export interface TrustManager {
  /** Resolves once everything that decides is known and Bundles are being worked on. */
  synced: Promise<void>;
  close(): Promise<void>;
}

/** Keeps the targets of every Bundle in step with its sources. */
export async function startTrustManager(options: TrustManagerOptions): Promise<TrustManager> {
  const { kube, clock, trustNamespace = 'cert-manager', targetNamespaces = [] } = options;
  const { filterExpired, filterNonCa } = options;
  const log = options.log.with({ component: 'trust-manager' });
  const stop = new AbortController();
  const queue = workQueue({ clock });
  const watch = new BundleWatch({
    kube,
    clock,
    log,
    signal: stop.signal,
    trustNamespace,
    targetNamespaces,
    onAffected: (name) => queue.add(name),
  });
  const hands: Hands = {
    kube,
    clock,
    log,
    recorder: eventRecorder({ client: kube, clock, component: 'bundles', log }),
    learn: {
      target: (target) => watch.learnTarget(target),
      bundle: (bundle) => watch.learnBundle(bundle),
    },
  };

  async function reconcile(name: string) {
    const bundle = watch.bundle(name);
    // The targets of a deleted Bundle go with it: they are owned by it.
    if (!bundle || bundle.metadata.deletionTimestamp !== undefined) return undefined;
    const plan = decideBundle({ ...watch.facts(bundle), filterExpired, filterNonCa }, clock.now());
    await carryOut(bundle, plan, hands);
    return plan.againAtMs === undefined ? undefined : { requeueAfterMs: plan.againAtMs - clock.now() };
  }

  const started = watch.synced.then(() => startController({ name: 'bundles', queue, clock, log, reconcile }));
  const synced = started.then(() => undefined);
  // Being closed before the first lists are in is no error.
  synced.catch(() => {});
  return {
    synced,
    async close() {
      stop.abort();
      queue.close();
      await watch.stopped;
      await (await started.catch(() => undefined))?.close();
    },
  };
}
