import { child, type FieldError, forbidden, invalid, required, tooLong } from './field-error.ts';
import type { KindInfo } from './kinds.ts';
import {
  dns1035Label,
  dns1123Label,
  dns1123Subdomain,
  labelKey,
  labelValue,
  type NameChecker,
  pathSegment,
} from './names.ts';

export interface MetadataLike {
  name?: string;
  generateName?: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: readonly string[];
  ownerReferences?: readonly {
    apiVersion?: string;
    kind?: string;
    name?: string;
    uid?: string;
    controller?: boolean;
  }[];
}

/** All annotations of an object together, keys included. */
const annotationLimitBytes = 256 * 1024;

/** What a kind's names must look like. */
export function nameChecker({ group, kind }: Pick<KindInfo, 'group' | 'kind'>): NameChecker {
  if (group === '' && kind === 'Namespace') return dns1123Label;
  if (group === '' && kind === 'Service') return dns1035Label;
  return group === 'rbac.authorization.k8s.io' ? pathSegment : dns1123Subdomain;
}

/**
 * What is wrong with an object's metadata, the name included (generated where it was to be), in upstream's words.
 *
 * @param options.checkName what names of the kind look like; a DNS subdomain where absent, as for custom resources
 */
export function validateMeta(
  meta: MetadataLike,
  options: { namespaced: boolean; checkName?: NameChecker; at?: string },
): FieldError[] {
  const { namespaced, checkName = dns1123Subdomain, at = 'metadata' } = options;
  const errors: FieldError[] = [];
  const name = meta.name ?? '';
  if (name === '') errors.push(required(child(at, 'name'), 'name or generateName is required'));
  else errors.push(...checkName(name).map((problem) => invalid(child(at, 'name'), name, problem)));
  if (meta.generateName) {
    // What is generated goes behind it, so that it may end as no whole name may.
    const problems = checkName(meta.generateName.replace(/-$/, 'a'));
    errors.push(...problems.map((problem) => invalid(child(at, 'generateName'), meta.generateName, problem)));
  }
  return [
    ...errors,
    ...namespaceErrors(meta.namespace ?? '', namespaced, at),
    ...mapErrors(meta, at),
    ...ownerErrors(meta, at),
  ];
}

function namespaceErrors(namespace: string, namespaced: boolean, at: string): FieldError[] {
  const field = child(at, 'namespace');
  if (!namespaced) return namespace === '' ? [] : [forbidden(field, 'not allowed on this type')];
  if (namespace === '') return [required(field)];
  return dns1123Label(namespace).map((problem) => invalid(field, namespace, problem));
}

function mapErrors(
  { labels = {}, annotations = {}, finalizers = [] }: MetadataLike,
  at: string,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels)) {
    errors.push(...labelKey(key).map((problem) => invalid(child(at, 'labels'), key, problem)));
    errors.push(...labelValue(value).map((problem) => invalid(child(at, 'labels'), value, problem)));
  }
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
    errors.push(
      ...labelKey(key.toLowerCase()).map((problem) => invalid(child(at, 'annotations'), key, problem)),
    );
  }
  if (size > annotationLimitBytes) errors.push(tooLong(child(at, 'annotations'), annotationLimitBytes));
  for (const finalizer of finalizers) {
    errors.push(
      ...labelKey(finalizer).map((problem) => invalid(child(at, 'finalizers'), finalizer, problem)),
    );
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    const why = 'finalizer orphan and foregroundDeletion cannot be both set';
    errors.push(invalid(child(at, 'finalizers'), finalizers, why));
  }
  return errors;
}

function ownerErrors({ ownerReferences: owners = [] }: MetadataLike, at: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, owner] of owners.entries()) {
    const place = `${child(at, 'ownerReferences')}[${index}]`;
    for (const key of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (!owner[key]) errors.push(required(`${place}.${key}`, 'must not be empty'));
    }
    if (owner.apiVersion && owner.apiVersion.split('/').length > 2) {
      errors.push(invalid(`${place}.apiVersion`, owner.apiVersion, 'must be <group>/<version> or <version>'));
    }
    if (owner.apiVersion === 'v1' && owner.kind === 'Event') {
      errors.push(invalid(place, owner, '/v1, Kind=Event is disallowed from being an owner'));
    }
  }
  const [first, second] = owners
    .filter(({ controller }) => controller)
    .map(({ kind, name }) => `${kind}/${name}`);
  if (second !== undefined) {
    const why = `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`;
    errors.push(invalid(child(at, 'ownerReferences'), owners, why));
  }
  return errors;
}
