import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { sleep } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { type HttpResponse, httpClient } from '../../wire/http-client.ts';
import type { CommandContext } from '../command.ts';
import type { Connection } from './connection.ts';
import { networkFault } from './network-fault.ts';

export type Headers = Readonly<Record<string, string | readonly string[]>>;

export interface WireRequest {
  method: string;
  url: string;
  headers: Headers;
  body: string | undefined;
}

/** Sends requests again where the connection says so, and after one redirect to where it leads. */
export interface PatientWire {
  /** The answer, and the URL that gave it. No answer at all is a Fault `vault-client.unreachable`. */
  send(request: WireRequest): Promise<{ url: string; response: HttpResponse }>;
  /** The answer as it comes, to a request that is sent once only. */
  open(request: Omit<WireRequest, 'body'> & { body?: Readable }): Promise<IncomingMessage>;
  close(): void;
}

export function patientWire(
  { http: options, retries, followRedirect }: Connection,
  context: CommandContext,
): PatientWire {
  const http = httpClient(options);
  return {
    async send(request) {
      const response = await exchange(request);
      const url = followRedirect ? redirectTarget(request.url, response) : undefined;
      if (url === undefined) return { url: request.url, response };
      return { url, response: await exchange({ ...request, url }) };
    },
    async open({ method, url, headers, body }) {
      try {
        return await http.open({
          ...{ method, url, signal: context.signal, headers: headers as Record<string, string | string[]> },
          ...(body ? { body } : {}),
        });
      } catch (error) {
        throw error instanceof Fault ? networkFault(error, method, url) : error;
      }
    },
    close: () => http.close(),
  };

  async function exchange({ method, url, headers, body }: WireRequest): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await http.send({
          method,
          url,
          headers: headers as Record<string, string | string[]>,
          signal: context.signal,
          ...(body === undefined ? {} : { body }),
        });
        if (attempt > retries || !worthRetrying(response.status)) return response;
        await waitBefore(attempt, response);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        if (attempt > retries || context.signal.aborted) throw networkFault(error, method, url);
        await waitBefore(attempt);
      }
    }
  }

  /** As long as the server asked for, else between 1 and 1.5 seconds for each attempt so far. */
  async function waitBefore(attempt: number, response?: HttpResponse): Promise<void> {
    const asked = Number(response?.headers['retry-after'] ?? NaN);
    const jitterMs = (context.entropy.bytes(1)[0]! / 255) * 500;
    const delayMs = Number.isFinite(asked) ? asked * 1_000 : (1_000 + jitterMs) * attempt;
    // The clock's timers do not keep the process alive, and between two attempts nothing else does.
    const alive = setTimeout(() => {}, 2 ** 31 - 1);
    await sleep(context.clock, delayMs, context.signal);
    clearTimeout(alive);
  }
}

/** Busy (429), failing (5xx but for "not implemented"), or not yet caught up with a write (412). */
function worthRetrying(status: number): boolean {
  return status === 412 || status === 429 || (status >= 500 && status !== 501);
}

function redirectTarget(url: string, { status, headers }: HttpResponse): string | undefined {
  if (![301, 302, 307].includes(status) || headers.location === undefined) return undefined;
  const target = new URL(headers.location, url);
  if (url.startsWith('https:') && target.protocol !== 'https:') {
    throw new Fault('redirect would cause protocol downgrade', {
      code: 'vault-client.redirect',
      blame: 'peer',
    });
  }
  return target.href;
}
