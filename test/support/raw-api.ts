import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { ApiServer } from '../../src/apiserver/server.ts';
import { type HttpClient, httpClient } from '../../src/wire/http-client.ts';
import { formatAddress } from '../../src/wire/http-server.ts';

export interface RawAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  // The tests look into whatever the server says; every expectation is a check of its type.
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

export interface RawEvent {
  type: string;
  // oxlint-disable-next-line typescript/no-explicit-any
  object: any;
}

export interface RawWatch {
  /** The next event; rejects when the stream has ended. */
  next(): Promise<RawEvent>;
  /** Resolves when the server ends the stream. */
  ended: Promise<void>;
  stop(): void;
}

/** The API spoken to without any client library between: every header and body is the test's own. */
export interface RawApi {
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<RawAnswer>;
  watch(path: string, headers?: Record<string, string>): Promise<RawWatch>;
  close(): void;
}

/** As `user`; as nobody at all where `user` is null. */
export async function rawApi(
  server: Pick<ApiServer, 'address' | 'ca' | 'clientCredentials'>,
  user: string | null = 'kubernetes-admin',
  groups: readonly string[] = ['system:masters'],
): Promise<RawApi> {
  const credentials = user === null ? undefined : await server.clientCredentials(user, groups);
  const http = httpClient({
    ca: server.ca,
    ...(credentials ? { clientCertificate: credentials.certificate, clientKey: credentials.key } : {}),
  });
  const url = (path: string) => `https://${formatAddress(server.address)}${path}`;
  return {
    async send(method, path, body, headers = {}) {
      const answer = await http.send({
        method,
        url: url(path),
        headers: { 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const isJson = (answer.headers['content-type'] ?? '').startsWith('application/json');
      const text = answer.body.toString();
      return {
        status: answer.status,
        headers: answer.headers,
        body: isJson && text !== '' ? JSON.parse(text) : text,
      };
    },
    watch: (path, headers = {}) => openWatch(http, url(path), headers),
    close: () => http.close(),
  };
}

async function openWatch(http: HttpClient, url: string, headers: Record<string, string>): Promise<RawWatch> {
  const abort = new AbortController();
  const response = await http.open({ method: 'GET', url, headers, signal: abort.signal });
  const lines = createInterface({ input: response });
  const queue: RawEvent[] = [];
  const waiting: { resolve: (event: RawEvent) => void; reject: (error: Error) => void }[] = [];
  let over = false;
  lines.on('line', (line) => {
    const event = JSON.parse(line) as RawEvent;
    const first = waiting.shift();
    if (first) first.resolve(event);
    else queue.push(event);
  });
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      over = true;
      for (const { reject } of waiting.splice(0)) reject(new Error('the watch has ended'));
      resolve();
    };
    lines.once('close', end);
    response.on('error', end);
    lines.on('error', end);
  });
  return {
    ended,
    next() {
      const event = queue.shift();
      if (event) return Promise.resolve(event);
      if (over) return Promise.reject(new Error('the watch has ended'));
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    stop: () => abort.abort(),
  };
}
