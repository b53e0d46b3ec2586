import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type Informer, startInformer } from '../kube/informer.ts';
import type { KubeClient, ListOptions } from '../kube/kube-client.ts';
import {
  type ConfigMap,
  configMaps,
  type KubeObject,
  namespaces,
  type Resource,
  type Secret,
  secrets,
} from '../kube/resource.ts';
import { type Bundle, bundleLabel, bundles } from './bundle.ts';
import type { BundleFacts, Namespace } from './decide.ts';
import { sourceTakes } from './sources.ts';

export interface BundleWatchOptions {
  kube: KubeClient;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  trustNamespace: string;
  targetNamespaces: readonly string[];
  /** Told the name of each Bundle that something has changed for. */
  onAffected: (bundle: string) => void;
}

type ChangeHandler<T> = (now: T | undefined, before: T | undefined) => void;

/** Everything that decides about Bundles, kept up to date. */
export class BundleWatch {
  /** Resolves once all of it is known. */
  readonly synced: Promise<void>;
  readonly stopped: Promise<void>;
  readonly #options: BundleWatchOptions;
  readonly #bundles: Informer<Bundle>;
  readonly #namespaces: Informer<Namespace>;
  readonly #configMaps: Informer<ConfigMap>;
  readonly #secrets: Informer<Secret>;
  readonly #targets: readonly Informer<ConfigMap>[];

  constructor(options: BundleWatchOptions) {
    this.#options = options;
    const { trustNamespace, targetNamespaces, onAffected } = options;
    const inTrustNamespace = { namespace: trustNamespace };
    this.#bundles = this.#follow<Bundle>(bundles, (now, before) =>
      onAffected((now ?? before)!.metadata.name),
    );
    this.#namespaces = this.#follow<Namespace>(namespaces, () => this.#affectEach(() => true));
    this.#configMaps = this.#follow(configMaps, this.#affectTakers('ConfigMap'), inTrustNamespace);
    this.#secrets = this.#follow(secrets, this.#affectTakers('Secret'), inTrustNamespace);
    const places =
      targetNamespaces.length === 0 ? [{}] : targetNamespaces.map((namespace) => ({ namespace }));
    this.#targets = places.map((place) =>
      this.#follow<ConfigMap>(
        configMaps,
        (now, before) => {
          for (const target of [now, before]) for (const name of ownersOf(target)) onAffected(name);
        },
        { ...place, labelSelector: bundleLabel },
      ),
    );
    const all = [this.#bundles, this.#namespaces, this.#configMaps, this.#secrets, ...this.#targets];
    this.synced = Promise.all(all.map(({ synced }) => synced)).then(() => undefined);
    this.stopped = Promise.all(all.map(({ stopped }) => stopped)).then(() => undefined);
  }

  bundle(name: string): Bundle | undefined {
    return this.#bundles.get(name);
  }

  facts(bundle: Bundle): BundleFacts {
    const { trustNamespace, targetNamespaces } = this.#options;
    return {
      bundle,
      trustNamespace,
      targetNamespaces,
      configMaps: this.#configMaps.list(),
      secrets: this.#secrets.list(),
      namespaces: this.#namespaces.list(),
      targets: this.#targets.flatMap((informer) =>
        informer.list().filter(({ metadata }) => metadata.labels?.[bundleLabel] === bundle.metadata.name),
      ),
    };
  }

  /** The server's answer to a target that was written. */
  learnTarget(target: ConfigMap): void {
    const { namespace } = target.metadata;
    const { targetNamespaces } = this.#options;
    const index = targetNamespaces.length === 0 ? 0 : targetNamespaces.indexOf(namespace ?? '');
    this.#targets[index]?.learn(target);
  }

  /** The server's answer to a status that was written. */
  learnBundle(bundle: Bundle): void {
    this.#bundles.learn(bundle);
  }

  #follow<T extends KubeObject>(
    resource: Resource,
    onChange: ChangeHandler<T>,
    options: ListOptions = {},
  ): Informer<T> {
    const { kube: client, clock, log, signal } = this.#options;
    return startInformer<T>({ client, resource, options, clock, log, signal, onChange });
  }

  #affectEach(affected: (bundle: Bundle) => boolean): void {
    for (const bundle of this.#bundles.list()) {
      if (affected(bundle)) this.#options.onAffected(bundle.metadata.name);
    }
  }

  #affectTakers(kind: 'ConfigMap' | 'Secret'): ChangeHandler<KubeObject> {
    return (now, before) =>
      // What an object was decides too: it may have left a selector.
      this.#affectEach(({ spec }) =>
        spec.sources.some((source) =>
          [now, before].some((object) => object !== undefined && sourceTakes(source, kind, object)),
        ),
      );
  }
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
