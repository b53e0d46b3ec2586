import type { IncomingMessage } from 'node:http';
import { type Answer, json, text } from './answer.ts';
import { discoveryAnswer, groupDocument, resourceList } from './discovery.ts';
import { openApiAnswer } from './openapi-route.ts';
import type { RequestInfo } from './request-info.ts';
import type { ResourceTypes } from './resource-type.ts';
import { methodNotAllowed, unknownPath } from './status-errors.ts';
import type { Tokens } from './tokens.ts';

/** The Kubernetes release whose API is served, as `/version` tells it. */
const release = { major: '1', minor: '34', gitVersion: 'v1.34.0+capstan' };

export const healthPaths: ReadonlySet<string> = new Set(['/healthz', '/livez', '/readyz']);

/** True for `/livez` and the checks below it. */
export function isHealthPath(path: string): boolean {
  return healthPaths.has(`/${path.split('/')[1]}`);
}

/** Answers paths that are not about objects: health, version, discovery, documents. */
export async function documentAnswer(
  { types, tokens, address }: { types: ResourceTypes; tokens: Tokens; address: string },
  { method, path, query }: RequestInfo,
  request: IncomingMessage,
): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed();
  const { accept } = request.headers;
  const ifNoneMatch = request.headers['if-none-match'];
  const parts = path.split('/').filter(Boolean);
  const [root, second, third] = parts;
  if (isHealthPath(path)) return healthAnswer(parts, query);
  switch (root) {
    case 'version':
      if (parts.length === 1) return json(versionDocument());
      break;
    case 'api':
    case 'apis':
      if (parts.length === 1) {
        return discoveryAnswer(types, {
          core: root === 'api',
          address,
          ...(accept === undefined ? {} : { accept }),
          ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
        });
      }
      return groupAnswer(types, root === 'api' ? ['', second, third] : [second!, third, parts[3]]);
    case 'openapi':
      return openApiAnswer(types, parts.slice(1), query, request);
    case '.well-known':
      if (second === 'openid-configuration') return json(tokens.discovery());
      break;
    case 'openid':
      if (second === 'v1' && third === 'jwks') {
        return { ...json(tokens.keySet()), contentType: 'application/jwk-set+json' };
      }
      break;
    case undefined:
      return json({ paths: rootPaths(types) });
    default:
  }
  throw unknownPath();
}

function groupAnswer(
  types: ResourceTypes,
  [group, version, more]: [string, string | undefined, string | undefined],
): Answer {
  if (more !== undefined) throw unknownPath();
  const found = version === undefined ? groupDocument(types, group) : resourceList(types, group, version);
  if (!found) throw unknownPath();
  return json(found);
}

const checks = ['ping', 'log', 'etcd'];

/** `ok`, or with `verbose` every check by name. A single check has a path of its own, `/livez/ping`. */
function healthAnswer([endpoint, check]: string[], query: URLSearchParams): Answer {
  if (check !== undefined && !checks.includes(check)) throw unknownPath();
  if (check !== undefined || !query.has('verbose')) return text('ok');
  return text([...checks.map((name) => `[+]${name} ok`), `${endpoint} check passed`, ''].join('\n'));
}

function versionDocument(): unknown {
  return {
    ...release,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '',
    goVersion: '',
    compiler: 'node',
    platform: `linux/amd64`,
  };
}

function rootPaths(types: ResourceTypes): string[] {
  const groups = new Set(types.all().map(({ group }) => group));
  return [
    '/api',
    '/api/v1',
    '/apis',
    ...[...groups].filter(Boolean).map((group) => `/apis/${group}`),
    ...healthPaths,
    '/openapi/v3',
    '/openid/v1/jwks',
    '/version',
  ].toSorted();
}
