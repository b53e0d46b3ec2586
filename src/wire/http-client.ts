import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { Fault } from '../base/fault.ts';

export interface HttpClientOptions {
  /** PEM bundle that the server's certificate must chain to; the machine's own roots where absent. */
  ca?: string;
  /** Client certificate chain and key, PEM. */
  clientCertificate?: string;
  clientKey?: string;
  /** The name the server's certificate must hold where it differs from the URL's host. */
  serverName?: string;
  /** Accept any server certificate. Only for what the user asked for by name (`--insecure`). */
  insecure?: boolean;
  /** A Unix socket to reach the server by, whatever host the URL names. */
  socketPath?: string;
  /** How long a request may wait for its answer's head, and `send` for more of its body; real milliseconds. */
  timeoutMs?: number;
}

export interface HttpRequest {
  method: string;
  url: string | URL;
  headers?: OutgoingHttpHeaders;
  /** A stream is sent as it comes, once. */
  body?: string | Uint8Array | Readable;
  signal?: AbortSignal;
}

export interface HttpResponse {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** A small HTTP/1.1 client with kept connections. Every failure to get an answer is a Fault `wire.request.*`. */
export interface HttpClient {
  /** The whole answer, read into memory up to 64 MiB. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** The answer's head at once and its body as it comes (a watch); abort `signal` to hang up. */
  open(request: HttpRequest): Promise<IncomingMessage>;
  /** Hangs up every connection. */
  close(): void;
}

const bodyLimitBytes = 64 * 2 ** 20;

export function httpClient(options: HttpClientOptions = {}): HttpClient {
  const { ca, clientCertificate, clientKey, serverName, insecure, socketPath, timeoutMs = 60_000 } = options;
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate, key: clientKey }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    rejectUnauthorized: !insecure,
  };
  const agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent({ keepAlive: true, ...tls }),
  };

  function open(request: HttpRequest): Promise<IncomingMessage> {
    const url = new URL(request.url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new Fault(`${url.href} is not an http or https address`, {
        code: 'wire.request.url',
        blame: 'caller',
        fix: 'start it with http:// or https://',
      });
    }
    const secure = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const sent = (secure ? https : http).request(url, {
        method: request.method,
        headers: { ...contentLength(request), ...request.headers },
        agent: secure ? agents['https:'] : agents['http:'],
        ...(socketPath === undefined ? {} : { socketPath }),
        ...(request.signal ? { signal: request.signal } : {}),
      });
      const wait = () =>
        setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      let late = wait();
      sent.once('response', (response) => {
        clearTimeout(late);
        resolve(response);
      });
      sent.once('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(late);
        reject(requestFault(error, request.method, url));
      });
      if (!(request.body instanceof Readable)) return void sent.end(request.body);
      // However long it takes to send: the answer is waited for afterwards.
      clearTimeout(late);
      sent.once('finish', () => {
        late = wait();
      });
      request.body.once('error', (error) => sent.destroy(error)).pipe(sent);
    });
  }

  return {
    open,
    async send(request) {
      const response = await open(request);
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: await wholeBody(response, request, timeoutMs),
      };
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

/** @throws Fault `wire.request.failed` where it breaks off, or is larger than what is read into memory */
async function wholeBody(
  response: IncomingMessage,
  { method, url }: HttpRequest,
  timeoutMs: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const hangUp = () => response.destroy(new Error(`no more of the answer within ${timeoutMs} ms`));
  const late = setTimeout(hangUp, timeoutMs);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      late.refresh();
      size += chunk.length;
      if (size > bodyLimitBytes) throw new Error(`the answer is larger than ${bodyLimitBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw requestFault(error as NodeJS.ErrnoException, method, new URL(url));
  } finally {
    clearTimeout(late);
  }
  return Buffer.concat(chunks, size);
}

function contentLength({ body }: HttpRequest): OutgoingHttpHeaders {
  return body === undefined || body instanceof Readable ? {} : { 'content-length': Buffer.byteLength(body) };
}

function requestFault(error: NodeJS.ErrnoException, method: string, url: URL): Fault {
  const where = `${method} ${url.origin}${url.pathname}`;
  const refused = error.code === 'ECONNREFUSED';
  return new Fault(`${where}: ${refused ? `nothing listens on ${url.host}` : error.message}`, {
    code: refused
      ? 'wire.request.refused'
      : error.name === 'AbortError'
        ? 'wire.request.aborted'
        : 'wire.request.failed',
    blame: 'peer',
    ...(refused ? { fix: 'start it, or correct the address' } : {}),
    cause: error,
  });
}
