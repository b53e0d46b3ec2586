import http from 'node:http';
import { type ListenAddress, type Listening, listen } from '../wire/http-server.ts';

/** Linkerd's admin port: `/ping` for liveness, `/ready` for readiness, `/metrics` for Prometheus. */
export async function startAdmin(options: {
  listen: ListenAddress;
  ready(): boolean;
  metrics(): string;
}): Promise<Listening> {
  const server = http.createServer((request, response) => {
    const text = (status: number, body: string) => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'method not allowed\n');
    switch (request.url?.split('?')[0]) {
      case '/ping':
        return text(200, 'pong\n');
      case '/ready':
        return options.ready() ? text(200, 'ok\n') : text(503, 'not ready\n');
      case '/metrics':
        response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
        return void response.end(options.metrics());
      default:
        return text(404, 'not found\n');
    }
  });
  return await listen(server, options.listen);
}
