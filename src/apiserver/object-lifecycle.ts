import type { Entropy } from '../base/entropy.ts';
import { randomText, uuid } from '../base/entropy.ts';
import { type ApiObject, type Metadata, rfc3339, sameValue } from './api-object.ts';
import type { View } from './object-view.ts';
import type { ResourceType, ServedVersion } from './resource-type.ts';

/** Finalizers that the garbage collector serves. */
export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** Without vowels, so that no words appear; without 0, 1 and 3, which look like letters. */
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const longestGeneratedBase = 63 - suffixLength;

/** The name that generateName asks for: cut, then five random characters. */
export function generateName(base: string, entropy: Entropy): string {
  return base.slice(0, longestGeneratedBase) + randomText(entropy, suffixLength, suffixAlphabet);
}

/** Built-in kinds whose objects count generations. */
const countedGroups = new Set([
  'apps',
  'apiextensions.k8s.io',
  'admissionregistration.k8s.io',
  'networking.k8s.io',
]);

export function countsGenerations({ custom, group }: ResourceType): boolean {
  return custom || countedGroups.has(group);
}

/** A new object as the server completes it: identity, time, generation; what only the server may set is dropped. */
export function stampNew(
  type: ResourceType,
  object: ApiObject,
  { namespace, nowMs, entropy }: { namespace: string | undefined; nowMs: number; entropy: Entropy },
): ApiObject {
  const {
    resourceVersion: _version,
    deletionTimestamp: _deletion,
    deletionGracePeriodSeconds: _grace,
    selfLink: _link,
    generation: _generation,
    namespace: _namespace,
    ...kept
  } = object.metadata;
  const name = kept.name || (kept.generateName ? generateName(kept.generateName, entropy) : '');
  return {
    ...object,
    metadata: {
      ...kept,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: uuid(entropy),
      creationTimestamp: rfc3339(nowMs),
      ...(countsGenerations(type) ? { generation: 1 } : {}),
    },
  };
}

/** Whose kubelet says what it is when it registers it. */
const bornWithStatus = new Set(['Node']);

/** A new object without its status, where that has an endpoint to itself: what is not yet seen has no status. */
export function withoutEarlyStatus({ type, version }: View, object: ApiObject): ApiObject {
  const own = version.info.subresources.includes('status') && (type.custom || !bornWithStatus.has(type.kind));
  return own ? withField(object, 'status', undefined) : object;
}

/** What no update may change: taken from `live`, whatever `next` says. */
export function keepIdentity(live: Metadata, next: Metadata): Metadata {
  const fixed = [
    'name',
    'generateName',
    'namespace',
    'uid',
    'creationTimestamp',
    'generation',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'resourceVersion',
  ] as const;
  const kept: Record<string, unknown> = { ...next };
  delete kept['selfLink'];
  for (const field of fixed) {
    if (live[field] === undefined) delete kept[field];
    else kept[field] = live[field];
  }
  // No new finalizers once deletion has begun: what waits can only get less.
  if (live.deletionTimestamp !== undefined && next.finalizers) {
    const before = new Set(live.finalizers ?? []);
    kept['finalizers'] = next.finalizers.filter((finalizer) => before.has(finalizer));
  }
  for (const field of ['finalizers', 'ownerReferences']) {
    if (Array.isArray(kept[field]) && (kept[field] as unknown[]).length === 0) delete kept[field];
  }
  return kept as Metadata;
}

/** The parts that an update through the main endpoint, or through `status`, leaves as they are. */
export function keepOtherSubresource(
  { info }: ServedVersion,
  live: ApiObject,
  next: ApiObject,
  subresource: string | undefined,
): ApiObject {
  if (!info.subresources.includes('status')) return next;
  if (subresource === 'status') {
    const { managedFields } = next.metadata;
    const metadata = { ...live.metadata, ...(managedFields ? { managedFields } : {}) };
    return withField({ ...live, metadata }, 'status', next['status']);
  }
  const kept = withField(next, 'status', live['status']);
  // A namespace's own finalizers have an endpoint to themselves.
  if (info.plural !== 'namespaces' || info.group !== '' || subresource === 'finalize') return kept;
  return withField(kept, 'spec', live['spec']);
}

function withField(object: ApiObject, field: string, value: unknown): ApiObject {
  if (value !== undefined) return { ...object, [field]: value };
  const { [field]: _dropped, ...rest } = object;
  return rest as ApiObject;
}

/** Counts one generation on where anything but metadata (and status, where it has its own endpoint) differs. */
export function nextGeneration(
  type: ResourceType,
  { info }: ServedVersion,
  live: ApiObject,
  next: ApiObject,
): ApiObject {
  if (!countsGenerations(type)) return next;
  const hasStatus = info.subresources.includes('status');
  const desired = ({ metadata: _metadata, apiVersion: _version, status, ...rest }: ApiObject) =>
    hasStatus ? rest : { ...rest, status };
  if (sameValue(desired(live), desired(next))) return next;
  return { ...next, metadata: { ...next.metadata, generation: (live.metadata.generation ?? 0) + 1 } };
}

export type Propagation = 'Background' | 'Foreground' | 'Orphan';

/** Which finalizers an object being deleted waits for. */
export function deletionFinalizers(live: ApiObject, propagation: Propagation | undefined): string[] {
  const current = live.metadata.finalizers ?? [];
  if (propagation === undefined) return current;
  const own = current.filter((one) => one !== foregroundFinalizer && one !== orphanFinalizer);
  if (propagation === 'Foreground') return [...own, foregroundFinalizer];
  return propagation === 'Orphan' ? [...own, orphanFinalizer] : own;
}

/** The object marked for deletion; its deletionTimestamp, once set, stays. */
export function markDeleted(
  type: ResourceType,
  live: ApiObject,
  finalizers: readonly string[],
  nowMs: number,
): ApiObject {
  const { finalizers: _old, ...metadata } = live.metadata;
  const first = metadata.deletionTimestamp === undefined;
  return {
    ...live,
    metadata: {
      ...metadata,
      ...(finalizers.length > 0 ? { finalizers: [...finalizers] } : {}),
      ...(first ? { deletionTimestamp: rfc3339(nowMs), deletionGracePeriodSeconds: 0 } : {}),
      ...(first && countsGenerations(type) ? { generation: (metadata.generation ?? 0) + 1 } : {}),
    },
  };
}
