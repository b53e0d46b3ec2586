import { createHash } from 'node:crypto';
import type { Answer } from './answer.ts';
import { mediaRanges } from './representation.ts';
import type { ResourceType, ResourceTypes, ServedVersion } from './resource-type.ts';
import { apiVersionOf, type Subresource } from './schema/kinds.ts';
import { notAcceptable } from './status-errors.ts';

interface VersionListing {
  version: string;
  resources: { type: ResourceType; version: ServedVersion }[];
}

/** The served groups in the order of upstream's: core, built-in ones, then those of definitions by name. */
export function servedGroups(types: ResourceTypes): Map<string, VersionListing[]> {
  const groups = new Map<string, Map<string, VersionListing>>();
  for (const type of types.all()) {
    for (const [name, version] of type.versions) {
      const versions = groups.get(type.group) ?? new Map<string, VersionListing>();
      groups.set(type.group, versions);
      const listing = versions.get(name) ?? { version: name, resources: [] };
      versions.set(name, listing);
      listing.resources.push({ type, version });
    }
  }
  return new Map(
    [...groups].map(([group, versions]) => [
      group,
      [...versions.values()].sort((a, b) => compareVersions(b.version, a.version)),
    ]),
  );
}

/** Kubernetes' order of versions: v2 over v1 over v1beta1 over v1alpha1 over anything else. */
export function compareVersions(a: string, b: string): number {
  const rank = (version: string) => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (!match) return [-1, 0, 0] as const;
    const stability = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0;
    return [stability, Number(match[1]), Number(match[3] ?? 0)] as const;
  };
  const left = rank(a);
  const right = rank(b);
  for (let at = 0; at < 3; at++) {
    if (left[at] !== right[at]) return left[at]! - right[at]!;
  }
  return a < b ? 1 : a > b ? -1 : 0;
}

const subresourceVerbs: Readonly<Record<Subresource, string[]>> = {
  status: ['get', 'patch', 'update'],
  scale: ['get', 'patch', 'update'],
  token: ['create'],
};

/** The kind that a subresource speaks where it is not the resource's own. */
const subresourceKinds: Partial<Record<Subresource, { group: string; version: string; kind: string }>> = {
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
};

/** `/api/v1`, `/apis/GROUP/VERSION`: APIResourceList. Undefined where nothing is served there. */
export function resourceList(types: ResourceTypes, group: string, version: string): unknown {
  const listing = servedGroups(types)
    .get(group)
    ?.find((one) => one.version === version);
  if (!listing) return undefined;
  const resources = listing.resources.flatMap(({ version: { info } }) => [
    {
      name: info.plural,
      singularName: info.singular,
      namespaced: info.namespaced,
      kind: info.kind,
      verbs: info.verbs,
      ...(info.shortNames.length > 0 ? { shortNames: info.shortNames } : {}),
      ...(info.categories.length > 0 ? { categories: info.categories } : {}),
    },
    ...info.subresources.map((subresource) => {
      const { kind, ...other } = subresourceKinds[subresource] ?? { kind: info.kind };
      return {
        name: `${info.plural}/${subresource}`,
        singularName: '',
        namespaced: info.namespaced,
        ...other,
        kind,
        verbs: subresourceVerbs[subresource],
      };
    }),
  ]);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources,
  };
}

function apiGroup(group: string, versions: readonly VersionListing[]): Record<string, unknown> {
  const named = versions.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: named, preferredVersion: named[0] };
}

/** `/apis`: APIGroupList. */
export function groupList(types: ResourceTypes): unknown {
  const groups = [...servedGroups(types)].filter(([group]) => group !== '');
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map(([group, versions]) => apiGroup(group, versions)),
  };
}

/** `/apis/GROUP`: APIGroup. */
export function groupDocument(types: ResourceTypes, group: string): unknown {
  const versions = servedGroups(types).get(group);
  return versions && { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, versions) };
}

/** `/api`: APIVersions. */
export function coreVersions(address: string): unknown {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
  };
}

/** Everything under `/api` or `/apis` in one document: APIGroupDiscoveryList of apidiscovery.k8s.io. */
function aggregated(types: ResourceTypes, core: boolean, version: string): unknown {
  const groups = [...servedGroups(types)].filter(([group]) => (group === '') === core);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(([group, versions]) => ({
      metadata: group === '' ? {} : { name: group },
      versions: versions.map(({ version, resources }) => ({
        version,
        resources: resources.map(({ version }) => aggregatedResource(version)),
        freshness: 'Current',
      })),
    })),
  };
}

function aggregatedResource({ info }: ServedVersion): unknown {
  const { group, version, kind } = info;
  return {
    resource: info.plural,
    responseKind: { group, version, kind },
    scope: info.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: info.singular,
    verbs: info.verbs,
    ...(info.shortNames.length > 0 ? { shortNames: info.shortNames } : {}),
    ...(info.categories.length > 0 ? { categories: info.categories } : {}),
    ...(info.subresources.length > 0
      ? {
          subresources: info.subresources.map((subresource) => ({
            subresource,
            responseKind: subresourceKinds[subresource] ?? { group, version, kind },
            verbs: subresourceVerbs[subresource],
          })),
        }
      : {}),
  };
}

/**
 * Answers `/api` and `/apis` in the form that Accept asks for: aggregated v2 or v2beta1, or the plain documents.
 *
 * @throws StatusFault NotAcceptable
 */
export function discoveryAnswer(
  types: ResourceTypes,
  {
    core,
    accept,
    ifNoneMatch,
    address,
  }: { core: boolean; accept?: string; ifNoneMatch?: string; address: string },
): Answer {
  for (const { type, parameters } of mediaRanges(accept)) {
    if (type !== 'application/json' && type !== '*/*' && type !== 'application/*') continue;
    if (parameters.get('as') === undefined) {
      return withETag(JSON.stringify(core ? coreVersions(address) : groupList(types)), 'application/json');
    }
    const version = parameters.get('v') ?? '';
    if (parameters.get('as') !== 'APIGroupDiscoveryList' || !['v2', 'v2beta1'].includes(version)) continue;
    const contentType = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    return withETag(JSON.stringify(aggregated(types, core, version)), contentType, ifNoneMatch);
  }
  throw notAcceptable(['application/json']);
}

function withETag(body: string, contentType: string, ifNoneMatch?: string): Answer {
  const etag = `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`;
  const headers = { etag, vary: 'Accept' };
  if (ifNoneMatch === etag) return { code: 304, contentType, body: '', headers };
  return { code: 200, contentType, body, headers };
}
