import { createServer } from 'node:http';
import { listen, readBody } from '../../src/wire/http-server.ts';

export interface Recorded {
  method: string;
  /** Path and query, as they came. */
  url: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  /** An object goes out as JSON. */
  body?: string | object;
}

export interface RecordingServer {
  /** `http://127.0.0.1:port`, no slash behind. */
  address: string;
  requests: Recorded[];
  /** The replies still to give, first come first served; an empty 204 when they are used up. */
  replies: Reply[];
  close(): Promise<void>;
}

/** An HTTP server that writes down what it is asked and answers what it was told to. */
export async function recordingServer(): Promise<RecordingServer> {
  const requests: Recorded[] = [];
  const replies: Reply[] = [];
  const server = createServer((request, response) => {
    void readBody(request, 2 ** 20).then((body) => {
      const { method = '', url = '', headers } = request;
      requests.push({ method, url, headers, body: body.toString('utf8') });
      const reply = replies.shift() ?? { status: 204 };
      response.writeHead(reply.status ?? 200, reply.headers);
      response.end(typeof reply.body === 'object' ? JSON.stringify(reply.body) : reply.body);
    });
  });
  const listening = await listen(server, { host: '127.0.0.1', port: 0 });
  return {
    address: `http://127.0.0.1:${listening.address.port}`,
    requests,
    replies,
    close: () => listening.close(0),
  };
}
