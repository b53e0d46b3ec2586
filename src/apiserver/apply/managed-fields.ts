import type { SchemaNode } from '../schema/schema-node.ts';
import { FieldSet } from './field-set.ts';
import { type Comparison, compare } from './ownership.ts';
import type { Json } from './shape.ts';

/** An entry of metadata.managedFields. */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: 'Apply' | 'Update';
  apiVersion?: string;
  time?: string;
  fieldsType?: 'FieldsV1';
  fieldsV1?: Json;
  subresource?: string;
}

/** Who owns what, while it is being worked out. */
export interface Owner {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource: string;
  time: string | undefined;
  fields: FieldSet;
}

export type Owners = Map<string, Owner>;

/** Entries of updates that are kept apart; the oldest beyond them become one. */
const updateLimit = 10;
const oldUpdates = 'ancient-changes';

/** What nobody owns: the server decides it, or it is the object's identity. */
const unowned = FieldSet.fromJson({
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    '.': {},
    'f:name': {},
    'f:namespace': {},
    'f:creationTimestamp': {},
    'f:selfLink': {},
    'f:uid': {},
    'f:clusterName': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:resourceVersion': {},
  },
});

export function stripUnowned(fields: FieldSet): FieldSet {
  return fields.difference(unowned);
}

/** A manager that applies is one whatever the version; one that updates is another for each version. */
export function ownerKey(owner: Pick<Owner, 'manager' | 'operation' | 'apiVersion' | 'subresource'>): string {
  const { manager, operation, apiVersion, subresource } = owner;
  return JSON.stringify([manager, operation, operation === 'Apply' ? '' : apiVersion, subresource]);
}

/** The owners that an object's managedFields name; none where those cannot be read. */
export function readOwners(object: Json | undefined): Owners {
  const { managedFields = [] } = (object?.['metadata'] ?? {}) as { managedFields?: ManagedFieldsEntry[] };
  try {
    const owners = managedFields.map((entry): Owner => {
      if (entry.operation !== 'Apply' && entry.operation !== 'Update') throw new RangeError('no operation');
      return {
        manager: entry.manager ?? '',
        operation: entry.operation,
        apiVersion: entry.apiVersion ?? '',
        subresource: entry.subresource ?? '',
        time: entry.time,
        fields: FieldSet.fromJson(entry.fieldsV1),
      };
    });
    return new Map(owners.map((owner) => [ownerKey(owner), owner]));
  } catch {
    return new Map();
  }
}

/** The object with managedFields that name `owners`, in upstream's order; without any where nobody owns anything. */
export function writeOwners(object: Json, owners: Owners): Json {
  const entries = [...owners.values()].toSorted(byAge).map(
    ({ manager, operation, apiVersion, subresource, time, fields }): ManagedFieldsEntry => ({
      manager,
      operation,
      apiVersion,
      ...(time === undefined ? {} : { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: fields.toJson(),
      ...(subresource === '' ? {} : { subresource }),
    }),
  );
  const bare = withoutManagedFields(object);
  if (entries.length === 0) return bare;
  return { ...bare, metadata: { ...(bare['metadata'] as Json), managedFields: entries } };
}

function byAge(one: Owner, other: Owner): number {
  const keys = ({ operation, time, manager, apiVersion, subresource }: Owner) => [
    operation,
    time ?? '',
    manager,
    apiVersion,
    subresource,
  ];
  const [left, right] = [keys(one), keys(other)];
  const differs = left.findIndex((key, index) => key !== right[index]);
  return differs < 0 ? 0 : left[differs]! < right[differs]! ? -1 : 1;
}

export function withoutManagedFields(object: Json): Json {
  const metadata = object['metadata'] as Json | undefined;
  if (!metadata || !('managedFields' in metadata)) return object;
  const { managedFields: _, ...rest } = metadata;
  return { ...object, metadata: rest };
}

/** Takes from every owner but `except` what a change took away or made another's; who is left with nothing goes. */
export function disown(owners: Owners, { added, modified, removed }: Comparison, except?: string): void {
  const gone = added.union(modified).union(removed);
  for (const [key, owner] of owners) {
    if (key === except) continue;
    const fields = owner.fields.difference(gone);
    if (fields.isEmpty()) owners.delete(key);
    else if (!fields.equals(owner.fields)) owners.set(key, { ...owner, fields });
  }
}

/**
 * `after` with managedFields that tell who now owns what: its manager owns all that differs from `before`. A manager's
 * time changes only when it changed something. managedFields that the client sent in `after` count in place of
 * before's, and an empty list or an empty entry resets them; on a subresource they do not count.
 *
 * @param options.before the live object; undefined for a new one
 */
export function recordUpdate(options: {
  schema: SchemaNode;
  before: Json | undefined;
  after: Json;
  manager: string;
  subresource?: string | undefined;
  nowRfc3339: string;
  apiVersion: string;
}): Json {
  const { schema, before, after, manager, subresource = '', nowRfc3339, apiVersion } = options;
  const owners = ownersBefore(before, after, subresource);
  const bare = withoutManagedFields(after);
  const comparison = compare(schema, before ? withoutManagedFields(before) : blank(schema, bare), bare);
  disown(owners, comparison);
  const changed = stripUnowned(comparison.added.union(comparison.modified));
  if (!changed.isEmpty()) {
    const owner = { manager, operation: 'Update' as const, apiVersion, subresource };
    const key = ownerKey(owner);
    const fields = changed.union(owners.get(key)?.fields ?? new FieldSet());
    owners.set(key, { ...owner, time: nowRfc3339, fields });
  }
  capUpdates(owners);
  return writeOwners(bare, owners);
}

/** A new object of a built-in kind: its parts are there before anybody sets them, so that nobody owns them whole. */
function blank({ name }: SchemaNode, object: Json): Json {
  if (name === undefined) return {};
  const parts = ['metadata', 'spec', 'status'].filter((part) => Object.keys(object[part] ?? {}).length > 0);
  return Object.fromEntries(parts.map((part) => [part, {}]));
}

function ownersBefore(before: Json | undefined, after: Json, subresource: string): Owners {
  const { managedFields: sent } = (after['metadata'] ?? {}) as { managedFields?: ManagedFieldsEntry[] };
  if (subresource !== '' || !Array.isArray(sent)) return readOwners(before);
  if (sent.length === 0 || (sent.length === 1 && Object.keys(sent[0] ?? {}).length === 0)) return new Map();
  const owners = readOwners(after);
  return owners.size > 0 ? owners : readOwners(before);
}

/** Joins the oldest updates of one version until no more than ten entries of updates are left. */
function capUpdates(owners: Owners): void {
  const updates = [...owners]
    .filter(([, { operation }]) => operation === 'Update')
    .toSorted(([, one], [, other]) => byAge(one, other));
  let excess = updates.length - updateLimit;
  const firsts = new Map<string, string>();
  for (const [key, owner] of updates) {
    if (excess <= 0) return;
    const first = firsts.get(owner.apiVersion);
    if (first === undefined) {
      firsts.set(owner.apiVersion, key);
      continue;
    }
    const bucket = {
      manager: oldUpdates,
      operation: 'Update' as const,
      apiVersion: owner.apiVersion,
      subresource: '',
    };
    const bucketKey = ownerKey(bucket);
    const joined = owners.get(bucketKey) ?? owners.get(first)!;
    if (joined !== owners.get(bucketKey)) owners.delete(first);
    owners.delete(key);
    owners.set(bucketKey, { ...bucket, time: owner.time, fields: joined.fields.union(owner.fields) });
    excess--;
  }
}
