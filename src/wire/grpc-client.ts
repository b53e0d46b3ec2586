import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import { Fault } from '../base/fault.ts';
import { decodeStatusMessage, formatTimeout, frameMessage, messageCollector } from './grpc-framing.ts';
import { grpcCodeFromNumber, grpcFault } from './grpc-status.ts';

export interface UnaryCall {
  /** A connected stream to the server: a TCP socket, or a TLS one whose peer has already been judged. */
  connect(signal: AbortSignal): Promise<Duplex>;
  /** `:authority`, the server's name. */
  authority: string;
  path: string;
  message: Buffer;
  /** For the whole call, connecting included, in real milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal;
  messageLimitBytes?: number;
}

/**
 * One unary call over a connection of its own, as linkerd2-proxy makes its calls to identity (they are rare, and a
 * connection kept would pin one replica). `:scheme` is http over TLS too: the TLS is the mesh's, below HTTP.
 *
 * @throws Fault `grpc.<status>` with the server's message; `grpc.unavailable` where it cannot be reached,
 *   `grpc.deadline-exceeded`, `grpc.cancelled`; whatever `connect` throws as a Fault, unchanged.
 */
export async function callUnary(call: UnaryCall): Promise<Buffer> {
  const deadline = AbortSignal.timeout(call.timeoutMs);
  const signal = call.signal ? AbortSignal.any([call.signal, deadline]) : deadline;
  let socket: Duplex | undefined;
  let session: ClientHttp2Session | undefined;
  try {
    const connected = await untilAborted(connect(call, signal), signal);
    socket = connected;
    session = http2.connect(`http://${call.authority}`, { createConnection: () => connected });
    return await untilAborted(exchange(session, call), signal);
  } catch (error) {
    if (call.signal?.aborted) throw grpcFault('cancelled', 'the call was cancelled', error);
    if (deadline.aborted) {
      throw grpcFault('deadline-exceeded', `no answer within ${call.timeoutMs} ms`, error);
    }
    if (error instanceof Fault) throw error;
    throw grpcFault('unavailable', error instanceof Error ? error.message : String(error), error);
  } finally {
    session?.destroy();
    socket?.destroy();
  }
}

async function connect(call: UnaryCall, signal: AbortSignal): Promise<Duplex> {
  const socket = await call.connect(signal);
  // What breaks it is told by the HTTP/2 session; once that is gone nobody asks any more.
  socket.on('error', () => {});
  if (signal.aborted) socket.destroy();
  return socket;
}

function exchange(session: ClientHttp2Session, call: UnaryCall): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    session.once('close', () => reject(new Error('the server closed the connection')));
    const stream = session.request({
      ':method': 'POST',
      ':scheme': 'http',
      ':path': call.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': formatTimeout(call.timeoutMs),
      'user-agent': 'capstan',
    });
    readAnswer(stream, call.messageLimitBytes ?? 4 * 2 ** 20).then(resolve, reject);
    stream.end(frameMessage(call.message));
  });
}

function readAnswer(stream: ClientHttp2Stream, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const collector = messageCollector(limitBytes);
    let status: { code: string; message: string } | undefined;
    const note = (headers: IncomingHttpHeaders) => {
      const code = headers['grpc-status'];
      if (code !== undefined) status = { code: textOf(code), message: textOf(headers['grpc-message']) };
    };
    stream.on('error', reject);
    stream.once('response', (headers) => {
      note(headers);
      if (headers[':status'] !== 200 && !status) {
        reject(grpcFault('unavailable', `the server answers HTTP status ${headers[':status']}`));
      }
    });
    stream.once('trailers', note);
    stream.on('data', (chunk: Buffer) => {
      try {
        collector.add(chunk);
      } catch (error) {
        reject(error);
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
    });
    stream.once('close', () => {
      try {
        resolve(settle(status, collector));
      } catch (error) {
        reject(error);
      }
    });
  });
}

function textOf(header: string | string[] | undefined): string {
  return Array.isArray(header) ? header.join(', ') : (header ?? '');
}

function settle(
  status: { code: string; message: string } | undefined,
  collector: ReturnType<typeof messageCollector>,
): Buffer {
  if (!status) throw grpcFault('unavailable', 'the answer ended without a status');
  if (status.code === '0') return collector.message();
  const code = grpcCodeFromNumber(Number(status.code));
  throw grpcFault(
    code === 'ok' ? 'unknown' : code,
    decodeStatusMessage(status.message) || `status ${status.code}`,
  );
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new Error('aborted'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
