import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { httpClient } from './http-client.ts';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function trickle(response: ServerResponse): Promise<void> {
  for (let part = 0; part < 6; part++) {
    response.write('x');
    await sleep(300);
  }
  response.end();
}

// Whoever waits for keys or for a review of a token would wait for good, and so would all who wait for the same.
test('an answer that stops half-way is not waited for', async () => {
  const url = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"keys":[');
  });
  const client = httpClient({ timeoutMs: 100 });
  await expect(client.send({ method: 'GET', url })).rejects.toThrow('no more of the answer within 100 ms');
  client.close();
});

test('one that keeps coming may take longer', async () => {
  const url = await serve((_, response) => void trickle(response));
  const client = httpClient({ timeoutMs: 1_500 });
  expect((await client.send({ method: 'GET', url })).body.toString()).toBe('xxxxxx');
  client.close();
});
