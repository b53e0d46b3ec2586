import type { Condition } from '../kube/resource.ts';

export interface ConditionChange {
  type: string;
  status: Condition['status'];
  reason: string;
  message: string;
  observedGeneration?: number | undefined;
}

interface Conditioned {
  status?: { conditions?: readonly Condition[] };
}

export function conditionOf(object: Conditioned, type: string): Condition | undefined {
  return object.status?.conditions?.find((condition) => condition.type === type);
}

export function hasCondition(object: Conditioned, type: string, status: Condition['status']): boolean {
  return conditionOf(object, type)?.status === status;
}

/**
 * `conditions` with one of them set. lastTransitionTime moves only when the status does, as the API conventions
 * want it; reason and message may change without it.
 */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  change: ConditionChange,
  nowMs: number,
): Condition[] {
  const { observedGeneration, ...rest } = change;
  const before = conditions?.find(({ type }) => type === change.type);
  const next: Condition = {
    lastTransitionTime:
      before?.status === change.status && before.lastTransitionTime !== undefined
        ? before.lastTransitionTime
        : rfc3339(nowMs),
    ...rest,
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
  };
  return before
    ? conditions!.map((condition) => (condition === before ? next : condition))
    : [...(conditions ?? []), next];
}

export function withoutCondition(conditions: readonly Condition[] | undefined, type: string): Condition[] {
  return (conditions ?? []).filter((condition) => condition.type !== type);
}

/** A time as the API writes it: UTC, whole seconds, rounded down. */
export function rfc3339(epochMs: number): string {
  return `${new Date(Math.floor(epochMs / 1_000) * 1_000).toISOString().slice(0, 19)}Z`;
}

/** Epoch milliseconds of a time that the API wrote; undefined for what is absent or no time. */
export function epochMs(time: string | undefined): number | undefined {
  if (time === undefined) return undefined;
  const parsed = Date.parse(time);
  return Number.isNaN(parsed) ? undefined : parsed;
}
