import { parseObject, rfc3339, type StoredObject } from './api-object.ts';
import type { ResourceType } from './resource-type.ts';
import { qualifiedResource } from './status-errors.ts';

/** What of one kind a terminating namespace still holds. */
export interface Remaining {
  type: ResourceType;
  objects: readonly StoredObject[];
}

interface NamespaceCondition {
  type: string;
  status: 'True' | 'False';
  lastTransitionTime?: string;
  reason: string;
  message: string;
}

/** A terminating namespace's status with upstream's five conditions, which tell why it is still there. */
export function withDeletionConditions(
  status: unknown,
  remaining: readonly Remaining[],
  nowMs: number,
): Record<string, unknown> {
  const before = (status ?? {}) as { conditions?: NamespaceCondition[] };
  const conditions = deletionConditions(remaining).map((condition) => {
    const old = before.conditions?.find(({ type }) => type === condition.type);
    const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : rfc3339(nowMs);
    return { lastTransitionTime, ...condition };
  });
  return { ...before, conditions, phase: 'Terminating' };
}

function deletionConditions(remaining: readonly Remaining[]): NamespaceCondition[] {
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    {
      type: 'NamespaceDeletionContentFailure',
      status: 'False',
      reason: 'ContentDeleted',
      message: 'All content successfully deleted, may be waiting on finalization',
    },
    contentRemaining(remaining),
    finalizersRemaining(remaining),
  ];
}

function contentRemaining(remaining: readonly Remaining[]): NamespaceCondition {
  const type = 'NamespaceContentRemaining';
  if (remaining.length === 0) {
    const message = 'All content successfully removed';
    return { type, status: 'False', reason: 'ContentRemoved', message };
  }
  const parts = remaining.map(
    ({ type, objects }) => `${dotted(type)} has ${objects.length} resource instances`,
  );
  const message = `Some resources are remaining: ${parts.toSorted().join(', ')}`;
  return { type, status: 'True', reason: 'SomeResourcesRemain', message };
}

function dotted(type: ResourceType): string {
  return type.group === '' ? `${type.plural}.` : qualifiedResource(type);
}

function finalizersRemaining(remaining: readonly Remaining[]): NamespaceCondition {
  const type = 'NamespaceFinalizersRemaining';
  const counts = new Map<string, number>();
  for (const stored of remaining.flatMap(({ objects }) => objects)) {
    for (const finalizer of parseObject(stored).metadata.finalizers ?? []) {
      counts.set(finalizer, (counts.get(finalizer) ?? 0) + 1);
    }
  }
  if (counts.size === 0) {
    const message = 'All content-preserving finalizers finished';
    return { type, status: 'False', reason: 'ContentHasNoFinalizers', message };
  }
  const parts = [...counts].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`);
  const message = `Some content in the namespace has finalizers remaining: ${parts.toSorted().join(', ')}`;
  return { type, status: 'True', reason: 'SomeFinalizersRemain', message };
}
