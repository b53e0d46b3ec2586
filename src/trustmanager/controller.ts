import type { Clock } from '../base/clock.ts';
import { describeError } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { startController } from '../kube/controller.ts';
import { eventRecorder } from '../kube/event-recorder.ts';
import { type Informer, startInformer } from '../kube/informer.ts';
import type { KubeClient, ListOptions } from '../kube/kube-client.ts';
import {
  apiVersion,
  type ConfigMap,
  configMaps,
  type KubeObject,
  namespaces,
  type Resource,
  type Secret,
  secrets,
} from '../kube/resource.ts';
import { workQueue } from '../kube/work-queue.ts';
import { type Bundle, type BundleStatus, bundleLabel, bundles, fieldManager } from './bundle.ts';
import {
  type BundleFacts,
  type BundlePlan,
  decideAfterFailedWrite,
  decideBundle,
  type Namespace,
  type PlannedEvent,
} from './decide.ts';
import { sourceTakes } from './sources.ts';

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
  const log = options.log.with({ component: 'trust-manager' });
  const stop = new AbortController();
  const queue = workQueue({ clock });
  const recorder = eventRecorder({ client: kube, clock, component: 'bundles', log });

  const follow = <T extends KubeObject>(
    resource: Resource,
    onChange: (object: T | undefined, previous: T | undefined) => void,
    of: ListOptions = {},
  ): Informer<T> =>
    startInformer<T>({ client: kube, resource, options: of, clock, log, signal: stop.signal, onChange });

  const known = follow<Bundle>(bundles, (now, before) => queue.add((now ?? before)!.metadata.name));
  const addEach = (affected: (bundle: Bundle) => boolean) => {
    for (const bundle of known.list()) if (affected(bundle)) queue.add(bundle.metadata.name);
  };
  const addTakers = (kind: 'ConfigMap' | 'Secret') => (now?: KubeObject, before?: KubeObject) =>
    // What an object was decides too: it may have left a selector.
    addEach(({ spec }) =>
      spec.sources.some((source) =>
        [now, before].some((object) => object && sourceTakes(source, kind, object)),
      ),
    );
  const inTrustNamespace = { namespace: trustNamespace };
  const sources = {
    configMaps: follow<ConfigMap>(configMaps, addTakers('ConfigMap'), inTrustNamespace),
    secrets: follow<Secret>(secrets, addTakers('Secret'), inTrustNamespace),
  };
  const places = follow<Namespace>(namespaces, () => addEach(() => true));
  const labelled = (of: ListOptions) =>
    follow<ConfigMap>(
      configMaps,
      (now, before) => {
        for (const target of [now, before]) for (const name of ownersOf(target)) queue.add(name);
      },
      { ...of, labelSelector: bundleLabel },
    );
  const targets =
    targetNamespaces.length === 0
      ? [labelled({})]
      : targetNamespaces.map((namespace) => labelled({ namespace }));

  const factsOf = (bundle: Bundle): BundleFacts => ({
    bundle,
    trustNamespace,
    targetNamespaces,
    configMaps: sources.configMaps.list(),
    secrets: sources.secrets.list(),
    namespaces: places.list(),
    targets: targets.flatMap((informer) =>
      informer.list().filter(({ metadata }) => metadata.labels?.[bundleLabel] === bundle.metadata.name),
    ),
    filterExpired: options.filterExpired,
    filterNonCa: options.filterNonCa,
  });

  const act = actor(kube, clock, log, (bundle, event) =>
    recorder.record(bundle, event.type, event.reason, event.message),
  );
  const informers = [known, sources.configMaps, sources.secrets, places, ...targets];
  const synced = Promise.all(informers.map((informer) => informer.synced)).then(() =>
    startController({
      name: 'bundles',
      queue,
      clock,
      log,
      reconcile: async (name) => {
        const bundle = known.get(name);
        // The targets of a deleted Bundle go with it: they are owned by it.
        if (!bundle || bundle.metadata.deletionTimestamp !== undefined) return undefined;
        const plan = decideBundle(factsOf(bundle), clock.now());
        await act(bundle, plan);
        if (plan.againAtMs === undefined) return undefined;
        return { requeueAfterMs: plan.againAtMs - clock.now() };
      },
    }),
  );
  // Being closed before the first lists are in is no error.
  const controller = synced.catch(() => undefined);
  const working = synced.then(() => undefined);
  working.catch(() => {});

  return {
    synced: working,
    async close() {
      stop.abort();
      queue.close();
      await Promise.all(informers.map(({ stopped }) => stopped));
      await (await controller)?.close();
    },
  };
}

/** The Bundles that `target` names as its owner or by its label. */
function ownersOf(target: ConfigMap | undefined): string[] {
  if (!target) return [];
  const { labels = {}, ownerReferences = [] } = target.metadata;
  const label = labels[bundleLabel];
  return [
    ...ownerReferences.filter(({ kind }) => kind === bundles.kind).map(({ name }) => name),
    ...(label === undefined ? [] : [label]),
  ];
}

/** Carries out a plan: stale targets, then targets, then status and event; throws what is to be tried again. */
function actor(
  kube: KubeClient,
  clock: Clock,
  log: Log,
  record: (bundle: Bundle, event: PlannedEvent) => Promise<void>,
) {
  return async (bundle: Bundle, plan: BundlePlan): Promise<void> => {
    const about = { bundle: bundle.metadata.name };
    for (const { apply, uid } of plan.removals) {
      try {
        await remove(kube, apply, uid);
      } catch (error) {
        // A stale target harms less than a missing one: the rest goes on, and the next run tries again.
        log.warn('a stale target was not cleaned', {
          ...about,
          namespace: apply.metadata.namespace,
          reason: describeError(error),
        });
      }
    }
    for (const target of plan.writes) {
      const namespace = target.metadata.namespace!;
      try {
        await kube.apply(configMaps, target, { manager: fieldManager });
        log.debug('wrote a target', { ...about, namespace });
      } catch (error) {
        const failure = decideAfterFailedWrite(bundle, namespace, error, clock.now());
        if (failure.event) await record(bundle, failure.event);
        if (failure.status) await writeStatus(kube, bundle, failure.status);
        throw error;
      }
    }
    if (plan.event) await record(bundle, plan.event);
    if (plan.status) await writeStatus(kube, bundle, plan.status);
    if (plan.event?.type === 'Normal') {
      log.info('synced a bundle', { ...about, targets: plan.writes.length, stale: plan.removals.length });
    }
    if (plan.retry) throw plan.retry;
  };
}

async function remove(
  kube: KubeClient,
  apply: ConfigMap & Record<string, unknown>,
  uid?: string,
): Promise<void> {
  const left = await kube.apply<ConfigMap>(configMaps, apply, { manager: fieldManager });
  if (Object.keys(left.data ?? {}).length > 0 || Object.keys(left.binaryData ?? {}).length > 0) return;
  const { name, namespace } = apply.metadata;
  await kube.delete(configMaps, name, namespace, uid === undefined ? {} : { uid });
}

async function writeStatus(kube: KubeClient, bundle: Bundle, status: BundleStatus): Promise<void> {
  const { name } = bundle.metadata;
  const object = { apiVersion: apiVersion(bundles), kind: bundles.kind, metadata: { name }, status };
  await kube.apply(bundles, object, { manager: fieldManager, subresource: 'status' });
}
