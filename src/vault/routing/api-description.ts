import type { FieldKind, FieldTable } from './fields.ts';
import type { DescribedRoute } from './route.ts';

/** An engine's routes and where they begin: `pki/`. */
export interface DescribedMount {
  path: string;
  type: string;
  routes: readonly DescribedRoute[];
}

const schemas: Readonly<Record<FieldKind, Readonly<Record<string, unknown>>>> = {
  text: { type: 'string' },
  boolean: { type: 'boolean' },
  integer: { type: 'integer' },
  // Seconds, or Go's notation: 1h30m.
  duration: { type: 'string', format: 'duration' },
  list: { type: 'array', items: { type: 'string' } },
  commaList: { type: 'array', items: { type: 'string' } },
  documentList: { type: 'array', items: {} },
  object: { type: 'object' },
  pairs: { type: 'object', additionalProperties: { type: 'string' } },
};

const methods = { read: 'get', list: 'get', update: 'post', patch: 'patch', delete: 'delete' } as const;

/** An OpenAPI 3.0 document of what `mounts` serve. */
export function openApiDocument(mounts: readonly DescribedMount[], version: string): Record<string, unknown> {
  const paths = mounts.flatMap((mount) =>
    mount.routes.map((route) => [`/${mount.path}${template(route.path)}`, describePath(mount, route)]),
  );
  return {
    openapi: '3.0.2',
    info: {
      title: 'Capstan Vault API',
      description: 'Every path is below `/v1/`.',
      version,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    paths: Object.fromEntries(paths) as Record<string, unknown>,
  };
}

/** `roles/{name}` of `roles/:name`. */
function template(path: string): string {
  return path.replaceAll(/[:*](\w+)/g, '{$1}');
}

function caught(path: string): string[] {
  return [...path.matchAll(/[:*](\w+)/g)].map(([, name]) => name!);
}

function describePath(mount: DescribedMount, route: DescribedRoute): Record<string, unknown> {
  const parameters = caught(route.path).map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: schemas.text,
  }));
  const operations = Object.keys(route.handlers).flatMap((operation) =>
    Object.hasOwn(methods, operation)
      ? [[methods[operation as keyof typeof methods], describeOperation(mount, route, operation)] as const]
      : [],
  );
  return {
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.sudo ? { 'x-vault-sudo': true } : {}),
    ...(route.open ? { 'x-vault-unauthenticated': true } : {}),
    ...Object.fromEntries(operations),
  };
}

function describeOperation({ path }: DescribedMount, route: DescribedRoute, operation: string) {
  const writes = operation === 'update' || operation === 'patch';
  const words = `${path} ${operation} ${route.path}`.split(/[^a-zA-Z0-9]+/).filter(Boolean);
  const common = {
    operationId: words.join('-'),
    tags: [path.startsWith('auth/') ? 'auth' : path === 'sys/' ? 'system' : 'secrets'],
    responses: { [writes ? '2XX' : '200']: { description: 'OK' } },
  };
  const names = Object.keys(route.fields);
  if (writes) {
    if (names.length === 0) return common;
    const schema = { type: 'object', properties: properties(route.fields) };
    const mediaType = operation === 'patch' ? 'application/merge-patch+json' : 'application/json';
    return { ...common, requestBody: { content: { [mediaType]: { schema } } } };
  }
  const query = names.map((name) => ({ name, in: 'query', schema: schemas[route.fields[name]!] }));
  const listed = { name: 'list', in: 'query', schema: { type: 'string', enum: ['true'] } };
  const parameters = operation === 'list' ? [{ ...listed, required: true }, ...query] : query;
  return { ...common, ...(parameters.length > 0 ? { parameters } : {}) };
}

function properties(fields: FieldTable): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, schemas[kind]]));
}

/** What `?help=1` says of one path, as text for a terminal. */
export function routeHelp(request: string, route: DescribedRoute): string {
  const who = route.open ? 'anyone' : route.sudo ? 'a token with sudo on the path' : 'a token';
  const parameters = Object.entries(route.fields).map(([name, kind]) => `    ${name} (${kinds[kind]})\n`);
  return [
    `Request:        ${request}\nMatching Route: ${route.path}\n`,
    `## OPERATIONS\n\n    ${Object.keys(route.handlers).join(', ')}, for ${who}\n`,
    ...(parameters.length > 0 ? [`## PARAMETERS\n\n${parameters.join('')}`] : []),
  ].join('\n');
}

const kinds: Readonly<Record<FieldKind, string>> = {
  text: 'string',
  boolean: 'bool',
  integer: 'int',
  duration: 'duration (sec)',
  list: 'list',
  commaList: 'comma-separated list',
  documentList: 'comma-separated list, or JSON',
  object: 'map',
  pairs: 'keypair',
};

/** The same of a mount as a whole. */
export function mountHelp({ type, routes }: DescribedMount): string {
  return `## DESCRIPTION

Engine of type ${type}.

## PATHS

These paths are below the mount; ask for help with any of them.

${routes.map(({ path, handlers }) => `    ${path}\n        ${Object.keys(handlers).join(', ')}\n`).join('')}`;
}
