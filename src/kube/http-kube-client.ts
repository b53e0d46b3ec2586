import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { minuteMs, secondMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import { type HttpClient, type HttpRequest, httpClient } from '../wire/http-client.ts';
import { apiFault, isStatus, refusedFor } from './api-fault.ts';
import { jsonLines } from './json-lines.ts';
import type { KubeClient, ListOptions, ObjectList, WatchEvent } from './kube-client.ts';
import type { KubeAccess } from './kubeconfig.ts';
import { apiVersion, type KubeObject, type Resource, resourcePath } from './resource.ts';

export interface KubeClientOptions {
  /** Servers keep the part before the first `/` as the field manager of plain writes: `capstan-identity/0.1.0`. */
  userAgent: string;
  /** Objects asked for at a time when listing. */
  pageSize?: number;
}

/** A stored object is at most about 1.5 MiB, plus what managedFields and JSON's escapes add to it. */
const eventLimitBytes = 16 * 2 ** 20;

/** The server is asked to end a watch after this long; what stays silent for longer than that is dead. */
const watchTimeoutSeconds = 290;
const watchSilenceMs = watchTimeoutSeconds * secondMs + minuteMs;

const mediaTypes = {
  json: 'application/json',
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
} as const;

interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Readonly<Record<string, string | undefined>>;
  body?: unknown;
  mediaType?: keyof typeof mediaTypes;
}

/** A client over HTTP/1.1, one connection to a watch; see `KubeClient` for what its calls answer and throw. */
export function kubeClient(access: KubeAccess, options: KubeClientOptions): KubeClient {
  return new HttpKubeClient(access, options);
}

class HttpKubeClient implements KubeClient {
  readonly #http: HttpClient;
  readonly #access: KubeAccess;
  readonly #userAgent: string;
  readonly #pageSize: number;

  constructor(access: KubeAccess, { userAgent, pageSize = 500 }: KubeClientOptions) {
    this.#access = access;
    this.#userAgent = userAgent;
    this.#pageSize = pageSize;
    this.#http = httpClient({
      ...(access.ca === undefined ? {} : { ca: access.ca }),
      ...(access.serverName === undefined ? {} : { serverName: access.serverName }),
      ...(access.insecure ? { insecure: true } : {}),
      ...(access.clientCertificate === undefined
        ? {}
        : { clientCertificate: access.clientCertificate, clientKey: access.clientKey?.reveal() ?? '' }),
    });
  }

  async get<T extends KubeObject>(
    resource: Resource,
    name: string,
    namespace?: string,
  ): Promise<T | undefined> {
    try {
      return await this.#call<T>({ method: 'GET', path: resourcePath(resource, { name, namespace }) });
    } catch (error) {
      if (refusedFor(error, 'not-found')) return undefined;
      throw error;
    }
  }

  /** One page after another from one snapshot; where that has expired meanwhile, everything again in one piece. */
  async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}): Promise<ObjectList<T>> {
    const items: T[] = [];
    const path = resourcePath(resource, { namespace: options.namespace });
    let limit: string | undefined = String(this.#pageSize);
    for (let next: string | undefined; ; ) {
      let page: { metadata: { resourceVersion: string; continue?: string }; items: T[] | null };
      try {
        const query = { ...selectors(options), limit, continue: next };
        page = await this.#call({ method: 'GET', path, query });
      } catch (error) {
        if (next === undefined || !refusedFor(error, 'expired')) throw error;
        items.length = 0;
        next = undefined;
        limit = undefined;
        continue;
      }
      for (const item of page.items ?? []) items.push(typed(resource, item));
      next = page.metadata.continue || undefined;
      if (next === undefined) return { items, resourceVersion: page.metadata.resourceVersion };
    }
  }

  async *watch<T extends KubeObject>(
    resource: Resource,
    options: ListOptions & { resourceVersion: string; signal: AbortSignal },
  ): AsyncGenerator<WatchEvent<T>> {
    const { signal, resourceVersion, namespace } = options;
    const path = resourcePath(resource, { namespace });
    const query = {
      ...selectors(options),
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(watchTimeoutSeconds),
    };
    try {
      const response = await this.#http.open({ ...this.#request({ method: 'GET', path, query }), signal });
      const { statusCode = 0 } = response;
      if (statusCode !== 200) {
        answer(`GET ${path}`, statusCode, await refusal(response));
        throw apiFault(`GET ${path}`, statusCode, undefined);
      }
      response.setTimeout(watchSilenceMs, () => response.destroy(new Error('the watch fell silent')));
      for await (const line of jsonLines(response, eventLimitBytes))
        yield watchEvent<T>(path, resource, line);
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof Fault ? error : watchFault(path, error);
    }
  }

  create<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    const path = resourcePath(resource, { namespace: object.metadata.namespace });
    return this.#call({ method: 'POST', path, body: object });
  }

  replace<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    const { name, namespace } = object.metadata;
    return this.#call({ method: 'PUT', path: resourcePath(resource, { name, namespace }), body: object });
  }

  replaceStatus<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    const { name, namespace } = object.metadata;
    const path = resourcePath(resource, { name, namespace, subresource: 'status' });
    return this.#call({ method: 'PUT', path, body: object });
  }

  apply<T extends KubeObject>(
    resource: Resource,
    object: KubeObject & Record<string, unknown>,
    { manager, subresource }: { manager: string; subresource?: string },
  ): Promise<T> {
    const { name, namespace } = object.metadata;
    const path = resourcePath(resource, { name, namespace, subresource });
    const query = { fieldManager: manager, force: 'true' };
    return this.#call({ method: 'PATCH', path, query, body: object, mediaType: 'apply' });
  }

  mergePatch<T extends KubeObject>(
    resource: Resource,
    { name, namespace, subresource }: { name: string; namespace?: string; subresource?: string },
    patch: unknown,
  ): Promise<T> {
    const path = resourcePath(resource, { name, namespace, subresource });
    return this.#call({ method: 'PATCH', path, body: patch, mediaType: 'merge' });
  }

  async delete(
    resource: Resource,
    name: string,
    namespace?: string,
    preconditions?: { uid?: string },
  ): Promise<boolean> {
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: 'Background',
      ...(preconditions ? { preconditions } : {}),
    };
    try {
      await this.#call({ method: 'DELETE', path: resourcePath(resource, { name, namespace }), body });
      return true;
    } catch (error) {
      if (refusedFor(error, 'not-found')) return false;
      throw error;
    }
  }

  ask<T>(path: string, body: unknown): Promise<T> {
    return this.#call({ method: 'POST', path, body });
  }

  close(): void {
    this.#http.close();
  }

  async #call<T>(made: Call): Promise<T> {
    const response = await this.#http.send(this.#request(made));
    return answer(`${made.method} ${made.path}`, response.status, response.body) as T;
  }

  #request({ method, path, query, body, mediaType = 'json' }: Call): HttpRequest {
    const { server, token } = this.#access;
    const headers: OutgoingHttpHeaders = {
      accept: mediaTypes.json,
      'user-agent': this.#userAgent,
      ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
      ...(body === undefined ? {} : { 'content-type': mediaTypes[mediaType] }),
    };
    const url = `${server}${path}${queryText(query)}`;
    return { method, url, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  }
}

function queryText(query: Call['query'] = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

function selectors({ labelSelector, fieldSelector }: ListOptions) {
  return { labelSelector: labelSelector || undefined, fieldSelector: fieldSelector || undefined };
}

/** The JSON of an answer of status 2xx; anything else is thrown. */
function answer(request: string, status: number, body: Buffer): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch (error) {
    if (status >= 400) throw apiFault(request, status, undefined);
    throw new Fault(`${request}: the API server's answer of status ${status} is not JSON`, {
      code: 'kube.answer.malformed',
      blame: 'peer',
      fix: 'check that the address is that of a Kubernetes API server',
      cause: error,
    });
  }
  if (status >= 400) throw apiFault(request, status, parsed);
  return parsed;
}

/** The start of a refusal's body, enough for any Status. */
async function refusal(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > 2 ** 20) break;
  }
  return Buffer.concat(chunks);
}

function watchEvent<T extends KubeObject>(path: string, resource: Resource, line: unknown): WatchEvent<T> {
  const { type, object } = (line ?? {}) as { type?: unknown; object?: unknown };
  if (type === 'ERROR') throw apiFault(`GET ${path}`, 500, isStatus(object) ? object : undefined);
  const known = type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK';
  const version = (object as KubeObject | undefined)?.metadata?.resourceVersion;
  if (!known || typeof version !== 'string') {
    throw new Fault(`GET ${path}: the watch sent what is no event`, {
      code: 'kube.watch.malformed',
      blame: 'peer',
    });
  }
  return { type, object: typed(resource, object as T) };
}

/** Items of a list come without their apiVersion and kind, which go without saying there. */
function typed<T extends KubeObject>(resource: Resource, item: T): T {
  item.apiVersion ??= apiVersion(resource);
  item.kind ??= resource.kind;
  return item;
}

function watchFault(path: string, error: unknown): Fault {
  return new Fault(
    `GET ${path}: the watch broke: ${error instanceof Error ? error.message : String(error)}`,
    {
      code: 'wire.request.failed',
      blame: 'peer',
      cause: error,
    },
  );
}
