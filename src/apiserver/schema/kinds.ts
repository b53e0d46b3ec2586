import { readFileSync } from 'node:fs';
import { fillNode, type RawSchema, type SchemaNode } from './schema-node.ts';

export type Subresource = 'status' | 'token' | 'scale';

/** One kind of object that the server serves, built in or defined by a CustomResourceDefinition. */
export interface KindInfo {
  /** Empty for the core group. */
  group: string;
  version: string;
  kind: string;
  listKind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  /** As discovery lists them, in alphabetical order. Only `create` for kinds that are answered, not stored; none for TokenRequest, which only a
   * subresource takes. */
  verbs: readonly string[];
  subresources: readonly Subresource[];
  readonly schema: SchemaNode;
}

interface KindRow {
  group: string;
  version: string;
  kind: string;
  definition: string;
  plural: string;
  shortNames?: string[];
  categories?: string[];
  namespaced: boolean;
  verbs: string[];
  subresources?: Subresource[];
}

interface KindTable {
  kinds: KindRow[];
  definitions: Record<string, RawSchema>;
}

let table: KindTable | undefined;
let kinds: readonly KindInfo[] | undefined;
const definitions = new Map<string, SchemaNode>();

/** The built-in kinds that the server serves. A kind's schema is put together when it is first asked for. */
export function builtinKinds(): readonly KindInfo[] {
  kinds ??= readTable().kinds.map(kindInfo);
  return kinds;
}

/** The built-in kind of that group, version and kind. */
export function builtinKind(group: string, version: string, kind: string): KindInfo | undefined {
  return builtinKinds().find(
    (info) => info.group === group && info.version === version && info.kind === kind,
  );
}

/**
 * A definition of Kubernetes' own by its component name (`io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta`); those
 * that no served kind is made of are unknown.
 */
export function builtinDefinition(name: string): SchemaNode {
  const known = definitions.get(name);
  if (known) return known;
  const raw = readTable().definitions[name];
  if (!raw) throw new RangeError(`no definition ${name}`);
  const node: SchemaNode = { name };
  definitions.set(name, node);
  return fillNode(node, raw, builtinDefinition);
}

export const metaDefinitions = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** The schema of every object's metadata. */
export function objectMetaSchema(): SchemaNode {
  return builtinDefinition(`${metaDefinitions}.ObjectMeta`);
}

/** `v1`, `apps/v1`. */
export function apiVersionOf({ group, version }: { group: string; version: string }): string {
  return group === '' ? version : `${group}/${version}`;
}

/** The table is read on first use: a program that only speaks to an API server never pays for it. */
function readTable(): KindTable {
  table ??= JSON.parse(readFileSync(new URL('./generated/kinds.json', import.meta.url), 'utf8')) as KindTable;
  return table;
}

function kindInfo({ definition, ...row }: KindRow): KindInfo {
  return {
    ...row,
    listKind: `${row.kind}List`,
    singular: row.kind.toLowerCase(),
    shortNames: row.shortNames ?? [],
    categories: row.categories ?? [],
    subresources: row.subresources ?? [],
    get schema() {
      return builtinDefinition(definition);
    },
  };
}
