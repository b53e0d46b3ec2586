import { describeError, Fault } from '../base/fault.ts';
import { type LabelMatcher, labelMatcher } from '../kube/label-selector.ts';
import type { Condition, ConfigMap, KubeObject } from '../kube/resource.ts';
import type { Bundle, BundleStatus } from './bundle.ts';
import { gatherSources, type SourceObjects } from './sources.ts';
import { isControlledBy, isInStep, releasedTarget, type TargetApply, targetOf } from './target.ts';
import { type TrustPool, trustPool } from './trust-pool.ts';
import { bundleErrors } from './validation.ts';

export interface Namespace extends KubeObject {
  status?: { phase?: string };
}

/** Everything that decides what becomes of a Bundle. */
export interface BundleFacts extends SourceObjects {
  bundle: Bundle;
  namespaces: readonly Namespace[];
  /** The ConfigMaps that bear the Bundle's label, in any namespace. */
  targets: readonly ConfigMap[];
  /** Namespaces that may be written to; all where absent or empty. */
  targetNamespaces?: readonly string[] | undefined;
  /** Leaves expired certificates out. */
  filterExpired?: boolean | undefined;
  /** Leaves certificates out that are no CA's. */
  filterNonCa?: boolean | undefined;
}

export interface PlannedEvent {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** What to do about a Bundle: targets first, then the status. */
export interface BundlePlan {
  /** The desired bundle; absent where it cannot be told, and then no target is touched. */
  pem?: string;
  writes: readonly TargetApply[];
  /** Targets that are none any more: to be applied like this, and deleted where nothing is left in them. */
  removals: readonly TargetApply[];
  /** Absent where the status says so already. */
  status?: BundleStatus;
  event?: PlannedEvent;
  /** Set where it is worth trying again without a change to wait for. */
  retry?: Fault;
  /** When, in epoch ms, time alone changes the plan. */
  againAtMs?: number;
}

const nothing = { writes: [], removals: [] };

/** The plan for one Bundle at the time `nowMs`. A failed source leaves every target at its last good content. */
export function decideBundle(facts: BundleFacts, nowMs: number): BundlePlan {
  const { bundle } = facts;
  const refused = refusal(bundle);
  if (refused) return failed(bundle, refused, nowMs);

  const pool = trustPool({
    ...(facts.filterExpired ? { unexpiredAtMs: nowMs } : {}),
    authoritiesOnly: facts.filterNonCa ?? false,
  });
  try {
    gatherSources(pool, bundle.spec.sources, facts);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return failedSource(bundle, error, nowMs);
  }

  const disabled = unwritable(bundle);
  if (disabled) return failed(bundle, disabled, nowMs);

  return distribution(facts, pool, nowMs);
}

/** The plan for what was to be written when `error` kept the target in `namespace` from being written. */
export function decideAfterFailedWrite(
  bundle: Bundle,
  namespace: string,
  error: unknown,
  nowMs: number,
): Pick<BundlePlan, 'status' | 'event'> {
  const why = `failed to patch ConfigMap ${namespace}/${bundle.metadata.name}: ${describeError(error)}`;
  const reason = 'SyncConfigMapTargetFailed';
  return {
    ...conditionToWrite(
      bundle,
      {
        status: 'False',
        reason,
        message: `Failed to sync bundle ConfigMap to namespace ${JSON.stringify(namespace)}: ${why}`,
      },
      nowMs,
    ),
    event: {
      type: 'Warning',
      reason,
      message: `Failed to sync target ConfigMap in Namespace ${JSON.stringify(namespace)}: ${why}`,
    },
  };
}

interface Problem {
  reason: string;
  message: string;
}

/** A spec that admission should not have let in. */
function refusal(bundle: Bundle): Problem | undefined {
  const errors = bundleErrors(bundle);
  return errors.length === 0
    ? undefined
    : { reason: 'InvalidBundle', message: `Bundle is not valid: ${errors.join(', ')}` };
}

/** What the spec asks for and this controller does not write. */
function unwritable({ spec: { target = {} } }: Bundle): Problem | undefined {
  if (target.secret) {
    return {
      reason: 'SecretTargetsDisabled',
      message: 'Bundle has Secret targets but the feature is disabled',
    };
  }
  const formats = Object.keys(target.additionalFormats ?? {});
  if (formats.length > 0) {
    return {
      reason: 'AdditionalFormatsDisabled',
      message: `Bundle asks for additional formats (${formats.join(', ')}), but only PEM is written`,
    };
  }
  return undefined;
}

function failedSource(bundle: Bundle, fault: Fault, nowMs: number): BundlePlan {
  if (fault.code === 'trustmanager.source.missing') {
    const message = `Bundle source was not found: ${fault.message}`;
    return failed(bundle, { reason: 'SourceNotFound', message }, nowMs);
  }
  const message = `Failed to build bundle sources: ${fault.message}`;
  return { ...failed(bundle, { reason: 'SourceBuildError', message }, nowMs), retry: fault };
}

function failed(bundle: Bundle, problem: Problem, nowMs: number): BundlePlan {
  return {
    ...nothing,
    ...conditionToWrite(bundle, { status: 'False', ...problem }, nowMs),
    event: { type: 'Warning', ...problem },
  };
}

function distribution(facts: BundleFacts, pool: TrustPool, nowMs: number): BundlePlan {
  const { bundle, targets } = facts;
  const { configMap: template, namespaceSelector = {} } = bundle.spec.target ?? {};
  const selector = labelMatcher(namespaceSelector);
  const pem = pool.pem();
  // A Bundle without a target is in step with nothing, and keeps no old targets either.
  const chosen = new Set(template ? chosenNamespaces(facts, selector) : []);
  const isTarget = ({ metadata }: ConfigMap) =>
    metadata.name === bundle.metadata.name && chosen.has(metadata.namespace!);
  const existing = new Map(targets.filter(isTarget).map((target) => [target.metadata.namespace, target]));
  const writes = [...chosen]
    .map((namespace) => targetOf(bundle, namespace, template!, pem))
    .filter((wanted) => {
      const target = existing.get(wanted.metadata.namespace);
      return !target || !isInStep(target, wanted, bundle);
    });
  const removals = targets
    .filter(
      (target) =>
        !isTarget(target) &&
        target.metadata.deletionTimestamp === undefined &&
        isControlledBy(target, bundle),
    )
    .map(releasedTarget);

  const message = syncedMessage(selector, (facts.targetNamespaces ?? []).length > 0);
  const { status } = conditionToWrite(bundle, { status: 'True', reason: 'Synced', message }, nowMs);
  const nextExpiryMs = facts.filterExpired
    ? Math.min(...pool.certificates().map(({ notAfter }) => notAfter))
    : Number.POSITIVE_INFINITY;
  return {
    pem,
    writes,
    removals,
    ...(status ? { status } : {}),
    ...(status || writes.length > 0 ? { event: { type: 'Normal', reason: 'Synced', message } } : {}),
    // A certificate is left out from the moment after its notAfter.
    ...(Number.isFinite(nextExpiryMs) ? { againAtMs: nextExpiryMs + 1 } : {}),
  };
}

function chosenNamespaces({ namespaces, targetNamespaces }: BundleFacts, selector: LabelMatcher): string[] {
  const allowed = targetNamespaces?.length ? new Set(targetNamespaces) : undefined;
  return namespaces
    .filter(
      ({ metadata, status }) =>
        status?.phase !== 'Terminating' &&
        selector.matches(metadata.labels) &&
        (allowed?.has(metadata.name) ?? true),
    )
    .map(({ metadata }) => metadata.name);
}

function syncedMessage({ empty, text }: LabelMatcher, limited: boolean): string {
  if (empty) return `Successfully synced Bundle to all ${limited ? 'allowed ' : ''}namespaces`;
  return `Successfully synced Bundle to ${limited ? 'allowed ' : ''}namespaces that match this label selector: ${text}`;
}

/** The status that holds `said`; none where the Bundle's own says it already. */
function conditionToWrite(
  { metadata, status = {} }: Bundle,
  said: { status: 'True' | 'False'; reason: string; message: string },
  nowMs: number,
): { status?: BundleStatus } {
  const before = status.conditions?.find(({ type }) => type === 'Synced');
  const observedGeneration = metadata.generation ?? 0;
  if (
    before?.status === said.status &&
    before.reason === said.reason &&
    before.message === said.message &&
    before.observedGeneration === observedGeneration
  ) {
    return {};
  }
  const since = before?.status === said.status ? before.lastTransitionTime : undefined;
  const condition: Condition = {
    type: 'Synced',
    ...said,
    lastTransitionTime: since ?? new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    observedGeneration,
  };
  return {
    status: {
      conditions: [condition],
      ...(status.defaultCAVersion === undefined ? {} : { defaultCAVersion: status.defaultCAVersion }),
    },
  };
}
