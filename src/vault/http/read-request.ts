import { describeError, Fault } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import type { Operation } from '../policy/access-list.ts';
import { boolean } from '../routing/coerce.ts';
import type { RawFields } from '../routing/fields.ts';
import type { RequestOrigin } from '../routing/route.ts';

/** The parts of an HTTP request that Vault's API looks at. */
export interface HttpParts {
  method: string;
  /** As it stands in the request line. */
  target: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Empty where `stream` has it. */
  body: Buffer;
  stream?: AsyncIterable<Buffer>;
  connection: Pick<RequestOrigin, 'remoteAddress' | 'remotePort' | 'peerCertificates'>;
}

export interface ApiRequest {
  operation: Operation;
  help?: boolean;
  path: string;
  data: RawFields;
  token: string | undefined;
}

export interface Target {
  /** Below `/v1/`, decoded. */
  path: string;
  query: URLSearchParams;
}

/**
 * An OCSP request in base64 as the end of a path (RFC 6960 appendix A.1): it may hold slashes, encoded or not, that part
 * nothing. It is a SEQUENCE, which begins with an M, and is no shorter than a hash of a name and one of a key.
 */
const ocspRequest = /^M[A-Za-z0-9+/_%-]{59,}={0,2}$/;

function withUrlSafeOcsp(path: string): string {
  const at = path.indexOf('/ocsp/M') + '/ocsp/'.length;
  const request = path.slice(at);
  if (at < '/ocsp/'.length || !ocspRequest.test(request)) return path;
  return path.slice(0, at) + request.replaceAll('+', '-').replaceAll('/', '_');
}

/** Undefined for what is not below `/v1/`. @throws Fault `vault.request.invalid` for a path that cannot be decoded */
export function readTarget(target: string): Target | undefined {
  const mark = target.indexOf('?');
  // An address that ends in a slash makes paths that begin with two; policies judge what is left of them.
  const encoded = withUrlSafeOcsp(mark === -1 ? target : target.slice(0, mark)).replaceAll(/\/{2,}/g, '/');
  if (!encoded.startsWith('/v1/')) return undefined;
  let path: string;
  try {
    path = decodeURIComponent(encoded.slice('/v1/'.length));
  } catch (error) {
    throw invalidRequest('the path is not well-formed UTF-8', error);
  }
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(path))
    throw invalidRequest('path cannot contain non-printable characters');
  path = withUrlSafeOcsp(path);
  return { path, query: new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1)) };
}

/** Undefined for a method that the API does not have. */
export function readApiRequest({ path, query }: Target, parts: HttpParts): ApiRequest | undefined {
  const token = readToken(parts.headers);
  switch (parts.method) {
    case 'HEAD':
    case 'GET': {
      const listed = query.get('list');
      if (listed && asBoolean('list', listed)) {
        query.delete('list');
        return { operation: 'list', path: withSlash(path), data: queryFields(query), token };
      }
      const help = query.get('help');
      if (help && asBoolean('help', help))
        return { operation: 'read', path, data: fields([]), token, help: true };
      return { operation: 'read', path, data: queryFields(query), token };
    }
    case 'LIST':
      return { operation: 'list', path: withSlash(path), data: queryFields(query), token };
    case 'POST':
    case 'PUT':
      return { operation: 'update', path, data: messageOf(parts) ? fields([]) : bodyFields(parts), token };
    case 'PATCH':
      assertMergePatch(parts);
      return { operation: 'patch', path, data: bodyFields(parts), token };
    case 'DELETE':
      return { operation: 'delete', path, data: queryFields(query), token };
    default:
      return undefined;
  }
}

function asBoolean(name: string, text: string): boolean {
  try {
    return boolean(text);
  } catch (error) {
    throw invalidRequest(`${name}: ${describeError(error)}`, error);
  }
}

/** What is listed is a folder. */
function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}

function readToken(headers: HttpParts['headers']): string | undefined {
  const own = single(headers['x-vault-token']);
  if (own) return own;
  const bearer = single(headers.authorization);
  return bearer?.startsWith('Bearer ') ? bearer.slice('Bearer '.length).trim() : undefined;
}

export function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function assertMergePatch({ headers }: HttpParts): void {
  const type = mediaType(headers);
  if (type === 'application/merge-patch+json') return;
  throw new Fault(`PATCH requires Content-Type of application/merge-patch+json, provided ${type}`, {
    code: 'vault.media-type',
    blame: 'caller',
  });
}

function mediaType(headers: HttpParts['headers']): string {
  return (single(headers['content-type']) ?? '').split(';')[0]!.trim().toLowerCase();
}

/** A body that is a message of another protocol than Vault's: OCSP's. */
export function messageOf(parts: HttpParts): { message: Buffer } | undefined {
  return mediaType(parts.headers) === 'application/ocsp-request' ? { message: parts.body } : undefined;
}

/** The parameters in a request's body. @throws Fault `vault.request.invalid` */
export function bodyFields(parts: HttpParts): RawFields {
  const text = parts.body.toString('utf8');
  if (text.trim() === '') return fields([]);
  const form = mediaType(parts.headers) === 'application/x-www-form-urlencoded' && !/^\s*[[{]/.test(text);
  if (form) return queryFields(new URLSearchParams(ofFewParameters(text)));
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw invalidRequest(`failed to parse JSON input: ${(error as Error).message}`, error);
  }
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw invalidRequest('failed to parse JSON input: the body must be a JSON object');
  }
  if (valuesLeft(parsed, mostValues) < 0) {
    throw invalidRequest(`failed to parse JSON input: it holds more than ${mostValues} values`);
  }
  return fields(Object.entries(parsed ?? {}));
}

/** Go's limit. Node takes as long as the square of their number. */
const mostParameters = 10_000;

/** @throws Fault `vault.request.invalid` */
function ofFewParameters(form: string): string {
  if (form.split('&', mostParameters + 1).length <= mostParameters) return form;
  throw invalidRequest(`failed to parse form: it has more than ${mostParameters} parameters`);
}

/** Each costs a MAC in every audit log before anybody is asked who they are. */
const mostValues = 20_000;

/** Of `limit`, what the values in objects and lists leave; below 0 for too many, of which not all are counted. */
function valuesLeft(value: unknown, limit: number): number {
  if (typeof value !== 'object' || value === null) return limit - 1;
  let left = limit;
  for (const element of Object.values(value)) {
    left = valuesLeft(element, left);
    if (left < 0) break;
  }
  return left;
}

/** A parameter that is given once is a text, one that is given more often a list. */
function queryFields(query: URLSearchParams): RawFields {
  // In one pass: a form may hold thousands of names, from whoever reaches the server.
  const byName = new Map<string, string[]>();
  for (const [name, value] of query) {
    const values = byName.get(name);
    if (values) values.push(value);
    else if (name !== 'help') byName.set(name, [value]);
  }
  return fields([...byName].map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
}

function fields(entries: readonly (readonly [string, unknown])[]): RawFields {
  const record = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of entries) record[name] = value;
  return record;
}
