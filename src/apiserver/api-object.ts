/** An object of any kind as JSON gives it. What its schema promises has been checked where it entered. */
export interface ApiObject extends Record<string, unknown> {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface Metadata extends Record<string, unknown> {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: unknown[];
}

/**
 * An object as the caches hold it: its JSON once, ready to send, beside the few facts that lookups need. The text
 * always opens with apiVersion, kind and metadata.resourceVersion in this order, so that both can be exchanged
 * without parsing the rest.
 */
export interface StoredObject {
  /** `namespace/name`, or the name alone for cluster-scoped kinds. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly revision: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly ownerUids: readonly string[];
  /** Marked for deletion and waiting for its finalizers. */
  readonly deleting: boolean;
  readonly json: Buffer;
}

const noLabels: Readonly<Record<string, string>> = Object.freeze({});
const noOwners: readonly string[] = Object.freeze([]);

export function objectKey(namespace: string | undefined, name: string): string {
  return namespace ? `${namespace}/${name}` : name;
}

/** What goes to the store: the object's JSON without a resourceVersion, which only the commit decides. */
export function encodeObject(object: ApiObject): string {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _old, ...meta } = metadata;
  return JSON.stringify({ apiVersion, kind, metadata: meta, ...rest });
}

/** The cached form of `object`, whose encoding is `text`, as written by the commit `revision`. */
export function storedObject(object: ApiObject, text: string, revision: number): StoredObject {
  const { metadata } = object;
  const owners = metadata.ownerReferences ?? [];
  return {
    key: objectKey(metadata.namespace, metadata.name),
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    revision,
    labels: metadata.labels ?? noLabels,
    ownerUids: owners.length === 0 ? noOwners : owners.map(({ uid }) => uid),
    deleting: metadata.deletionTimestamp !== undefined,
    json: Buffer.from(withRevision(object, text, revision)),
  };
}

function withRevision({ apiVersion, kind }: ApiObject, text: string, revision: number): string {
  const at = `{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(kind)},"metadata":{`.length;
  return `${text.slice(0, at)}"resourceVersion":"${revision}",${text.slice(at)}`;
}

/** A deleted object's last state carries the revision of its deletion. */
export function atRevision(object: StoredObject, revision: number): StoredObject {
  const parsed = parseObject(object);
  return storedObject(parsed, encodeObject(parsed), revision);
}

/** A fresh copy, the caller's to change. */
export function parseObject(object: StoredObject): ApiObject {
  return JSON.parse(object.json.toString()) as ApiObject;
}

/** The JSON under another version of the same kind, where nothing but the apiVersion differs. */
export function jsonAs(object: StoredObject, storedAs: string, wanted: string): Buffer {
  if (storedAs === wanted) return object.json;
  const head = Buffer.from(`{"apiVersion":${JSON.stringify(wanted)}`);
  const skip = Buffer.byteLength(`{"apiVersion":${JSON.stringify(storedAs)}`);
  return Buffer.concat([head, object.json.subarray(skip)]);
}

/** Equality as the API means it: the order of an object's keys does not count, absent and undefined are the same. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((value, index) => sameValue(value, b[index]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left).filter((key) => left[key] !== undefined);
  const otherKeys = Object.keys(right).filter((key) => right[key] !== undefined);
  return (
    keys.length === otherKeys.length &&
    keys.every((key) => Object.hasOwn(right, key) && sameValue(left[key], right[key]))
  );
}

/** A time as the API writes it: RFC 3339, UTC, whole seconds. */
export function rfc3339(epochMs: number): string {
  return new Date(Math.floor(epochMs / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}
