import { createHash } from 'node:crypto';
import { apiVersion, type ConfigMap } from '../kube/resource.ts';
import {
  type Bundle,
  bundleLabel,
  bundles,
  fieldManager,
  hashAnnotation,
  type TargetTemplate,
} from './bundle.ts';

/** A ConfigMap as it is applied: the fields that the controller owns in it, and no others. */
export type TargetApply = ConfigMap & Record<string, unknown>;

/** What the target of `bundle` in `namespace` shall hold. */
export function targetOf(
  bundle: Bundle,
  namespace: string,
  template: TargetTemplate,
  pem: string,
): TargetApply {
  const { name, uid = '' } = bundle.metadata;
  const { labels = {}, annotations = {} } = template.metadata ?? {};
  const owner = { apiVersion: apiVersion(bundles), kind: bundles.kind, name, uid };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace,
      labels: { ...labels, [bundleLabel]: name },
      annotations: { ...annotations, [hashAnnotation]: targetHash(template, pem) },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
    },
    data: { [template.key]: pem },
  };
}

/**
 * A target that is none any more: applying nothing takes out all that the controller had written there, its mark
 * and its ownership included, so that what others keep in it outlives the Bundle. The uid keeps one that is gone
 * meanwhile from being made anew.
 */
export function releasedTarget({ metadata: { name, namespace = '', uid = '' } }: ConfigMap): TargetApply {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, uid } };
}

/** SHA-256, in hex, of everything that decides what is written; in the order in which trust-manager hashes it. */
export function targetHash({ metadata = {} }: TargetTemplate, pem: string): string {
  const hash = createHash('sha256').update(pem);
  for (const field of [metadata.annotations ?? {}, metadata.labels ?? {}]) {
    for (const key of Object.keys(field).toSorted()) hash.update(key + field[key]!);
  }
  return hash.digest('hex');
}

/** Whether `target` is what `wanted` would make of it, and holds nothing more of ours. */
export function isInStep(target: ConfigMap, wanted: TargetApply, bundle: Bundle): boolean {
  const keys = Object.keys(wanted.data ?? {});
  const owned = ownedKeys(target);
  return (
    isControlledBy(target, bundle) &&
    target.metadata.labels?.[bundleLabel] === bundle.metadata.name &&
    target.metadata.annotations?.[hashAnnotation] === wanted.metadata.annotations?.[hashAnnotation] &&
    keys.every((key) => target.data?.[key] === wanted.data?.[key]) &&
    owned.size === keys.length &&
    keys.every((key) => owned.has(key))
  );
}

export function isControlledBy({ metadata }: ConfigMap, bundle: Bundle): boolean {
  return (metadata.ownerReferences ?? []).some(
    ({ controller, uid }) => controller === true && uid === bundle.metadata.uid,
  );
}

interface ManagedFields {
  manager?: string;
  fieldsV1?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The data keys that the controller has applied, told from managedFields. */
function ownedKeys({ metadata }: ConfigMap): Set<string> {
  const entries = (metadata.managedFields ?? []) as ManagedFields[];
  const ours = entries.filter(({ manager }) => manager === fieldManager);
  return new Set(
    ours.flatMap(({ fieldsV1 = {} }) =>
      ['f:data', 'f:binaryData'].flatMap((field) =>
        Object.keys(fieldsV1[field] ?? {})
          .filter((key) => key.startsWith('f:'))
          .map((key) => key.slice('f:'.length)),
      ),
    ),
  );
}
