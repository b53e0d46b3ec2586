import { type ApiObject, rfc3339 } from './api-object.ts';
import type { PrinterColumn } from './resource-type.ts';

/** Holds a definition until all objects of its kind are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

export interface DefinitionNames {
  plural: string;
  singular?: string;
  kind: string;
  listKind?: string;
  shortNames?: string[];
  categories?: string[];
}

export interface DefinitionVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: Record<string, unknown> };
  subresources?: { status?: unknown; scale?: Record<string, string> };
  additionalPrinterColumns?: PrinterColumn[];
  selectableFields?: { jsonPath: string }[];
}

export interface DefinitionSpec {
  group: string;
  scope: 'Namespaced' | 'Cluster';
  names: DefinitionNames;
  versions: DefinitionVersion[];
}

interface DefinitionCondition {
  type: string;
  status: 'True' | 'False';
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
}

export interface DefinitionStatus {
  conditions?: DefinitionCondition[];
  acceptedNames?: DefinitionNames;
  storedVersions?: string[];
}

export function specOf(definition: ApiObject): DefinitionSpec {
  return definition['spec'] as DefinitionSpec;
}

export function statusOfDefinition(definition: ApiObject): DefinitionStatus {
  return (definition['status'] as DefinitionStatus | undefined) ?? {};
}

export function hasCondition(definition: ApiObject, type: string): boolean {
  const conditions = statusOfDefinition(definition).conditions ?? [];
  return conditions.some((condition) => condition.type === type && condition.status === 'True');
}

/**
 * The status that a definition should have: its names accepted unless another definition of the group uses one of
 * them, established once they were accepted, and never unestablished by a later conflict.
 */
export function decideStatus(
  definition: ApiObject,
  others: readonly ApiObject[],
  nowMs: number,
): DefinitionStatus {
  const { names, versions } = specOf(definition);
  const before = statusOfDefinition(definition);
  const clash = clashingName(definition, others);
  const accepted: DefinitionCondition = clash
    ? { type: 'NamesAccepted', status: 'False', ...clash }
    : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' };
  const established: DefinitionCondition =
    !clash || hasCondition(definition, 'Established')
      ? {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
        }
      : {
          type: 'Established',
          status: 'False',
          reason: 'NotAccepted',
          message: 'not all names are accepted',
        };
  const storage = versions.find(({ storage }) => storage)!.name;
  const stored = before.storedVersions ?? [];
  let conditions = before.conditions ?? [];
  for (const condition of [accepted, established]) conditions = setCondition(conditions, condition, nowMs);
  return {
    ...before,
    conditions,
    acceptedNames: clash ? (before.acceptedNames ?? { plural: '', kind: '' }) : names,
    storedVersions: stored.includes(storage) ? stored : [...stored, storage],
  };
}

function clashingName(
  definition: ApiObject,
  others: readonly ApiObject[],
): { reason: string; message: string } | undefined {
  const { group, names } = specOf(definition);
  const taken = others
    .filter((other) => other.metadata.name !== definition.metadata.name && specOf(other).group === group)
    .flatMap((other) => statusOfDefinition(other).acceptedNames ?? []);
  const resources = new Set(
    taken.flatMap(({ plural, singular, shortNames }) => [plural, singular, ...(shortNames ?? [])]),
  );
  const kinds = new Set(taken.flatMap(({ kind, listKind }) => [kind, listKind]));
  const inUse = (name: string) => `${JSON.stringify(name)} is already in use`;
  if (resources.has(names.plural)) return { reason: 'PluralConflict', message: inUse(names.plural) };
  if (names.singular && resources.has(names.singular)) {
    return { reason: 'SingularConflict', message: inUse(names.singular) };
  }
  const short = names.shortNames?.find((name) => resources.has(name));
  if (short) return { reason: 'ShortNamesConflict', message: inUse(short) };
  if (kinds.has(names.kind)) return { reason: 'KindConflict', message: inUse(names.kind) };
  if (names.listKind && kinds.has(names.listKind)) {
    return { reason: 'ListKindConflict', message: inUse(names.listKind) };
  }
  return undefined;
}

function setCondition(
  conditions: readonly DefinitionCondition[],
  next: DefinitionCondition,
  nowMs: number,
): DefinitionCondition[] {
  const before = conditions.find(({ type }) => type === next.type);
  const lastTransitionTime =
    before?.status === next.status && before.lastTransitionTime ? before.lastTransitionTime : rfc3339(nowMs);
  const set = { lastTransitionTime, ...next };
  return before ? conditions.map((one) => (one === before ? set : one)) : [...conditions, set];
}

/** A definition that is being deleted: it says so, and waits for its objects. */
export function markTerminating(definition: ApiObject, nowMs: number): ApiObject {
  const { finalizers = [] } = definition.metadata;
  const status = statusOfDefinition(definition);
  return {
    ...definition,
    metadata: {
      ...definition.metadata,
      finalizers: finalizers.includes(cleanupFinalizer) ? finalizers : [...finalizers, cleanupFinalizer],
    },
    status: {
      ...status,
      conditions: setCondition(
        status.conditions ?? [],
        {
          type: 'Terminating',
          status: 'True',
          reason: 'InstanceDeletionPending',
          message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
        },
        nowMs,
      ),
    },
  };
}
