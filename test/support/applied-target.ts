import type { ConfigMap } from '../../src/kube/resource.ts';
import type { TargetApply } from '../../src/trustmanager/target.ts';

interface Entry {
  manager: string;
  operation: string;
  fieldsV1: { 'f:data': Record<string, object> };
}

/**
 * A Bundle's target as a server stores it after trust-manager's apply: trust-manager owns what it applies and loses
 * what it no longer does; another manager's key stays.
 */
export function appliedTarget(
  live: ConfigMap | undefined,
  apply: TargetApply,
  more: Partial<ConfigMap['metadata']> = {},
): ConfigMap {
  const before = ((live?.metadata.managedFields ?? []) as Entry[]).filter(
    ({ manager }) => manager === 'trust-manager',
  );
  const ours = new Set(before.flatMap(({ fieldsV1 }) => Object.keys(fieldsV1['f:data'])));
  const kept = Object.entries(live?.data ?? {}).filter(([key]) => !ours.has(`f:${key}`));
  const owned = Object.fromEntries(Object.keys(apply.data ?? {}).map((key) => [`f:${key}`, {}]));
  const entries: Entry[] = [
    { manager: 'trust-manager', operation: 'Apply', fieldsV1: { 'f:data': owned } },
    { manager: 'kubectl', operation: 'Update', fieldsV1: { 'f:data': { 'f:other': {} } } },
  ];
  return {
    ...apply,
    metadata: {
      ...apply.metadata,
      uid: `uid-${apply.metadata.namespace}`,
      managedFields: entries,
      ...more,
    },
    data: { ...Object.fromEntries(kept), ...apply.data },
  };
}
