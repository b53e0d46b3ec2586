import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Fault } from '../../base/fault.ts';
import type { HttpResponse } from '../../wire/http-client.ts';
import type { CommandContext } from '../command.ts';
import type { Connection } from './connection.ts';
import { type Headers, patientWire } from './patient-wire.ts';
import { curlCommand, policyFor, requestBody, requestUrl, type VaultRequest } from './request.ts';
import { parseDocument, parseSecret, type Secret, text } from './secret.ts';
import { isList, isObject, parseJson, type Value } from './value.ts';

/** A client of one Vault server. Every refusal and every failure to get an answer is a Fault `vault-client.*`. */
export interface VaultClient {
  /** The token that requests are sent with; empty for none. */
  token: string;
  /** Answers that come wrapped stay so for this long; unwrapped where undefined. */
  wrapTtl: string | undefined;
  /** Whatever the server answered, refusals included. */
  send(request: VaultRequest): Promise<Answer>;
  /** The answer's secret; undefined where it has none. Refusals are thrown. */
  ask(request: VaultRequest): Promise<Secret | undefined>;
  /** As `ask`, but undefined where there is nothing at the path (404). */
  find(request: VaultRequest): Promise<Secret | undefined>;
  /** As `ask`, but a refusal that came with a secret of its own (warnings, say) gives both. */
  change(request: VaultRequest): Promise<{ secret?: Secret | undefined; refusal?: Fault }>;
  /** An answer that may be large, as it comes; `body` likewise. Refusals are thrown. */
  transfer(request: { method: 'GET' | 'POST'; path: string; body?: Readable }): Promise<IncomingMessage>;
  close(): void;
}

export interface Answer {
  status: number;
  body: string;
  /** Set where the server refused. */
  refusal?: Fault;
}

/** Thrown in place of sending, where the user asked to be shown the request. */
export class ShowInstead {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export function vaultClient(connection: Connection, context: CommandContext): VaultClient {
  const wire = patientWire(connection, context);
  const client: VaultClient = {
    token: '',
    wrapTtl: connection.wrapTtl,
    send,
    async ask(request) {
      const { body, refusal } = await send(request);
      if (refusal) throw refusal;
      return parseSecret(body);
    },
    async find(request) {
      const { status, body, refusal } = await send(request);
      if (status === 404) return substance(body);
      if (refusal) throw refusal;
      return parseSecret(body);
    },
    async change(request) {
      const { status, body, refusal } = await send(request);
      if (!refusal) return { secret: parseSecret(body) };
      return { refusal, ...(status === 404 ? { secret: substance(body) } : {}) };
    },
    async transfer({ method, path, body }) {
      refuseUnprintable(client.token);
      const headers = requestHeaders(path);
      const url = requestUrl(connection.address, path);
      if (connection.instead) throw new ShowInstead(shown(connection, { method, path }, { url, headers }));
      const response = await wire.open({ method, url, headers, ...(body ? { body } : {}) });
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return response;
      const chunks = await response.toArray();
      const told = { status, headers: response.headers, body: Buffer.concat(chunks as Buffer[]) };
      throw refusalOf(method, url, told);
    },
    close: () => wire.close(),
  };
  return client;

  async function send(request: VaultRequest): Promise<Answer> {
    refuseUnprintable(client.token);
    const headers = {
      ...requestHeaders(request.path),
      ...(request.method === 'PATCH' ? { 'Content-Type': 'application/merge-patch+json' } : {}),
    };
    const body = requestBody(request);
    const asked = requestUrl(connection.address, request.path, request.query);
    if (connection.instead) throw new ShowInstead(shown(connection, request, { url: asked, headers, body }));
    const { url, response } = await wire.send({ method: request.method, url: asked, headers, body });
    const answer = { status: response.status, body: response.body.toString('utf8') };
    return response.status >= 200 && response.status < 400
      ? answer
      : { ...answer, refusal: refusalOf(request.method, url, response) };
  }

  function requestHeaders(path: string): Headers {
    // The one endpoint that does nothing but wrap wraps for five minutes where nobody says otherwise.
    const wrapTtl = client.wrapTtl ?? (path === 'sys/wrapping/wrap' ? '5m' : undefined);
    return {
      ...connection.headers,
      ...(client.token ? { 'X-Vault-Token': client.token } : {}),
      ...(wrapTtl ? { 'X-Vault-Wrap-TTL': wrapTtl } : {}),
    };
  }
}

/** What is printed in the place of a request. */
function shown(
  connection: Connection,
  request: VaultRequest,
  { url, headers, body }: { url: string; headers: Headers; body?: string | undefined },
): string {
  if (connection.instead === 'policy') return policyFor(request);
  const insecure = connection.http.insecure === true;
  return curlCommand({
    method: request.method,
    url,
    headers,
    insecure,
    files: connection.files,
    ...(body ? { body } : {}),
  });
}

/** The secret in a "not found" answer that says more than that. */
function substance(body: string): Secret | undefined {
  const secret = parseSecret(body);
  const says = secret && ((secret.warnings?.length ?? 0) > 0 || Object.keys(secret.data ?? {}).length > 0);
  return says ? secret : undefined;
}

function refuseUnprintable(token: string): void {
  if (!/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(token)) return;
  throw new Fault('configured Vault token contains non-printable characters and cannot be used', {
    code: 'vault-client.token',
    blame: 'caller',
  });
}

function refusalOf(method: string, url: string, { status, headers, body }: HttpResponse): Fault {
  const namespace = headers['x-vault-namespace'];
  const where = namespace && namespace !== 'root/' ? `Namespace: ${String(namespace)}\n` : '';
  const raw = body.toString('utf8');
  const errors = errorsIn(raw);
  const kind = errors ? 'Errors' : 'Raw Message';
  const message = errors ? errors.map((error) => `* ${error}`).join('') : raw;
  return new Fault(
    `Error making API request.\n\n${where}URL: ${method} ${url}\nCode: ${status}. ${kind}:\n\n${message}`,
    { code: 'vault-client.refused', blame: status < 500 ? 'caller' : 'peer' },
  );
}

/** The `errors` of a refusal; undefined where its body is no JSON. */
function errorsIn(body: string): string[] | undefined {
  let document: Value;
  try {
    document = parseJson(body);
  } catch {
    return undefined;
  }
  const errors = isObject(document) ? document.errors : undefined;
  return isList(errors) ? errors.map(text) : [];
}

/** An answer outside the envelope (seal status, leader), to a write where `body` is given. Refusals are thrown. */
export async function askPlain(client: VaultClient, path: string, body?: Value) {
  const request =
    body === undefined ? { method: 'GET' as const, path } : { method: 'PUT' as const, path, body };
  const answer = await client.send(request);
  if (answer.refusal) throw answer.refusal;
  return parseDocument(answer.body);
}
