import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { memoryStore } from '../src/store/memory.ts';
import { type Certificate, readCertificates } from '../src/x509/certificate.ts';
import { readPrivateKey } from '../src/x509/key.ts';
import { type AcmeServer, acmeServer, testNetwork } from './support/acme.ts';
import { certified, csr, dns, dnsNames, readyOrder, thumbprint, until } from './support/acme-flow.ts';
import { problemType, RawClient, rawKey } from './support/acme-raw.ts';

let ca: AcmeServer;
let client: RawClient;
beforeEach(async () => {
  ca = await acmeServer();
  client = new RawClient(ca.directoryUrl);
});
afterEach(() => ca.close());

describe('challenges', () => {
  let web: Server;
  const answers = new Map<string, string>();
  beforeEach(async () => {
    await client.register();
    web = createServer((request, response) => response.end(answers.get(request.url ?? '') ?? 'nothing'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    ca.network.ports.set(80, (web.address() as AddressInfo).port);
  });
  afterEach(() => new Promise((resolve) => web.close(resolve)));

  test('are those that can prove the identifier', async () => {
    const order = await client.post('new-order', {
      identifiers: [...dns('a.example', '*.a.example'), { type: 'ip', value: '10.0.0.1' }],
    });
    const found = await Promise.all((order.body.authorizations as string[]).map((url) => client.post(url)));
    const types = found.map(({ body }) => (body.challenges as { type: string }[]).map(({ type }) => type));
    expect(types).toEqual([['http-01', 'dns-01', 'tls-alpn-01'], ['dns-01'], ['http-01', 'tls-alpn-01']]);
    expect(found.map(({ body }) => body.wildcard)).toEqual([undefined, true, undefined]);
    expect(found[1]!.body.identifier).toEqual({ type: 'dns', value: 'a.example' });
  });

  test('addresses are proven over HTTP', async () => {
    const order = await client.post('new-order', { identifiers: [{ type: 'ip', value: '10.0.0.1' }] });
    const [authorization] = order.body.authorizations as string[];
    const [challenge] = (await client.post(authorization!)).body.challenges as {
      url: string;
      token: string;
    }[];
    answers.set(
      `/.well-known/acme-challenge/${challenge!.token}`,
      `${challenge!.token}.${thumbprint(client)}\n`,
    );
    const started = await client.post(challenge!.url, {});
    expect(started.body.status).toBe('processing');
    expect(started.headers.get('link')).toContain(`<${authorization}>;rel="up"`);
    const ready = await until(client, order.headers.get('location')!, 'ready');
    const request = await csr([{ type: 'ip', value: '10.0.0.1' }]);
    const done = await client.post(String(ready.body.finalize), { csr: request });
    const [leaf] = readCertificates((await client.post(String(done.body.certificate))).text);
    expect(leaf!.subjectAltNames).toEqual([{ type: 'ip', value: '10.0.0.1' }]);
  });

  test('tell what is wrong while they are tried again, and nothing of what was found', async () => {
    const order = await client.post('new-order', { identifiers: dns('a.example') });
    const [authorization] = order.body.authorizations as string[];
    const challenges = (await client.post(authorization!)).body.challenges as { type: string; url: string }[];
    const http = challenges.find(({ type }) => type === 'http-01')!;
    await client.post(http.url, {});
    const other = challenges.find(({ type }) => type === 'dns-01')!;
    expect(problemType(await client.post(other.url, {}))).toBe('malformed');
    for (;;) {
      const { body } = await client.post(http.url);
      if (!body.error) continue;
      expect(body).toMatchObject({
        status: 'processing',
        error: { type: 'urn:ietf:params:acme:error:incorrectResponse' },
      });
      expect(JSON.stringify(body.error)).not.toContain('nothing');
      break;
    }
  });
});

test('a challenge that waits when the server stops is taken up by the next', async () => {
  const store = memoryStore();
  const network = testNetwork();
  const first = await acmeServer({ store, network });
  const { port } = first.server.address;
  const one = new RawClient(first.directoryUrl);
  await one.register();
  const order = await one.post('new-order', { identifiers: dns('a.example') });
  const [authorization] = order.body.authorizations as string[];
  const challenges = (await one.post(authorization!)).body.challenges as {
    type: string;
    url: string;
    token: string;
  }[];
  const { url, token } = challenges.find(({ type }) => type === 'dns-01')!;
  await one.post(url, {});
  for (;;) if ((await one.post(url)).body.error) break;
  await first.close();
  const digest = createHash('sha256')
    .update(`${token}.${thumbprint(one)}`)
    .digest('base64url');
  network.texts.set('_acme-challenge.a.example', [digest]);
  const second = await acmeServer({ store, network, port });
  await until(one, order.headers.get('location')!, 'ready');
  await second.close();
});

describe('revocation', () => {
  const give = ({ der }: Certificate, reason?: number) => ({
    certificate: der.toString('base64url'),
    ...(reason === undefined ? {} : { reason }),
  });
  beforeEach(() => client.register());

  test('by the account, once, for a reason that subscribers may give', async () => {
    const [leaf] = await certified(ca.network, client, ['a.example']);
    for (const reason of [2, 6, 7, 8, 10, 11, -1]) {
      expect(problemType(await client.post('revoke-cert', give(leaf!, reason)))).toBe('badRevocationReason');
    }
    const done = await client.post('revoke-cert', give(leaf!, 4));
    expect([done.status, done.text]).toEqual([200, '']);
    expect(problemType(await client.post('revoke-cert', give(leaf!)))).toBe('alreadyRevoked');
  });

  test('by whoever holds the key of the certificate', async () => {
    const raw = rawKey();
    const key = readPrivateKey(raw.privateKey.export({ format: 'der', type: 'pkcs8' }));
    const order = await readyOrder(ca.network, client, { identifiers: dns('a.example') });
    const done = await client.post(String(order.body.finalize), {
      csr: await csr(dnsNames('a.example'), key),
    });
    const [leaf] = readCertificates((await client.post(String(done.body.certificate))).text);
    const stranger = new RawClient(ca.directoryUrl);
    expect(problemType(await stranger.post('revoke-cert', give(leaf!)))).toBe('unauthorized');
    const holder = new RawClient(ca.directoryUrl, raw);
    expect((await holder.post('revoke-cert', give(leaf!, 1))).status).toBe(200);
  });

  test('by another account only where it has proven all names', async () => {
    const [leaf] = await certified(ca.network, client, ['a.example', 'b.example']);
    const other = new RawClient(ca.directoryUrl);
    await other.register();
    expect(problemType(await other.post('revoke-cert', give(leaf!)))).toBe('unauthorized');
    await readyOrder(ca.network, other, { identifiers: dns('a.example') });
    expect(problemType(await other.post('revoke-cert', give(leaf!)))).toBe('unauthorized');
    await readyOrder(ca.network, other, { identifiers: dns('b.example') });
    expect((await other.post('revoke-cert', give(leaf!))).status).toBe(200);
  });

  test('of what this CA signed', async () => {
    const [, root] = await certified(ca.network, client, ['a.example']);
    for (const payload of [{}, { certificate: 'AAAA' }, give(root!)]) {
      expect(['malformed', 'unauthorized']).toContain(problemType(await client.post('revoke-cert', payload)));
    }
  });
});

describe('renewal information', () => {
  const nameOfLeaf = ({ authorityKeyId, serial }: Certificate) =>
    `${authorityKeyId!.toString('base64url')}.${serial.toString('base64url')}`;
  const info = async (leaf: Certificate) => {
    const response = await fetch(`${client.base}/renewal-info/${nameOfLeaf(leaf)}`);
    const body = (await response.json()) as { suggestedWindow: { start: string; end: string } };
    return {
      response,
      start: Date.parse(body.suggestedWindow.start),
      end: Date.parse(body.suggestedWindow.end),
    };
  };
  beforeEach(() => client.register());

  test('suggests the last third of a life, and at once what is revoked', async () => {
    const [leaf] = await certified(ca.network, client, ['a.example']);
    const { response, start, end } = await info(leaf!);
    expect([response.status, response.headers.get('retry-after')]).toEqual([200, '21600']);
    const life = leaf!.notAfter - leaf!.notBefore;
    expect((start - leaf!.notBefore) / life).toBeCloseTo(2 / 3, 3);
    expect(end).toBeGreaterThan(start);
    expect(end).toBeLessThan(leaf!.notAfter);
    await client.post('revoke-cert', { certificate: leaf!.der.toString('base64url') });
    expect((await info(leaf!)).end).toBeLessThanOrEqual(Date.now());
  });

  test('suggests a day once another issuer signs in the directory', async () => {
    const [leaf] = await certified(ca.network, client, ['a.example']);
    const made = await ca.call('POST', 'pki/root/generate/internal', { common_name: 'next', key_type: 'ec' });
    await ca.call('POST', 'pki/config/issuers', { default: made.data.issuer_id });
    expect((await info(leaf!)).end).toBeLessThanOrEqual(Date.now() + 24 * 3_600_000);
  });

  test('is told of certificates that there are', async () => {
    for (const name of ['a', 'a.b', 'a.b.c', '==.==']) {
      expect((await fetch(`${client.base}/renewal-info/${name}`)).status).toBeGreaterThanOrEqual(400);
    }
  });

  test('an order replaces a certificate of its account, once', async () => {
    const [leaf] = await certified(ca.network, client, ['a.example']);
    const replaces = nameOfLeaf(leaf!);
    const other = new RawClient(ca.directoryUrl);
    await other.register();
    expect((await other.post('new-order', { identifiers: dns('a.example'), replaces })).status).toBe(404);
    expect(problemType(await client.post('new-order', { identifiers: dns('b.example'), replaces }))).toBe(
      'malformed',
    );
    const order = await client.post('new-order', { identifiers: dns('a.example'), replaces });
    expect([order.status, order.body.replaces]).toEqual([201, replaces]);
    const again = await client.post('new-order', { identifiers: dns('a.example'), replaces });
    expect([again.status, problemType(again)]).toEqual([409, 'alreadyReplaced']);
    const [authorization] = order.body.authorizations as string[];
    await client.post(authorization!, { status: 'deactivated' });
    expect((await client.post('new-order', { identifiers: dns('a.example'), replaces })).status).toBe(201);
  });
});
