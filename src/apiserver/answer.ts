import type { ServerResponse } from 'node:http';
import type { Status } from './status-errors.ts';

/** A finished answer. */
export interface Answer {
  code: number;
  contentType: string;
  body: Buffer | string | readonly Buffer[];
  headers?: Record<string, string>;
}

/** An answer that goes on: it writes to the response itself until either end hangs up. */
export interface StreamedAnswer {
  stream(response: ServerResponse): void;
}

export function json(value: unknown, code = 200): Answer {
  return { code, contentType: 'application/json', body: JSON.stringify(value) };
}

export function text(body: string, code = 200): Answer {
  return { code, contentType: 'text/plain; charset=utf-8', body };
}

export function statusAnswer(status: Status): Answer {
  const answer = json(status, status.code);
  const wait = status.details?.retryAfterSeconds;
  return wait === undefined ? answer : { ...answer, headers: { 'retry-after': String(wait) } };
}

/** Sends `answer`; `warnings` become Warning headers as RFC 9111's predecessor (RFC 7234 section 5.5) wrote them. */
export function sendAnswer(response: ServerResponse, answer: Answer, warnings: readonly string[]): void {
  const chunks = Array.isArray(answer.body)
    ? (answer.body as Buffer[])
    : [Buffer.from(answer.body as string)];
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  response.writeHead(answer.code, {
    'content-type': answer.contentType,
    'content-length': length,
    'cache-control': 'no-cache, private',
    ...answer.headers,
    ...warningHeaders(warnings),
  });
  if (response.req.method === 'HEAD') {
    response.end();
    return;
  }
  response.end(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length));
}

const warningLimit = 50;

export function warningHeaders(warnings: readonly string[]): Record<string, string[]> {
  if (warnings.length === 0) return {};
  const lines = [...new Set(warnings)].slice(0, warningLimit).map((line) => `299 - ${quoted(line)}`);
  return { warning: lines };
}

/** As an HTTP quoted-string; what a header cannot hold is written as escapes. */
function quoted(line: string): string {
  // biome-ignore lint: control characters are what is being removed
  return `"${line.replaceAll(/["\\]/g, '\\$&').replaceAll(/[^\x20-\x7e]/g, '?')}"`;
}
