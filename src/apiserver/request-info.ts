/** A request for objects, as its path names them. */
export interface ResourceRequest {
  /** Empty for the core group. */
  group: string;
  version: string;
  plural: string;
  /** Absent for cluster-scoped kinds and for lists over all namespaces. */
  namespace?: string;
  name?: string;
  subresource?: string;
}

/** What a request asks for, told from its method and address alone. */
export interface RequestInfo {
  method: string;
  path: string;
  query: URLSearchParams;
  /** Undefined for paths that are not about objects (discovery, health, documents). */
  resource?: ResourceRequest;
  /** get, list, watch, create, update, patch, delete, deletecollection; without a resource the method in lower case. */
  verb: string;
}

/** Undefined where the path cannot be decoded. */
export function requestInfo(method: string, url: string): RequestInfo | undefined {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  let parts: string[];
  try {
    parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return undefined;
  }
  const found = resourceOf(parts);
  if (!found) return { method, path, query, verb: method.toLowerCase() };
  const watching = found.watchPath || isTrue(query.get('watch'));
  const { resource } = found;
  const verb = verbOf(method, resource, watching);
  // A list or watch of one name is authorised as being about that name.
  return { method, path, query, resource, verb };
}

function resourceOf(parts: string[]): { resource: ResourceRequest; watchPath: boolean } | undefined {
  const [root, ...rest] = parts;
  if (root !== 'api' && root !== 'apis') return undefined;
  const group = root === 'api' ? '' : (rest.shift() ?? '');
  const version = rest.shift();
  const watchPath = rest[0] === 'watch';
  if (watchPath) rest.shift();
  if (version === undefined || rest.length === 0) return undefined;
  if (root === 'apis' && group === '') return undefined;
  let namespace: string | undefined;
  if (rest[0] === 'namespaces' && rest.length > 2 && !namespaceSubresources.has(rest[2]!)) {
    namespace = rest[1]!;
    rest.splice(0, 2);
  }
  const [plural, name, ...below] = rest;
  const resource: ResourceRequest = {
    group,
    version,
    plural: plural!,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(below.length === 0 ? {} : { subresource: below.join('/') }),
  };
  return { resource, watchPath };
}

const namespaceSubresources = new Set(['status', 'finalize']);

function verbOf(method: string, { name }: ResourceRequest, watching: boolean): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (watching) return 'watch';
      return name === undefined ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
    default:
      return method.toLowerCase();
  }
}

/** Query flags as Go's strconv.ParseBool and the API's own conversion read them: present and empty is true. */
export function isTrue(value: string | null): boolean {
  return value !== null && !['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value);
}
