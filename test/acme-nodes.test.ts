import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { memoryStore } from '../src/store/memory.ts';
import { type AcmeServer, acmeServer, testNetwork } from './support/acme.ts';
import { certified, dns } from './support/acme-flow.ts';
import { jws, problemType, RawClient } from './support/acme-raw.ts';

// Two servers over one store, behind one address that hands requests to each in turn.

const network = testNetwork();
let nodes: AcmeServer[];
let balancer: Server;
let turn = 0;

function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { port } = nodes[turn++ % nodes.length]!.server.address;
  const { method, url: path, headers } = incoming;
  const onwards = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode!, answer.headers);
    answer.pipe(outgoing);
  });
  incoming.pipe(onwards);
}

let client: RawClient;
beforeEach(async () => {
  const store = memoryStore();
  nodes = [await acmeServer({ store, network }), await acmeServer({ store, network })];
  balancer = createServer(forward);
  await new Promise<void>((resolve) => balancer.listen(0, '127.0.0.1', resolve));
  const api = `http://127.0.0.1:${(balancer.address() as AddressInfo).port}/v1/pki`;
  await nodes[0]!.call('POST', 'pki/config/cluster', { path: api });
  client = new RawClient(`${api}/acme/directory`);
});
afterEach(async () => {
  for (const node of nodes) await node.close();
  balancer.closeAllConnections();
  await new Promise((resolve) => balancer.close(resolve));
});

test('accounts, orders and challenges are known on every node', async () => {
  await client.register();
  const certificates = await Promise.all(
    ['a.example', 'b.example', 'c.example'].map((name) => certified(network, client, [name])),
  );
  expect(certificates.map(([leaf]) => leaf!.subjectAltNames[0]!.value)).toEqual([
    'a.example',
    'b.example',
    'c.example',
  ]);
  expect((await client.post('orders')).body.orders).toHaveLength(3);
});

test('a nonce that one node took is spent on all', async () => {
  await client.register();
  const url = `${client.base}/orders`;
  const body = jws({ kid: client.kid, nonce: await client.nonce(), url }, undefined, client.key);
  const replies = await Promise.all(Array.from({ length: 8 }, () => client.send(url, body)));
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(replies.filter((reply) => problemType(reply) === 'badNonce')).toHaveLength(7);
});

test('a key has one account, however many nodes are asked for it at once', async () => {
  const replies = await Promise.all(Array.from({ length: 6 }, () => client.post('new-account', {})));
  expect(new Set(replies.map(({ headers }) => headers.get('location'))).size).toBe(1);
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
});

test('what a node is told of settings holds on the other', async () => {
  await client.register();
  await nodes[0]!.call('POST', 'pki/config/acme', { eab_policy: 'always-required' });
  for (const _ of nodes) {
    expect(problemType(await client.post('new-order', { identifiers: dns('a.example') }))).toBe(
      'externalAccountRequired',
    );
  }
});
