import { type Clock, sleep } from '../base/clock.ts';
import { describeError } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { type Informer, startInformer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import {
  type ConfigMap,
  configMaps,
  type KubeObject,
  type Resource,
  type Secret,
  secrets,
} from '../kube/resource.ts';
import type { Offer } from './issuer-keeper.ts';

export interface IssuerSourceOptions {
  kube: KubeClient;
  clock: Clock;
  log: Log;
  namespace: string;
  secret: string;
  configMap: string;
  resyncMs: number;
  signal: AbortSignal;
  /** Told what there is now, on every change and at every resync. */
  onOffer(offer: Offer): void;
}

/**
 * Follows the one Secret and the one ConfigMap by watch, and reads both anew every `resyncMs` past the watch: a
 * change that the watch did not tell of is found then at the latest.
 */
export function issuerSource(options: IssuerSourceOptions): {
  synced: Promise<void>;
  stopped: Promise<void>;
} {
  const { kube, clock, log, namespace, signal } = options;
  let seen: Offer = { issuer: undefined, roots: undefined };
  /** Counts what the watches told, so that an answer that was overtaken by them is not taken for news. */
  let changes = 0;
  let both = false;

  function take(part: Partial<Offer>): void {
    seen = { ...seen, ...part };
    if (both) options.onOffer(seen);
  }
  function follow<T extends KubeObject>(
    resource: Resource,
    name: string,
    onChange: (object: T | undefined) => void,
  ): Informer<T> {
    return startInformer<T>({
      ...{ client: kube, resource, clock, log, signal },
      options: { namespace, fieldSelector: `metadata.name=${name}` },
      onChange: (object) => {
        changes++;
        onChange(object);
      },
    });
  }
  const issuer = follow<Secret>(secrets, options.secret, (object) => take({ issuer: object }));
  const roots = follow<ConfigMap>(configMaps, options.configMap, (object) => take({ roots: object }));

  async function resync(): Promise<void> {
    while (!signal.aborted) {
      await sleep(clock, options.resyncMs, signal);
      if (signal.aborted) return;
      const before = changes;
      try {
        const [secret, configMap] = await Promise.all([
          kube.get<Secret>(secrets, options.secret, namespace),
          kube.get<ConfigMap>(configMaps, options.configMap, namespace),
        ]);
        if (changes === before) take({ issuer: secret, roots: configMap });
      } catch (error) {
        log.warn('the issuer could not be read anew', { reason: describeError(error) });
      }
    }
  }

  return {
    synced: Promise.all([issuer.synced, roots.synced]).then(() => {
      both = true;
      take({});
    }),
    stopped: Promise.all([issuer.stopped, roots.stopped, resync()]).then(() => {}),
  };
}
