import type { Clock } from '../base/clock.ts';
import { describeError } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { apiVersion, type ConfigMap, configMaps } from '../kube/resource.ts';
import { type Bundle, type BundleStatus, bundles, fieldManager } from './bundle.ts';
import { type BundlePlan, decideAfterFailedWrite, type PlannedEvent } from './decide.ts';
import type { TargetApply } from './target.ts';

export interface Hands {
  kube: KubeClient;
  clock: Clock;
  log: Log;
  recorder: EventRecorder;
  /** Told what the server made of each write. */
  learn: { target: (target: ConfigMap) => void; bundle: (bundle: Bundle) => void };
}

/**
 * Carries out a plan: stale targets, then targets, then event and status.
 *
 * @throws what is to be tried again: a target or a status that could not be written, or the plan's own reason.
 */
export async function carryOut(bundle: Bundle, plan: BundlePlan, hands: Hands): Promise<void> {
  const { log } = hands;
  const about = { bundle: bundle.metadata.name };
  for (const released of plan.removals) {
    try {
      await remove(released, hands);
    } catch (error) {
      // A stale target harms less than a missing one: the rest goes on, and the next run tries again.
      const { namespace } = released.metadata;
      log.warn('a stale target was not cleaned', { ...about, namespace, reason: describeError(error) });
    }
  }
  for (const target of plan.writes) await write(bundle, target, hands);
  if (plan.event) await record(bundle, plan.event, hands);
  if (plan.status) await writeStatus(bundle, plan.status, hands);
  if (plan.event?.type === 'Normal') {
    log.info('synced a bundle', { ...about, targets: plan.writes.length, stale: plan.removals.length });
  }
  if (plan.retry) throw plan.retry;
}

async function write(bundle: Bundle, target: TargetApply, hands: Hands): Promise<void> {
  const { kube, clock, log, learn } = hands;
  const { namespace = '' } = target.metadata;
  try {
    learn.target(await kube.apply<ConfigMap>(configMaps, target, { manager: fieldManager }));
    log.debug('wrote a target', { bundle: bundle.metadata.name, namespace });
  } catch (error) {
    const { event, status } = decideAfterFailedWrite(bundle, namespace, error, clock.now());
    if (event) await record(bundle, event, hands);
    if (status) await writeStatus(bundle, status, hands);
    throw error;
  }
}

/** Takes the bundle out of a target, and the target away where nothing else is in it. */
async function remove(released: TargetApply, { kube }: Hands): Promise<void> {
  const left = await kube.apply<ConfigMap>(configMaps, released, { manager: fieldManager });
  if (Object.keys(left.data ?? {}).length > 0 || Object.keys(left.binaryData ?? {}).length > 0) return;
  const { name, namespace, uid = '' } = left.metadata;
  await kube.delete(configMaps, name, namespace, { uid });
}

function record(bundle: Bundle, { type, reason, message }: PlannedEvent, { recorder }: Hands): Promise<void> {
  return recorder.record(bundle, type, reason, message);
}

async function writeStatus(bundle: Bundle, status: BundleStatus, { kube, learn }: Hands): Promise<void> {
  const { name } = bundle.metadata;
  const object = { apiVersion: apiVersion(bundles), kind: bundles.kind, metadata: { name }, status };
  learn.bundle(await kube.apply<Bundle>(bundles, object, { manager: fieldManager, subresource: 'status' }));
}
