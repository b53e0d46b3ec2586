import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type SecureVersion, TLSSocket } from 'node:tls';
import { type Entropy, uuid } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { sideBySide } from '../../base/side-by-side.ts';
import { readBody } from '../../wire/http-server.ts';
import { peerChain } from '../../wire/peer-chain.ts';
import type { Core } from '../core.ts';
import { invalidRequest, statusOf } from '../faults.ts';
import type { RequestOrigin } from '../routing/route.ts';
import { takesSnapshot } from '../snapshot/snapshot-routes.ts';
import type { statusPaths } from '../sys/status.ts';
import type { ChallengeAnswers } from './challenge-answers.ts';
import { answerHandshakes } from './challenge-handshakes.ts';
import { errorAnswer, type HttpAnswer, jsonAnswer, wrapError, wrapReply } from './envelope.ts';
import { isDeeperThan } from './json-depth.ts';
import { answerBare, readListRequest } from './list-method.ts';
import { bodyFields, type HttpParts, messageOf, readApiRequest, readTarget, single } from './read-request.ts';
import { readWrapTtl } from './wrap-header.ts';

/** What a listener takes of one request. */
export interface RequestLimits {
  /** The largest body that is read. */
  bodyBytes: number;
  /** How long a client may take to send a request. */
  sendMs: number;
  /** How deep objects and arrays may stand in each other. */
  jsonDepth: number;
}

/** Vault's own. */
export const standardLimits: RequestLimits = {
  bodyBytes: 32 * 1_024 * 1_024,
  sendMs: 90_000,
  jsonDepth: 300,
};

/** What a listener speaks TLS with: PEM. */
export interface TlsMaterial {
  /** The server's certificate and what chains it up. */
  cert: string;
  key: string;
  minVersion?: SecureVersion;
  /** Which CAs a client's certificate may be of where it is required; the machine's where absent. */
  clientCa?: string;
  /**
   * Any client may show a certificate, and what it is good for is for the auth method that it logs in by to judge;
   * or it must show one that `clientCa` vouches for; or none is asked for. The first where absent.
   */
  clientCertificates?: 'asked' | 'required' | 'none';
}

export interface ListenerOptions {
  core: Core;
  status: ReturnType<typeof statusPaths>;
  entropy: Entropy;
  log: Log;
  /** Plain HTTP where absent. */
  tls?: TlsMaterial | undefined;
  limits?: RequestLimits | undefined;
  /** What a CA may come and ask for. */
  challenges?: ChallengeAnswers | undefined;
}

/** What Node makes of it; also for `setSecureContext`. */
export function tlsOptions({ cert, key, minVersion, clientCa, clientCertificates }: TlsMaterial) {
  return {
    cert,
    key,
    minVersion: minVersion ?? ('TLSv1.2' as const),
    ...(clientCa ? { ca: clientCa } : {}),
    requestCert: clientCertificates !== 'none',
    rejectUnauthorized: clientCertificates === 'required',
  };
}

/** An HTTP server that speaks Vault's API; not listening yet. */
export function vaultListener(options: ListenerOptions): Server {
  const answer: RequestListener = (request, response) => {
    respond(request, response, options).catch((error: unknown) => {
      options.log.error('an answer could not be sent', { error: told(error) });
      response.destroy();
    });
  };
  const timeouts = { requestTimeout: (options.limits ?? standardLimits).sendMs };
  const server = options.tls
    ? createTlsServer({ ...timeouts, ...tlsOptions(options.tls) }, answer)
    : createServer(timeouts, answer);
  if (options.tls && options.challenges) answerHandshakes(server, options.challenges);
  server.on('clientError', (error: Error, socket: Duplex) => void respondBare(error, socket, options));
  return server;
}

/** Of one process: all its listeners share the processor. */
const turn = sideBySide();

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: ListenerOptions,
): Promise<void> {
  const { method = 'GET', url: target = '/', headers } = request;
  const { bodyBytes, jsonDepth } = options.limits ?? standardLimits;
  let answer: HttpAnswer;
  try {
    const streamed = isStreamed(method, target);
    const body = method === 'GET' || streamed ? Buffer.alloc(0) : await readBody(request, bodyBytes);
    if (isDeeperThan(body, jsonDepth)) throw tooDeep(jsonDepth);
    const connection = connectionOf(request.socket);
    const parts = {
      method,
      target,
      headers,
      body,
      connection,
      ...(streamed ? { stream: bodyOf(request) } : {}),
    };
    await turn();
    answer = await answerRequest(parts, options);
    // What is left of it is let pass by: clients read no answer before they have sent everything.
    if (streamed) request.resume();
  } catch (error) {
    answer = bodyError(error);
    // What is left of the body is not read.
    response.setHeader('Connection', 'close');
  }
  const sent: Record<string, string | string[]> = fixedHeaders(headers);
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    sent[name] = typeof value === 'string' ? value : [...value];
  }
  if (answer.status !== 204) sent['Content-Type'] = answer.contentType;
  if (answer.status !== 204 && !answer.stream) sent['Content-Length'] = String(answer.body.length);
  response.writeHead(answer.status, sent);
  // What breaks off is not ended properly, so that the client knows.
  if (answer.stream) return pipeline(answer.stream, response);
  response.end(method === 'HEAD' || answer.status === 204 ? undefined : answer.body);
}

/** Who stops reading half-way still answers on the same connection. */
function bodyOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

/** Not for those whom nobody has let in: the body is read once the request was. */
function isStreamed(method: string, target: string): boolean {
  return takesSnapshot(method, target.split('?')[0]!.replace(/^\/v1\//, ''));
}

function tooDeep(limit: number): Fault {
  return invalidRequest(`failed to parse JSON input: it is nested deeper than ${limit} levels`);
}

function bodyError(error: unknown): HttpAnswer {
  if (error instanceof Fault && error.code === 'wire.body.large') {
    return errorAnswer(413, 'failed to parse JSON input: http: request body too large');
  }
  return wrapError(error);
}

/** Requests that Node could not read: LIST, and what really is malformed. */
async function respondBare(error: Error, socket: Duplex, options: ListenerOptions): Promise<void> {
  const { code = '' } = error as NodeJS.ErrnoException;
  // A handshake that failed leaves nobody to answer.
  if (!socket.writable || code === 'ECONNRESET' || code.startsWith('ERR_SSL_')) {
    socket.destroy();
    return;
  }
  const parts = readListRequest(error, connectionOf(socket));
  const tooLarge = code === 'HPE_HEADER_OVERFLOW';
  const answer = parts ? await answerRequest(parts, options) : errorAnswer(tooLarge ? 431 : 400);
  answerBare(socket, answer, fixedHeaders(parts?.headers ?? {}));
}

function originOf({ method, headers, connection, stream }: HttpParts): RequestOrigin {
  return { method, headers, ...connection, ...(stream ? { body: stream } : {}) };
}

/** The far end of a socket; over a Unix socket it has no address. */
function connectionOf(socket: Duplex): HttpParts['connection'] {
  const { remoteAddress = '', remotePort = 0 } = socket as Socket;
  return {
    remoteAddress,
    remotePort,
    peerCertificates: socket instanceof TLSSocket ? peerChain(socket) : [],
  };
}

function fixedHeaders(headers: HttpParts['headers']): Record<string, string> {
  const namespace = single(headers['x-vault-namespace']);
  return {
    'Cache-Control': 'no-store',
    'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    ...(namespace ? { 'X-Vault-Namespace': namespace } : {}),
  };
}

/** Everything but the socket: an HTTP request to an HTTP answer. Never rejects. */
async function answerRequest(parts: HttpParts, options: ListenerOptions): Promise<HttpAnswer> {
  const answer = await answerOrError(parts, options);
  const [path] = parts.target.split('?');
  options.log.debug('request', { method: parts.method, path, status: answer.status });
  return answer;
}

async function answerOrError(parts: HttpParts, options: ListenerOptions): Promise<HttpAnswer> {
  const { core, status, entropy, log } = options;
  try {
    const proof = options.challenges?.text(parts.target);
    if (proof !== undefined) {
      return { status: 200, contentType: 'application/octet-stream', body: Buffer.from(proof) };
    }
    const target = readTarget(parts.target);
    if (!target) return errorAnswer(404);
    const statusPath = Object.hasOwn(status, target.path) ? status[target.path] : undefined;
    if (statusPath) {
      const answer = await statusPath({
        method: parts.method,
        query: target.query,
        fields: () => bodyFields(parts),
      });
      return jsonAnswer(answer.status, answer.body);
    }
    checkHeaders(parts.headers);
    const wrapTtlMs = readWrapTtl(parts.headers);
    const request = readApiRequest(target, parts);
    if (!request) return errorAnswer(405);
    const id = uuid(entropy);
    const reply = await core.handle({
      id,
      ...request,
      ...(wrapTtlMs > 0 ? { wrapTtlMs } : {}),
      origin: { ...originOf(parts), ...messageOf(parts) },
    });
    return wrapReply(id, request.operation, reply);
  } catch (error) {
    if (!(error instanceof Fault) || (statusOf(error) >= 500 && error.blame !== 'caller')) {
      log.error('a request failed', {
        method: parts.method,
        path: parts.target.split('?')[0],
        error: told(error),
      });
    }
    return wrapError(error);
  }
}

/** The stack where it is a bug, the words where it is known what happened. */
function told(error: unknown): string {
  if (error instanceof Fault) return `${error.code}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** What would change the meaning of an answer and is not there is refused, not passed over. */
function checkHeaders(headers: HttpParts['headers']): void {
  const namespace = (single(headers['x-vault-namespace']) ?? '').replaceAll('/', '');
  if (namespace !== '' && namespace !== 'root') throw invalidRequest('namespaces feature not enabled');
}
