import http from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import { SecretText } from '../base/secret.ts';
import { type Listening, listen, readBody } from '../wire/http-server.ts';
import { kubeClient } from './http-kube-client.ts';
import type { KubeClient, WatchEvent } from './kube-client.ts';
import { configMaps, type KubeObject, namespaces, secrets } from './resource.ts';

interface Seen {
  method: string;
  url: string;
  headers: http.IncomingHttpHeaders;
  body: string;
}

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A client of a server that answers every request by `answer`, and what that server saw. */
async function scripted(
  answer: (request: Seen, response: http.ServerResponse) => unknown,
  pageSize = 500,
): Promise<{ client: KubeClient; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = http.createServer((request, response) => {
    void (async () => {
      const body = (await readBody(request, 1_000_000)).toString();
      const { method = '', url = '', headers } = request;
      seen.push({ method, url, headers, body });
      await answer(seen.at(-1)!, response);
    })();
  });
  const listening: Listening = await listen(server, { host: '127.0.0.1', port: 0 });
  const client = kubeClient(
    { server: `http://127.0.0.1:${listening.address.port}`, token: new SecretText('my-token') },
    { userAgent: 'capstan-test/1', pageSize },
  );
  open.push(
    () => client.close(),
    () => listening.close(0),
  );
  return { client, seen };
}

const json = (response: http.ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

const status = (code: number, reason: string, message: string) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message,
});

const configMap = (name: string, resourceVersion: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'linkerd', resourceVersion },
});

async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Fault)) throw new Error(`no Fault: ${String(error)}`);
  return error;
}

async function collect(
  client: KubeClient,
  signal = new AbortController().signal,
): Promise<{ events: WatchEvent<KubeObject>[]; fault?: Fault }> {
  const events: WatchEvent<KubeObject>[] = [];
  try {
    for await (const event of client.watch(configMaps, {
      namespace: 'linkerd',
      resourceVersion: '5',
      signal,
    })) {
      events.push(event);
    }
    return { events };
  } catch (fault) {
    return { events, fault: fault as Fault };
  }
}

test('each call sends what the API expects', async () => {
  const { client, seen } = await scripted((_, response) => json(response, 200, configMap('a', '1')));
  const object = configMap('a', '1');
  await client.get(configMaps, 'a', 'linkerd');
  await client.create(configMaps, object);
  await client.replace(configMaps, object);
  await client.replaceStatus(configMaps, object);
  await client.apply(configMaps, object, { manager: 'trust-manager', subresource: 'status' });
  await client.mergePatch(configMaps, { name: 'a', namespace: 'linkerd' }, { data: null });
  await client.delete(namespaces, 'a', undefined, { uid: 'u' });
  await client.ask('/apis/authentication.k8s.io/v1/tokenreviews', { spec: {} });
  expect(seen.map(({ method, url, headers }) => [method, url, headers['content-type']])).toEqual([
    ['GET', '/api/v1/namespaces/linkerd/configmaps/a', undefined],
    ['POST', '/api/v1/namespaces/linkerd/configmaps', 'application/json'],
    ['PUT', '/api/v1/namespaces/linkerd/configmaps/a', 'application/json'],
    ['PUT', '/api/v1/namespaces/linkerd/configmaps/a/status', 'application/json'],
    [
      'PATCH',
      '/api/v1/namespaces/linkerd/configmaps/a/status?fieldManager=trust-manager&force=true',
      'application/apply-patch+yaml',
    ],
    ['PATCH', '/api/v1/namespaces/linkerd/configmaps/a', 'application/merge-patch+json'],
    ['DELETE', '/api/v1/namespaces/a', 'application/json'],
    ['POST', '/apis/authentication.k8s.io/v1/tokenreviews', 'application/json'],
  ]);
  expect(seen[0]!.headers).toMatchObject({
    authorization: 'Bearer my-token',
    'user-agent': 'capstan-test/1',
  });
  expect(JSON.parse(seen[6]!.body)).toMatchObject({
    kind: 'DeleteOptions',
    propagationPolicy: 'Background',
    preconditions: { uid: 'u' },
  });
});

test('what is not there is undefined to get, false to delete', async () => {
  const { client } = await scripted((_, response) =>
    json(response, 404, status(404, 'NotFound', 'secrets "a" not found')),
  );
  expect(await client.get(secrets, 'a', 'linkerd')).toBeUndefined();
  expect(await client.delete(secrets, 'a', 'linkerd')).toBe(false);
  expect(await faultOf(client.list(secrets))).toMatchObject({ code: 'kube.not-found' });
});

test.each([
  [409, 'Conflict', 'kube.conflict'],
  [409, 'AlreadyExists', 'kube.already-exists'],
  [410, 'Gone', 'kube.expired'],
  [422, 'Invalid', 'kube.invalid'],
  [403, 'Forbidden', 'kube.forbidden'],
  [500, 'InternalError', 'kube.internal-error'],
])('status %i %s is %s with the words of the server', async (code, reason, fault) => {
  const { client } = await scripted((_, response) =>
    json(response, code, status(code, reason, 'no, because')),
  );
  expect(await faultOf(client.create(configMaps, configMap('a', '1')))).toMatchObject({
    code: fault,
    message: 'no, because',
  });
});

test('answers that are no Status are told apart too', async () => {
  const { client } = await scripted(({ method }, response) =>
    method === 'GET' ? response.writeHead(503).end('upstream away') : response.writeHead(200).end('<html>'),
  );
  expect(await faultOf(client.list(configMaps))).toMatchObject({
    code: 'kube.service-unavailable',
    blame: 'peer',
  });
  expect(await faultOf(client.create(configMaps, configMap('a', '1')))).toMatchObject({
    code: 'kube.answer.malformed',
  });
});

test('a list is read page by page, its items told their kind', async () => {
  const { client, seen } = await scripted(({ url }, response) => {
    const next = new URL(url, 'http://h').searchParams.get('continue');
    const { metadata } = configMap(next ? 'b' : 'a', '3');
    json(response, 200, {
      metadata: { resourceVersion: '7', ...(next ? {} : { continue: 'more' }) },
      items: [{ metadata }],
    });
  }, 1);
  const list = await client.list(configMaps, { labelSelector: 'a in (b,c)' });
  expect(list.resourceVersion).toBe('7');
  expect(list.items.map(({ kind, apiVersion, metadata }) => [kind, apiVersion, metadata.name])).toEqual([
    ['ConfigMap', 'v1', 'a'],
    ['ConfigMap', 'v1', 'b'],
  ]);
  expect(seen.map(({ url }) => url)).toEqual([
    '/api/v1/configmaps?labelSelector=a+in+%28b%2Cc%29&limit=1',
    '/api/v1/configmaps?labelSelector=a+in+%28b%2Cc%29&limit=1&continue=more',
  ]);
});

test('when the snapshot of a paged list expires, everything is asked for in one piece', async () => {
  const { client } = await scripted(({ url }, response) => {
    const query = new URL(url, 'http://h').searchParams;
    if (query.has('continue')) return json(response, 410, status(410, 'Expired', 'too old'));
    const items = [configMap('a', '1'), ...(query.has('limit') ? [] : [configMap('b', '2')])];
    return json(response, 200, {
      metadata: { resourceVersion: '9', ...(query.has('limit') ? { continue: 'x' } : {}) },
      items,
    });
  }, 1);
  const list = await client.list(configMaps);
  expect(list.items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
});

test('a watch gives each event, however the bytes are cut', async () => {
  const added = JSON.stringify({
    type: 'ADDED',
    object: { ...configMap('a', '6'), data: { name: 'Grüße' } },
  });
  const bookmark = JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '8' } } });
  const bytes = Buffer.from(`${added}\n${bookmark}\n`);
  const { client, seen } = await scripted(async (_, response) => {
    response.writeHead(200);
    for (let at = 0; at < bytes.length; at += 7) {
      response.write(bytes.subarray(at, at + 7));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  });
  const { events, fault } = await collect(client);
  expect(fault).toBeUndefined();
  expect(events.map(({ type, object }) => [type, object.kind, object.metadata.resourceVersion])).toEqual([
    ['ADDED', 'ConfigMap', '6'],
    ['BOOKMARK', 'ConfigMap', '8'],
  ]);
  expect(events[0]!.object).toMatchObject({ data: { name: 'Grüße' } });
  const query = new URL(seen[0]!.url, 'http://h').searchParams;
  expect(Object.fromEntries(query)).toMatchObject({
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: '5',
  });
  expect(query.has('sendInitialEvents')).toBe(false);
});

test.each<[string, string, (response: http.ServerResponse) => unknown]>([
  ['an expired point', 'kube.expired', (response) => json(response, 410, status(410, 'Expired', 'too old'))],
  [
    'an ERROR event',
    'kube.expired',
    (response) => response.end(`${JSON.stringify({ type: 'ERROR', object: status(410, 'Gone', 'old') })}\n`),
  ],
  ['a line cut short', 'kube.watch.cut', (response) => response.end('{"type":"ADD')],
  ['a line that is not JSON', 'kube.watch.malformed', (response) => response.end('nonsense\n')],
  ['JSON that is no event', 'kube.watch.malformed', (response) => response.end('null\n')],
  [
    'a cut connection',
    'wire.request.failed',
    (response) => {
      response.writeHead(200);
      response.write('\n', () => response.destroy());
    },
  ],
])('a watch that ends in %s throws %s', async (_, code, answer) => {
  const { client } = await scripted((_, response) => answer(response));
  expect((await collect(client)).fault).toMatchObject({ code });
});

test('aborting a silent watch ends it without a fault', async () => {
  const stop = new AbortController();
  const { client } = await scripted((_, response) => {
    response.writeHead(200);
    response.write(`${JSON.stringify({ type: 'ADDED', object: configMap('a', '6') })}\n`);
    setImmediate(() => stop.abort());
  });
  const { fault } = await collect(client, stop.signal);
  expect(fault).toBeUndefined();
});

test('nobody listening is a fault of the wire', async () => {
  const client = kubeClient({ server: 'http://127.0.0.1:1' }, { userAgent: 'capstan-test/1' });
  expect(await faultOf(client.get(secrets, 'a', 'b'))).toMatchObject({ code: 'wire.request.refused' });
});
