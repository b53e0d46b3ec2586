import { isDeepStrictEqual } from 'node:util';
import { Fault } from '../../base/fault.ts';
import { dropNulls } from '../schema/builtin-rules.ts';
import type { SchemaNode } from '../schema/schema-node.ts';
import { applyDefaults } from '../schema/structural.ts';
import { describePath, FieldSet } from './field-set.ts';
import {
  disown,
  type Owner,
  type Owners,
  ownerKey,
  readOwners,
  stripUnowned,
  withoutManagedFields,
  writeOwners,
} from './managed-fields.ts';
import { mergeApplied, withoutFields } from './merge.ts';
import { type Comparison, compare, fieldsOf, findDuplicate, withParents } from './ownership.ts';
import type { Json } from './shape.ts';

export interface ApplyConflict {
  /** As messages print it: `"kubectl-edit" using v1`. */
  manager: string;
  /** `.spec.replicas` */
  field: string;
}

/** Others own fields that an apply would change. */
export class ApplyConflictFault extends Fault {
  readonly conflicts: readonly ApplyConflict[];

  constructor(conflicts: readonly ApplyConflict[]) {
    super(describeConflicts(conflicts), { code: 'apiserver.apply.conflict', blame: 'caller' });
    this.conflicts = conflicts;
  }
}

/** The HTTP status that belongs to a fault of applyPatch; undefined for every other fault. */
export function applyFaultStatus({ code }: Fault): 400 | 409 | undefined {
  if (code === 'apiserver.apply.conflict') return 409;
  return code.startsWith('apiserver.apply.') ? 400 : undefined;
}

export interface ApplyOptions {
  schema: SchemaNode;
  /** Undefined where the apply creates the object. */
  live: Json | undefined;
  /** All that the manager wants to own, and nothing else. */
  applied: Json;
  manager: string;
  /** Takes fields from their owners instead of giving up. */
  force: boolean;
  subresource?: string | undefined;
  /** Top-level fields that this endpoint does not write: `status` where that has an endpoint of its own. */
  ignored?: readonly string[];
  nowRfc3339: string;
  apiVersion: string;
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Server-side apply: the object that a manager's configuration makes of `live`. What the manager applied before and
 * no longer does goes where nobody else owns it. Defaults are the caller's to fill in.
 *
 * @returns the object with its managedFields; entries and times stay as they are where nothing changed
 * @throws ApplyConflictFault `apiserver.apply.conflict`; Fault `apiserver.apply.managed-fields` (the configuration
 *   holds managedFields), `apiserver.apply.keys` (an item of a map-like list lacks its key), `apiserver.apply.duplicate`
 */
export function applyPatch(options: ApplyOptions): { object: Json } {
  try {
    return { object: tryApply(options, options.force) };
  } catch (error) {
    // kubectl apply used to keep what it owned in an annotation: what that names is kubectl's own, not another's.
    if (!(error instanceof ApplyConflictFault) || options.manager !== 'kubectl') throw error;
    const own = new Set(lastAppliedPaths(options));
    if (!error.conflicts.every(({ field }) => own.has(field))) throw error;
    return { object: tryApply(options, true) };
  }
}

function tryApply(options: ApplyOptions, force: boolean): Json {
  const { schema, live, manager, subresource = '', nowRfc3339, apiVersion } = options;
  const applied = writable(options);
  const before = withoutManagedFields(live ?? {});
  const owners = readOwners(live);
  const self = { manager, operation: 'Apply' as const, apiVersion, subresource };
  const key = ownerKey(self);
  const last = owners.get(key);
  const fields = stripUnowned(fieldsOf(schema, applied));
  const owner: Owner = { ...self, time: last?.time, fields };
  owners.set(key, owner);
  const merged = mergeApplied(schema, before, applied) as Json;
  // Pruning takes maps that it empties; those that the configuration wants empty come back with it.
  const whole = last
    ? (mergeApplied(schema, prune(schema, merged, owners, last.fields), applied) as Json)
    : merged;
  const object = settleNulls(schema, whole);
  const comparison = compare(schema, before, object);
  if (!force) refuseConflicts(owners, comparison, key);
  disown(owners, comparison, key);
  if (fields.isEmpty()) owners.delete(key);
  else {
    const changed = !isDeepStrictEqual(before, object) || !last?.fields.equals(fields);
    owners.set(key, { ...owner, time: changed ? nowRfc3339 : last?.time });
  }
  return writeOwners(withLastApplied(options, before, object, applied), owners);
}

/** The configuration without what this endpoint does not write. */
function writable({ applied, ignored = [], schema }: ApplyOptions): Json {
  const { managedFields } = (applied['metadata'] ?? {}) as { managedFields?: unknown };
  if (managedFields !== undefined && managedFields !== null) {
    throw new Fault('metadata.managedFields must be nil', {
      code: 'apiserver.apply.managed-fields',
      blame: 'caller',
      fix: 'leave metadata.managedFields out of what is applied',
    });
  }
  const config = Object.fromEntries(Object.entries(applied).filter(([name]) => !ignored.includes(name)));
  const twice = findDuplicate(schema, config, []);
  if (twice) {
    throw new Fault(`duplicate entries for key ${describePath(twice)}`, {
      code: 'apiserver.apply.duplicate',
      blame: 'caller',
    });
  }
  const metadata = Object.entries((config['metadata'] ?? {}) as Json).filter(([name]) => !decided.has(name));
  return { ...config, metadata: Object.fromEntries(metadata) };
}

/** Metadata that the server decides: manifests that were read from a cluster still say it, or null. */
const decided = new Set([
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'resourceVersion',
  'selfLink',
  'uid',
]);

/**
 * The object as it would be stored, so that what is applied again compares equal with it: nulls say nothing in
 * built-in kinds, and elsewhere give way to defaults where the schema does not admit them.
 */
function settleNulls(schema: SchemaNode, object: Json): Json {
  return schema.name === undefined ? applyDefaults(schema, object) : dropNulls(object);
}

/**
 * Takes out what the manager applied last time and not this time, unless somebody else owns it, or it holds what
 * was never the manager's.
 */
function prune(schema: SchemaNode, merged: Json, owners: Owners, lastFields: FieldSet): Json {
  const last = withParents(schema, lastFields);
  const all = withParents(schema, fieldsOf(schema, merged));
  const owned = [...owners.values()].reduce((union, { fields }) => union.union(fields), new FieldSet());
  const left = (object: unknown) => withParents(schema, fieldsOf(schema, object ?? {}));
  const bare = withoutFields(schema, merged, last);
  const keep = left(bare).union(withParents(schema, owned));
  const pruned = withoutFields(schema, merged, all.difference(keep));
  return (withoutFields(schema, merged, all.difference(left(pruned)).intersection(last)) ?? {}) as Json;
}

function refuseConflicts(owners: Owners, { added, modified }: Comparison, self: string): void {
  const changed = added.union(modified);
  const conflicts = [...owners]
    .filter(([key]) => key !== self)
    .flatMap(([, owner]) =>
      [...owner.fields.intersection(changed).paths()].map((path) => ({
        manager: describeOwner(owner),
        field: describePath(path),
      })),
    );
  if (conflicts.length > 0) throw new ApplyConflictFault(conflicts);
}

function describeOwner({ manager, operation, subresource, apiVersion }: Owner): string {
  const through = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(manager)}${through}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
}

function describeConflicts(conflicts: readonly ApplyConflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${first!.manager}: ${first!.field}`;
  }
  const byManager = Map.groupBy(conflicts, ({ manager }) => manager);
  const lines = [...byManager.keys()]
    .toSorted()
    .flatMap((manager) => [
      `conflicts with ${manager}:`,
      ...byManager.get(manager)!.map(({ field }) => `- ${field}`),
    ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

function annotationOf(object: Json | undefined): string | undefined {
  const { annotations } = (object?.['metadata'] ?? {}) as { annotations?: Record<string, string> };
  return annotations?.[lastApplied];
}

/** The fields that live has as the annotation says kubectl last wrote them. */
function lastAppliedPaths({ schema, live }: ApplyOptions): string[] {
  const text = annotationOf(live);
  if (text === undefined) return [];
  try {
    const config = JSON.parse(text) as Json;
    const { modified, removed } = compare(schema, config, live!);
    const kept = fieldsOf(schema, config).difference(modified).difference(removed);
    return [...kept.paths()].map(describePath);
  } catch {
    return [];
  }
}

/** Keeps kubectl's annotation true where there is one, so that a plain `kubectl apply` can follow. */
function withLastApplied({ manager }: ApplyOptions, before: Json, object: Json, applied: Json): Json {
  if (manager !== 'kubectl' || annotationOf(before) === undefined) return object;
  const metadata = (object['metadata'] ?? {}) as { annotations?: Record<string, string> };
  const annotations = { ...metadata.annotations, [lastApplied]: `${JSON.stringify(applied)}\n` };
  return { ...object, metadata: { ...metadata, annotations } };
}
