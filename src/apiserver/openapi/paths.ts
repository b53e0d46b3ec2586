import { type KindInfo, metaDefinitions, type Subresource } from '../schema/kinds.ts';

type Json = Record<string, unknown>;

const query = (name: string, type: 'string' | 'boolean' | 'integer' = 'string'): Json => ({
  name,
  in: 'query',
  schema: { type, uniqueItems: true },
});

const pathParameter = (name: string): Json => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', uniqueItems: true },
});

const pretty = query('pretty');
const writeParameters = [query('dryRun'), query('fieldManager'), query('fieldValidation')];
const listParameters = [
  query('allowWatchBookmarks', 'boolean'),
  query('continue'),
  query('fieldSelector'),
  query('labelSelector'),
  query('limit', 'integer'),
  query('resourceVersion'),
  query('resourceVersionMatch'),
  query('sendInitialEvents', 'boolean'),
  query('timeoutSeconds', 'integer'),
  query('watch', 'boolean'),
];
const deleteParameters = [
  query('dryRun'),
  query('gracePeriodSeconds', 'integer'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy'),
];

interface Place {
  kind: KindInfo;
  component: string;
  list: string;
}

/** Every path under which a kind is served, with the operations that its verbs allow. */
export function pathsOf(kind: KindInfo, component: string): Json {
  const { group, version, plural, namespaced, verbs } = kind;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const collection = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`;
  const place: Place = { kind, component, list: `${component}List` };
  const scope = namespaced ? [pathParameter('namespace')] : [];
  const paths: Json = {};
  const add = (path: string, parameters: Json[], operations: Json) => {
    if (Object.keys(operations).length > 0)
      paths[path] = { ...operations, parameters: [...parameters, pretty] };
  };
  add(collection, scope, collectionOperations(place));
  if (namespaced && verbs.includes('list')) add(`${root}/${plural}`, [], { get: listOperation(place) });
  add(`${collection}/{name}`, [pathParameter('name'), ...scope], objectOperations(place));
  for (const subresource of kind.subresources) {
    add(
      `${collection}/{name}/${subresource}`,
      [pathParameter('name'), ...scope],
      subresourceOperations(place, subresource),
    );
  }
  return paths;
}

function collectionOperations(place: Place): Json {
  const { kind, component } = place;
  return {
    ...(kind.verbs.includes('list') ? { get: listOperation(place) } : {}),
    ...(kind.verbs.includes('create')
      ? { post: operation(kind, 'post', writeParameters, { body: component, answer: component }) }
      : {}),
    ...(kind.verbs.includes('deletecollection')
      ? {
          delete: operation(kind, 'deletecollection', [...deleteParameters, ...listParameters], {
            body: `${metaDefinitions}.DeleteOptions`,
            answer: `${metaDefinitions}.Status`,
          }),
        }
      : {}),
  };
}

function listOperation({ kind, list }: Place): Json {
  return operation(kind, 'list', listParameters, { answer: list });
}

function objectOperations({ kind, component }: Place): Json {
  const { verbs } = kind;
  return {
    ...(verbs.includes('get') ? { get: operation(kind, 'get', [], { answer: component }) } : {}),
    ...writeOperations(kind, component),
    ...(verbs.includes('delete')
      ? {
          delete: operation(kind, 'delete', deleteParameters, {
            body: `${metaDefinitions}.DeleteOptions`,
            answer: `${metaDefinitions}.Status`,
          }),
        }
      : {}),
  };
}

function writeOperations(kind: KindInfo, component: string, speaks?: GroupVersionKind): Json {
  const patch = {
    ...operation(
      kind,
      'patch',
      [...writeParameters, query('force', 'boolean')],
      { answer: component },
      speaks,
    ),
  };
  patch['requestBody'] = { required: true, content: patchContent(kind) };
  return {
    ...(kind.verbs.includes('update')
      ? { put: operation(kind, 'put', writeParameters, { body: component, answer: component }, speaks) }
      : {}),
    ...(kind.verbs.includes('patch') ? { patch } : {}),
  };
}

/** Definitions of custom resources say nothing of strategic merging. */
function patchContent({ schema }: KindInfo): Json {
  const types = ['apply-patch+yaml', 'json-patch+json', 'merge-patch+json'];
  if (schema.name !== undefined) types.push('strategic-merge-patch+json');
  return Object.fromEntries(
    types.map((type) => [`application/${type}`, { schema: reference(`${metaDefinitions}.Patch`) }]),
  );
}

interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

const scale: GroupVersionKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
const tokenRequest: GroupVersionKind = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
};

function subresourceOperations({ kind, component }: Place, subresource: Subresource): Json {
  if (subresource === 'token') {
    const name = 'io.k8s.api.authentication.v1.TokenRequest';
    return { post: operation(kind, 'post', writeParameters, { body: name, answer: name }, tokenRequest) };
  }
  const speaks = subresource === 'scale' ? scale : undefined;
  const name = subresource === 'scale' ? 'io.k8s.api.autoscaling.v1.Scale' : component;
  return {
    get: operation(kind, 'get', [], { answer: name }, speaks),
    ...writeOperations(kind, name, speaks),
  };
}

function operation(
  kind: KindInfo,
  action: string,
  parameters: readonly Json[],
  { body, answer }: { body?: string; answer: string },
  speaks: GroupVersionKind = kind,
): Json {
  const status = action === 'post' ? { 200: 'OK', 201: 'Created', 202: 'Accepted' } : { 200: 'OK' };
  return {
    tags: [`${kind.group.replace(/\..*$/, '') || 'core'}_${kind.version}`],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === undefined
      ? {}
      : { requestBody: { required: action !== 'delete', content: { '*/*': { schema: reference(body) } } } }),
    responses: Object.fromEntries(
      Object.entries(status).map(([code, description]) => [
        code,
        { description, content: { 'application/json': { schema: reference(answer) } } },
      ]),
    ),
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group: speaks.group, kind: speaks.kind, version: speaks.version },
  };
}

function reference(component: string): Json {
  return { $ref: `#/components/schemas/${component}` };
}
