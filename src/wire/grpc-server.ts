import http2, { type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import net, { type Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { type Log, silentLog } from '../base/log.ts';
import { encodeStatusMessage, frameMessage, messageCollector, parseTimeout } from './grpc-framing.ts';
import { type GrpcStatus, grpcCodes, grpcFault, statusOf } from './grpc-status.ts';
import { type ListenAddress, type Listening, listen } from './http-server.ts';

export interface CallContext {
  /** Aborts when the deadline passed, the client cancelled or its connection broke. */
  signal: AbortSignal;
  /** The client's address, for logs. */
  peer: string;
}

/** Answers one unary call, message to message; a Fault thrown becomes the call's status (see `statusOf`). */
export type UnaryMethod = (message: Buffer, call: CallContext) => Promise<Buffer>;

export interface ServingCredential {
  /** The leaf and its intermediates, PEM. */
  certificate: string;
  key: string;
}

export interface GrpcServerOptions {
  listen: ListenAddress;
  /** By their whole path: `/io.linkerd.proxy.identity.Identity/Certify`. */
  methods: Readonly<Record<string, UnaryMethod>>;
  /** TLS 1.3 where true, cleartext HTTP/2 with prior knowledge where not. Client certificates are never asked for. */
  tls: boolean;
  log?: Log;
  messageLimitBytes?: number;
  /** The longest a call may take, in real milliseconds, whatever deadline its client set. */
  callLimitMs?: number;
  /** Calls under way at once over all connections; further ones are told UNAVAILABLE. */
  concurrencyLimit?: number;
  /** Told of the start of every call that reached a known method; what it answers is told of the rest. */
  observe?: (path: string) => CallObserver;
}

export interface CallObserver {
  /** The request's message is here, whole. */
  received(): void;
  handled(status: GrpcStatus['code']): void;
}

export interface GrpcServer {
  address: ListenAddress;
  /** The certificate that new TLS connections are shown; open ones go on. Until the first, handshakes fail. */
  serve(credential: ServingCredential): void;
  /** Stops accepting, tells clients to go elsewhere, lets calls under way finish for `graceMs`, cuts the rest. */
  close(graceMs?: number): Promise<void>;
}

const http2Settings = {
  settings: { maxConcurrentStreams: 1_000, enablePush: false },
  maxSessionMemory: 16,
} as const;
const handshakeTimeoutMs = 10_000;
const idleConnectionMs = 300_000;

/**
 * Serves unary gRPC over HTTP/2.
 *
 * Over TLS a connection is taken with ALPN `h2` and without any: linkerd2-proxy sends none, and Node's own secure
 * HTTP/2 server hangs up on such clients.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { log = silentLog } = options;
  const sessions = new Set<http2.ServerHttp2Session>();
  const calls = callServer(options);
  const speak = (socket: Socket | TLSSocket) => {
    const session = http2.performServerHandshake(socket, http2Settings);
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', (error: Error) => log.debug('a gRPC connection broke', { reason: error.message }));
    session.setTimeout(idleConnectionMs, () => session.close());
    session.on('stream', (stream, headers) => calls.serve(stream, headers, peerOf(socket)));
  };
  const server = options.tls ? tlsServer(log) : net.createServer();
  server.on(options.tls ? 'secureConnection' : 'connection', speak);
  // Without a handler a reset during the handshake would end the process.
  server.on('connection', (socket: Socket) => socket.on('error', () => {}));
  const listening: Listening = await listen(server, options.listen);
  return {
    address: listening.address,
    serve({ certificate, key }) {
      if (server instanceof tls.Server) server.setSecureContext({ ...tlsRules, cert: certificate, key });
    },
    async close(graceMs = 1_000) {
      for (const session of sessions) session.close();
      await listening.close(graceMs);
    },
  };
}

/** No roots are loaded: no client certificate is ever judged here. */
const tlsRules = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ca: [] } satisfies tls.SecureContextOptions;

function tlsServer(log: Log): tls.Server {
  const server = tls.createServer({
    ...tlsRules,
    ALPNProtocols: ['h2'],
    requestCert: false,
    handshakeTimeout: handshakeTimeoutMs,
  });
  server.on('tlsClientError', (error, socket) =>
    log.debug('a TLS handshake failed', { peer: peerOf(socket), reason: error.message }),
  );
  return server;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}

function callServer(options: GrpcServerOptions) {
  const { observe, messageLimitBytes = 4 * 2 ** 20, concurrencyLimit = 10_000 } = options;
  let underWay = 0;

  function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: string): void {
    stream.on('error', () => {});
    if (headers[':method'] !== 'POST') return refuseHttp(stream, 405);
    if (!/^application\/grpc($|[+;])/.test(headers['content-type'] ?? '')) return refuseHttp(stream, 415);
    const call = readCall(headers, options);
    if ('code' in call) return refuse(stream, call);
    if (underWay >= concurrencyLimit) {
      return refuse(stream, { code: 'unavailable', message: 'too many calls at once; try again' });
    }
    underWay++;
    stream.once('close', () => underWay--);
    answer(stream, call, peer);
  }

  function answer(stream: ServerHttp2Stream, { path, method, timeoutMs }: Call, peer: string): void {
    const observed = observe?.(path);
    const abort = new AbortController();
    let over = false;
    const finish = (status: GrpcStatus, message?: Buffer) => {
      if (over) return;
      over = true;
      clearTimeout(late);
      observed?.handled(status.code);
      if (message) succeed(stream, message);
      else refuse(stream, status);
      if (status.code !== 'ok') abort.abort();
    };
    const fail = (error: unknown) => finish(statusOf(error));
    const late = setTimeout(() => fail(grpcFault('deadline-exceeded', 'the deadline passed')), timeoutMs);
    stream.once('close', () => over || fail(grpcFault('cancelled', 'the client went away')));
    receive(stream, messageLimitBytes)
      .then((message) => {
        observed?.received();
        return method(message, { signal: abort.signal, peer });
      })
      .then((reply) => finish({ code: 'ok', message: '' }, reply), fail);
  }

  return { serve };
}

interface Call {
  path: string;
  method: UnaryMethod;
  timeoutMs: number;
}

/** What a request's headers ask for, or the status that they deserve. */
function readCall(
  headers: IncomingHttpHeaders,
  { methods, callLimitMs = 60_000 }: GrpcServerOptions,
): Call | GrpcStatus {
  const path = headers[':path'] ?? '';
  const method = Object.hasOwn(methods, path) ? methods[path] : undefined;
  if (!method) return { code: 'unimplemented', message: `unknown method ${path}` };
  const encoding = headers['grpc-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    return { code: 'unimplemented', message: `compression ${String(encoding)} is not supported` };
  }
  const timeout = headers['grpc-timeout'];
  const timeoutMs = timeout === undefined ? callLimitMs : parseTimeout(String(timeout));
  if (timeoutMs === undefined) {
    return { code: 'internal', message: `malformed grpc-timeout ${String(timeout)}` };
  }
  return { path, method, timeoutMs: Math.min(timeoutMs, callLimitMs) };
}

/** The one message that a client sends. A stream that breaks is told of by its end, not here. */
function receive(stream: ServerHttp2Stream, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const collector = messageCollector(limitBytes);
    stream.on('data', (chunk: Buffer) => {
      try {
        collector.add(chunk);
      } catch (error) {
        stream.removeAllListeners('data').resume();
        reject(error);
      }
    });
    stream.once('end', () => {
      try {
        resolve(collector.message());
      } catch (error) {
        reject(error);
      }
    });
  });
}

const answerHeaders = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity',
};

function succeed(stream: ServerHttp2Stream, message: Buffer): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(answerHeaders, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(frameMessage(message));
}

/** Trailers only: one header block carries the status. */
function refuse(stream: ServerHttp2Stream, { code, message }: GrpcStatus): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(
    {
      ...answerHeaders,
      'grpc-status': String(grpcCodes[code]),
      'grpc-message': encodeStatusMessage(message),
    },
    { endStream: true },
  );
  leave(stream);
}

function refuseHttp(stream: ServerHttp2Stream, status: number): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ':status': status }, { endStream: true });
  leave(stream);
}

/** Whatever the client still sends is no longer wanted: told so by a reset without an error (RFC 9113 8.1). */
function leave(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  stream.once('finish', () => stream.close(http2.constants.NGHTTP2_NO_ERROR));
  stream.resume();
}
