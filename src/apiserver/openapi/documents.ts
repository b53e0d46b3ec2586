import { builtinDefinition, type KindInfo, metaDefinitions } from '../schema/kinds.ts';
import { type SchemaNode, writeNode } from '../schema/schema-node.ts';
import { pathsOf } from './paths.ts';

type Json = Record<string, unknown>;

interface GroupVersion {
  group: string;
  version: string;
}

/** The key of a document in the index, and its path behind `/openapi/v3/`: `api/v1`, `apis/apps/v1`. */
export function openApiPath({ group, version }: GroupVersion): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

/** What `/openapi/v3` answers: where each document is. The hash changes with the document, so that caches may keep it. */
export function openApiV3Index(documents: readonly { path: string; hash: string }[]): Json {
  const entries = documents.map(({ path, hash }) => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
  ]);
  return { paths: Object.fromEntries(entries) };
}

/**
 * The OpenAPI v3 document of one group and version, as kubectl, helm and client libraries read it: each operation
 * names its kind and takes `fieldValidation`, without which kubectl would validate by itself.
 *
 * @param kinds those served in that group and version
 */
export function openApiV3Document(groupVersion: GroupVersion, kinds: readonly KindInfo[]): Json {
  const components = new Map<string, Json>();
  const names = new Map(kinds.map((kind) => [kind, componentName(kind)]));
  for (const kind of kinds) {
    const name = names.get(kind)!;
    collect(kind.schema, components);
    components.set(name, {
      ...writeComponent(kind.schema),
      ...kindsOf({ ...groupVersion, kind: kind.kind }),
    });
    if (kind.verbs.includes('list')) {
      components.set(`${name}List`, listComponent(name, { ...groupVersion, kind: kind.listKind }));
    }
  }
  for (const kind of ['DeleteOptions', 'ListMeta', 'Patch', 'Status']) {
    collect(builtinDefinition(`${metaDefinitions}.${kind}`), components);
  }
  for (const kind of ['DeleteOptions', 'Status']) {
    const name = `${metaDefinitions}.${kind}`;
    const gvk = { ...(kind === 'Status' ? { group: '', version: 'v1' } : groupVersion), kind };
    components.set(name, { ...components.get(name), ...kindsOf(gvk) });
  }
  if (kinds.some(({ subresources }) => subresources.includes('scale')))
    addForeign(components, 'io.k8s.api.autoscaling.v1.Scale', 'autoscaling');
  if (kinds.some(({ subresources }) => subresources.includes('token'))) {
    addForeign(components, 'io.k8s.api.authentication.v1.TokenRequest', 'authentication.k8s.io');
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths: Object.assign({}, ...kinds.map((kind) => pathsOf(kind, names.get(kind)!))) as Json,
    components: {
      schemas: Object.fromEntries([...components].toSorted(([one], [other]) => (one < other ? -1 : 1))),
      securitySchemes: { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header' } },
    },
  };
}

/** A kind of another group that a subresource speaks. */
function addForeign(components: Map<string, Json>, name: string, group: string): void {
  const node = builtinDefinition(name);
  collect(node, components);
  components.set(name, {
    ...writeComponent(node),
    ...kindsOf({ group, version: 'v1', kind: name.split('.').at(-1)! }),
  });
}

/** `io.k8s.api.core.v1.Secret` for a built-in kind, `io.cert-manager.v1.Certificate` for a custom one. */
export function componentName({ group, version, kind, schema }: KindInfo): string {
  return schema.name ?? [...group.split('.').toReversed(), version, kind].join('.');
}

function kindsOf(gvk: GroupVersion & { kind: string }): Json {
  const { group, version, kind } = gvk;
  return { 'x-kubernetes-group-version-kind': [{ group, kind, version }] };
}

function listComponent(item: string, gvk: GroupVersion & { kind: string }): Json {
  return {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      items: { type: 'array', items: { $ref: `#/components/schemas/${item}` } },
      kind: { type: 'string' },
      metadata: { $ref: `#/components/schemas/${metaDefinitions}.ListMeta` },
    },
    ...kindsOf(gvk),
  };
}

/** Adds every named definition that `node` is made of. */
function collect(node: SchemaNode, components: Map<string, Json>): void {
  if (node.name !== undefined) {
    if (components.has(node.name)) return;
    components.set(node.name, {});
    components.set(node.name, writeComponent(node));
  }
  const { properties = {}, additionalProperties, items, not } = node;
  const inner = [
    ...Object.values(properties),
    ...(node.allOf ?? []),
    ...(node.anyOf ?? []),
    ...(node.oneOf ?? []),
  ];
  for (const part of [...inner, additionalProperties, items, not]) {
    if (typeof part === 'object') collect(part, components);
  }
}

/** Text and number both, which one `type` cannot say. */
const unions: Readonly<Record<string, readonly string[]>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': ['string', 'number'],
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': ['integer', 'string'],
};

/** A definition spelled out; what a reference to it says beside it (a patch strategy) is no part of it. */
function writeComponent(node: SchemaNode): Json {
  const { 'x-kubernetes-patch-strategy': _, ...raw } = writeNode(node);
  const union = unions[node.name ?? ''];
  if (!union) return raw;
  const { type: __, ...rest } = raw;
  return { ...rest, oneOf: union.map((type) => ({ type })) };
}
