import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Answer } from './answer.ts';
import { servedGroups } from './discovery.ts';
import { openApiPath, openApiV3Document, openApiV3Index } from './openapi/documents.ts';
import type { ResourceTypes } from './resource-type.ts';
import type { KindInfo } from './schema/kinds.ts';
import { unknownPath } from './status-errors.ts';

interface Listing {
  group: string;
  version: string;
  path: string;
  kinds: KindInfo[];
  hash: string;
}

/** Listings of one set of types, made anew when definitions come, change or go. */
const known = new WeakMap<ResourceTypes, { generation: number; listings: Listing[] }>();

/**
 * `/openapi/v3` and the documents below it. Documents are put together when asked for and never kept: clients keep
 * them, by the hash in their address.
 *
 * @throws StatusFault NotFound
 */
export function openApiAnswer(
  types: ResourceTypes,
  [version, ...rest]: readonly string[],
  query: URLSearchParams,
  request: IncomingMessage,
): Answer {
  if (version !== 'v3') throw unknownPath();
  const listings = listingsOf(types);
  if (rest.length === 0) return hashed(request, JSON.stringify(openApiV3Index(listings)));
  const listing = listings.find(({ path }) => path === rest.join('/'));
  if (!listing) throw unknownPath();
  const { path, hash, kinds } = listing;
  const asked = query.get('hash');
  if (asked !== null && asked !== hash) {
    const location = `/openapi/v3/${path}?hash=${hash}`;
    return { code: 301, contentType: 'text/plain; charset=utf-8', body: '', headers: { location } };
  }
  const etag = `"${hash}"`;
  // Under its hash a document never changes.
  const cache = asked === null ? {} : { 'cache-control': 'public, immutable', expires: farFuture };
  const headers = { etag, vary: 'Accept', ...cache };
  if (request.headers['if-none-match'] === etag) {
    return { code: 304, contentType: 'application/json', body: '', headers };
  }
  const body = JSON.stringify(openApiV3Document(listing, kinds));
  return { code: 200, contentType: 'application/json', body, headers };
}

const farFuture = 'Fri, 31 Dec 2100 00:00:00 GMT';

function hashed(request: IncomingMessage, body: string): Answer {
  const etag = `"${digest(body)}"`;
  const headers = { etag, vary: 'Accept' };
  const contentType = 'application/json';
  if (request.headers['if-none-match'] === etag) return { code: 304, contentType, body: '', headers };
  return { code: 200, contentType, body, headers };
}

function listingsOf(types: ResourceTypes): Listing[] {
  const before = known.get(types);
  if (before?.generation === types.generation) return before.listings;
  const listings = [...servedGroups(types)].flatMap(([group, versions]) =>
    versions.map(({ version, resources }): Listing => {
      const kinds = resources.map(({ version: { info } }) => info);
      const path = openApiPath({ group, version });
      // Documents of built-in kinds change only with the program; those of definitions with every change to them.
      const changing = resources.some(({ type }) => type.custom);
      const told = changing
        ? JSON.stringify(openApiV3Document({ group, version }, kinds))
        : `${path} ${kinds.map(({ kind, verbs, subresources }) => [kind, verbs, subresources].join(':')).join(' ')}`;
      return { group, version, path, kinds, hash: digest(told) };
    }),
  );
  known.set(types, { generation: types.generation, listings });
  return listings;
}

function digest(text: string): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase();
}
