import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemEntropy } from '../src/base/entropy.ts';
import { memoryStore } from '../src/store/memory.ts';
import { type Certificate, readCertificates } from '../src/x509/certificate.ts';
import { basicConstraints, subjectAltName } from '../src/x509/extension.ts';
import type { GeneralName } from '../src/x509/general-name.ts';
import { generateKey, type PrivateKey, readPrivateKey } from '../src/x509/key.ts';
import { nameOf } from '../src/x509/name.ts';
import { buildRequest } from '../src/x509/request.ts';
import { signerOf } from '../src/x509/signature.ts';
import { type AcmeServer, acmeServer, testNetwork } from './support/acme.ts';
import { base64url, jws, macJws, problemType, RawClient, type RawReply, rawKey } from './support/acme-raw.ts';

let ca: AcmeServer;
let client: RawClient;
beforeEach(async () => {
  ca = await acmeServer();
  client = new RawClient(ca.directoryUrl);
});
afterEach(() => ca.close());

const dns = (...values: string[]) => values.map((value) => ({ type: 'dns', value }));

async function csr(
  names: readonly GeneralName[],
  key: PrivateKey = generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy),
  { commonName = '', ...more }: { commonName?: string; serialNumber?: string; ca?: boolean } = {},
): Promise<string> {
  const extensions = [subjectAltName(names), ...(more.ca ? [basicConstraints({ ca: true })] : [])];
  const subject = nameOf({ commonName, ...(more.serialNumber ? { serialNumber: more.serialNumber } : {}) });
  return (await buildRequest({ subject, extensions }, signerOf(key))).der.toString('base64url');
}

const thumbprint = ({ key }: RawClient) => {
  const sorted = Object.fromEntries(Object.entries(key.jwk).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('base64url');
};

/** Puts the answers to all DNS challenges of an order where they belong. */
async function publish(by: RawClient, order: RawReply): Promise<string[]> {
  const urls: string[] = [];
  for (const url of order.body.authorizations as string[]) {
    const { body } = await by.post(url);
    const { value } = body.identifier as { value: string };
    const challenges = body.challenges as { type: string; url: string; token: string }[];
    const { token, url: challenge } = challenges.find(({ type }) => type === 'dns-01')!;
    const digest = createHash('sha256')
      .update(`${token}.${thumbprint(by)}`)
      .digest('base64url');
    const name = `_acme-challenge.${value}`;
    ca.network.texts.set(name, [...(ca.network.texts.get(name) ?? []), digest]);
    urls.push(challenge);
  }
  return urls;
}

async function until(by: RawClient, url: string, status: string): Promise<RawReply> {
  for (;;) {
    const reply = await by.post(url);
    if (reply.body.status === status) return reply;
    if (['invalid', 'deactivated'].includes(String(reply.body.status))) throw new Error(reply.text);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** An order that waits for nothing but its request for signing. */
async function readyOrder(by: RawClient, payload: object): Promise<RawReply> {
  const order = await by.post('new-order', payload);
  if (order.status !== 201) throw new Error(order.text);
  for (const url of await publish(by, order)) await by.post(url, {});
  return until(by, order.headers.get('location')!, 'ready');
}

async function certified(by: RawClient, names: string[], more: object = {}): Promise<Certificate[]> {
  const order = await readyOrder(by, { identifiers: dns(...names), ...more });
  const request = await csr(names.map((value) => ({ type: 'dns', value })));
  const done = await by.post(String(order.body.finalize), { csr: request });
  if (done.status !== 200) throw new Error(done.text);
  return readCertificates((await by.post(String(done.body.certificate))).text);
}

describe('the directory', () => {
  test('names everything, for every way to issue', async () => {
    await ca.call('POST', 'pki/roles/web', { allow_any_name: true, key_type: 'any' });
    for (const place of ['', 'issuer/default/', 'roles/web/', 'issuer/default/roles/web/']) {
      const base = `${ca.api}/pki/${place}acme`;
      const response = await fetch(`${base}/directory`);
      expect(response.status).toBe(200);
      expect(response.headers.get('link')).toBe(`<${base}/directory>;rel="index"`);
      expect(await response.json()).toEqual({
        newNonce: `${base}/new-nonce`,
        newAccount: `${base}/new-account`,
        newOrder: `${base}/new-order`,
        revokeCert: `${base}/revoke-cert`,
        keyChange: `${base}/key-change`,
        renewalInfo: `${base}/renewal-info`,
        meta: { externalAccountRequired: false },
      });
      const one = new RawClient(`${base}/directory`);
      expect((await one.register()).status).toBe(201);
      expect((await certified(one, ['x.example']))[0]!.subjectAltNames).toEqual([
        { type: 'dns', value: 'x.example' },
      ]);
    }
  });

  test('is not there while ACME is off, nor where the settings forbid it', async () => {
    await ca.call('POST', 'pki/roles/web', {});
    await ca.call('POST', 'pki/roles/other', {});
    await ca.call('POST', 'pki/config/acme', { default_directory_policy: 'forbid', allowed_roles: 'web' });
    expect((await fetch(ca.directoryUrl)).status).toBe(403);
    expect((await fetch(`${ca.api}/pki/roles/web/acme/directory`)).status).toBe(200);
    expect((await fetch(`${ca.api}/pki/roles/other/acme/directory`)).status).toBe(403);
    expect((await fetch(`${ca.api}/pki/roles/none/acme/directory`)).status).toBe(403);
    await ca.call('POST', 'pki/config/acme', { enabled: false });
    expect((await fetch(`${ca.api}/pki/roles/web/acme/directory`)).status).toBe(404);
    expect((await client.send(`${client.base}/new-account`, {})).status).toBe(404);
  });

  test('hands out nonces to HEAD and to GET', async () => {
    const [head, get] = [
      await fetch(`${client.base}/new-nonce`, { method: 'HEAD' }),
      await fetch(`${client.base}/new-nonce`),
    ];
    expect(head.status).toBe(200);
    expect(head.headers.get('cache-control')).toBe('no-store');
    expect(head.headers.get('replay-nonce')).not.toBe(get.headers.get('replay-nonce'));
  });
});

describe('requests', () => {
  test('a nonce is good once; every answer brings another, problems too', async () => {
    await client.register();
    const url = `${client.base}/orders`;
    const body = jws({ kid: client.kid, nonce: await client.nonce(), url }, undefined, client.key);
    expect((await client.send(url, body)).status).toBe(200);
    const again = await client.send(url, body);
    expect([again.status, problemType(again)]).toEqual([400, 'badNonce']);
    expect(again.headers.get('content-type')).toBe('application/problem+json');
    expect(again.headers.get('link')).toBe(`<${client.base}/directory>;rel="index"`);
    const nonce = again.headers.get('replay-nonce')!;
    expect((await client.send(url, jws({ kid: client.kid, nonce, url }, undefined, client.key))).status).toBe(
      200,
    );
  });

  test('what is not signed for this URL, by this key, as JOSE, is refused', async () => {
    await client.register();
    const url = `${client.base}/orders`;
    const other = await client.post(url, undefined, { url: `${client.base}/new-order` });
    expect([other.status, problemType(other)]).toEqual([403, 'unauthorized']);
    const stranger = await client.send(
      url,
      jws({ kid: client.kid, nonce: await client.nonce(), url }, undefined, rawKey()),
    );
    expect(problemType(stranger)).toBe('malformed');
    const type = await client.send(url, {}, 'application/json');
    expect([type.status, problemType(type)]).toEqual([415, 'malformed']);
    const unknown = await client.post(url, undefined, { kid: `${client.base}/account/none` });
    expect(problemType(unknown)).toBe('accountDoesNotExist');
    const jwk = await client.post(url, undefined, { kid: undefined, jwk: client.key.jwk });
    expect(problemType(jwk)).toBe('malformed');
    const none = await client.post(url, undefined, { alg: 'none' });
    expect(problemType(none)).toBe('badSignatureAlgorithm');
    expect(none.body.algorithms).toEqual(['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA']);
  });

  test.each(['RS256', 'ES384', 'ES512', 'EdDSA'] as const)('accounts may sign with %s', async (alg) => {
    const one = new RawClient(ca.directoryUrl, rawKey(alg));
    expect((await one.register()).status).toBe(201);
    expect((await certified(one, ['a.example'])).length).toBe(2);
  });
});

describe('accounts', () => {
  test('are made once, found, changed and ended', async () => {
    const absent = await client.post('new-account', { onlyReturnExisting: true });
    expect([absent.status, problemType(absent)]).toEqual([400, 'accountDoesNotExist']);
    const made = await client.register({ contact: ['mailto:a@b.example'], termsOfServiceAgreed: true });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      status: 'valid',
      contact: ['mailto:a@b.example'],
      termsOfServiceAgreed: true,
      orders: `${client.base}/orders`,
    });
    const kid = client.kid!;
    client.kid = undefined;
    const found = await client.post('new-account', { onlyReturnExisting: true });
    expect([found.status, found.headers.get('location')]).toEqual([200, kid]);
    client.kid = kid;
    expect((await client.post(kid, { contact: [] })).body).not.toHaveProperty('contact');
    expect((await client.post(kid)).body).toMatchObject({ status: 'valid' });
    expect(problemType(await client.post(kid, { status: 'revoked' }))).toBe('malformed');
    expect((await client.post(kid, { status: 'deactivated' })).body).toMatchObject({ status: 'deactivated' });
    for (const path of [kid, 'orders']) {
      const refused = await client.post(path);
      expect([refused.status, problemType(refused)]).toEqual([403, 'unauthorized']);
    }
    client.kid = undefined;
    expect(problemType(await client.post('new-account', {}))).toBe('unauthorized');
  });

  test.each([
    [['tel:+1'], 'unsupportedContact'],
    [['mailto:a@b.example,c@d.example'], 'invalidContact'],
    [['mailto:a@b.example?subject=x'], 'invalidContact'],
    ['mailto:a@b.example', 'malformed'],
    [[1], 'malformed'],
  ])('contacts %j are refused', async (contact, problem) => {
    expect(problemType(await client.register({ contact }))).toBe(problem);
  });

  test('see their own, and nothing of others', async () => {
    await client.register();
    const order = await client.post('new-order', { identifiers: dns('a.example') });
    const other = new RawClient(ca.directoryUrl);
    await other.register();
    const [authorization] = order.body.authorizations as string[];
    for (const url of [order.headers.get('location')!, authorization!, String(order.body.finalize)]) {
      expect(
        (
          await other.post(
            url,
            url.endsWith('finalize') ? { csr: await csr(dnsNames('a.example')) } : undefined,
          )
        ).status,
      ).toBe(404);
    }
    expect((await other.post(client.kid!)).status).toBe(403);
    expect((await other.post('orders')).body).toEqual({ orders: [] });
    expect((await client.post('orders')).body).toEqual({ orders: [order.headers.get('location')] });
  });

  test('belong to one directory', async () => {
    await client.register();
    await ca.call('POST', 'pki/roles/web', {});
    const other = new RawClient(`${ca.api}/pki/roles/web/acme/directory`, client.key);
    other.kid = client.kid!;
    expect(problemType(await other.post('orders'))).toBe('accountDoesNotExist');
    other.kid = client.kid!.replace('/acme/', '/roles/web/acme/');
    expect(problemType(await other.post('orders'))).toBe('accountDoesNotExist');
    other.kid = undefined;
    expect((await other.register()).status).toBe(201);
  });

  test('take another key', async () => {
    await client.register();
    const url = `${client.base}/key-change`;
    const fresh = rawKey('ES384');
    const inner = (change: object = {}, key = fresh) =>
      jws({ jwk: key.jwk, url }, { account: client.kid, oldKey: client.key.jwk, ...change }, key);
    for (const wrong of [
      inner({ account: `${client.kid}x` }),
      inner({ oldKey: fresh.jwk }),
      { ...inner(), signature: inner({ account: '' }).signature },
      jws({ jwk: fresh.jwk, url, nonce: 'n' }, {}, fresh),
      jws({ jwk: fresh.jwk, url: `${url}x` }, { account: client.kid, oldKey: client.key.jwk }, fresh),
    ]) {
      expect(problemType(await client.post(url, wrong))).toBe('malformed');
    }
    const taken = new RawClient(ca.directoryUrl);
    await taken.register();
    const conflict = await client.post(url, inner({}, taken.key));
    expect([conflict.status, conflict.headers.get('location')]).toEqual([409, taken.kid]);
    expect((await client.post(url, inner())).status).toBe(200);
    expect(problemType(await client.post('orders'))).toBe('badSignatureAlgorithm');
    client.key = fresh;
    expect((await client.post('orders')).status).toBe(200);
  });
});

const dnsNames = (...values: string[]) => values.map((value) => ({ type: 'dns' as const, value }));

describe('external accounts', () => {
  const bind = (by: RawClient, eab: Record<string, unknown>, change: object = {}, secret = String(eab.key)) =>
    macJws({ kid: eab.id, url: `${by.base}/new-account`, ...change }, by.key.jwk, secret);

  test('are required where the settings say so, and good once', async () => {
    const early = new RawClient(ca.directoryUrl);
    await early.register();
    await ca.call('POST', 'pki/config/acme', { eab_policy: 'new-account-required' });
    expect(((await (await fetch(ca.directoryUrl)).json()) as { meta: object }).meta).toEqual({
      externalAccountRequired: true,
    });
    const refused = await client.register();
    expect([refused.status, problemType(refused)]).toEqual([401, 'externalAccountRequired']);
    const eab = (await ca.call('POST', 'pki/acme/new-eab')).data;
    expect(eab).toMatchObject({ key_type: 'hs', acme_directory: 'acme/directory' });
    expect((await ca.call('LIST', 'pki/eab')).data.keys).toEqual([eab.id]);
    const externalAccountBinding = bind(client, eab);
    const made = await client.register({ externalAccountBinding });
    expect([made.status, made.body.externalAccountBinding]).toEqual([201, externalAccountBinding]);
    expect((await ca.call('LIST', 'pki/eab')).status).toBe(404);
    const second = new RawClient(ca.directoryUrl);
    const used = await second.register({ externalAccountBinding: bind(second, eab) });
    expect([used.status, problemType(used)]).toEqual([403, 'unauthorized']);
    expect((await early.post('orders')).status).toBe(200);
    await ca.call('POST', 'pki/config/acme', { eab_policy: 'always-required' });
    expect(problemType(await early.post('orders'))).toBe('externalAccountRequired');
    expect((await client.post('orders')).status).toBe(200);
  });

  test('are of one directory, one key and one URL', async () => {
    await ca.call('POST', 'pki/roles/web', {});
    const eab = (await ca.call('POST', 'pki/acme/new-eab')).data;
    const foreign = (await ca.call('POST', 'pki/roles/web/acme/new-eab')).data;
    for (const [binding, problem] of [
      [bind(client, foreign), 'unauthorized'],
      [bind(client, eab, {}, Buffer.from('other').toString('base64url')), 'unauthorized'],
      [bind(client, { ...eab, id: 'none' }), 'unauthorized'],
      [bind(client, eab, { url: `${client.base}/new-order` }), 'malformed'],
      [bind(client, eab, { nonce: 'n' }), 'malformed'],
      [
        macJws({ kid: eab.id, url: `${client.base}/new-account` }, rawKey().jwk, String(eab.key)),
        'malformed',
      ],
      ['text', 'malformed'],
    ] as const) {
      expect(problemType(await client.register({ externalAccountBinding: binding }))).toBe(problem);
      client.kid = undefined;
    }
    expect((await client.register({ externalAccountBinding: bind(client, eab) })).status).toBe(201);
  });

  test('can be taken back', async () => {
    const { id } = (await ca.call('POST', 'pki/acme/new-eab')).data;
    expect((await ca.call('DELETE', `pki/eab/${String(id)}`)).status).toBe(204);
    expect((await ca.call('DELETE', `pki/eab/${String(id)}`)).warnings).toEqual([
      `No key id found with id: ${String(id)}`,
    ]);
  });
});

describe('orders', () => {
  beforeEach(() => client.register());

  test.each([
    [undefined, 'malformed'],
    [[], 'malformed'],
    [dns('*.*.example'), 'malformed'],
    [dns('a.*.example'), 'malformed'],
    [dns('127.0.0.1'), 'malformed'],
    [dns('*.127.0.0.1'), 'malformed'],
    [dns('a b'), 'malformed'],
    [dns('a.example.'), 'malformed'],
    [dns('xn--a.example'), 'malformed'],
    [dns('bücher.example'), 'malformed'],
    [dns(''), 'malformed'],
    [[{ type: 'ip', value: 'a.example' }], 'malformed'],
    [[{ type: 'email', value: 'a@b.example' }], 'unsupportedIdentifier'],
    [Array.from({ length: 101 }, (_, index) => dns(`a${index}.example`)[0]), 'malformed'],
  ])('identifiers %j are refused', async (identifiers, problem) => {
    const reply = await client.post('new-order', { identifiers });
    expect(problemType(reply)).toBe(problem);
  });

  test('hold each identifier once, in lower case', async () => {
    const identifiers = [
      ...dns('A.example', 'a.example', 'xn--bcher-kva.example'),
      { type: 'ip', value: '0:0::1' },
    ];
    const order = await client.post('new-order', { identifiers });
    expect(order.body.identifiers).toEqual([
      ...dns('a.example', 'xn--bcher-kva.example'),
      { type: 'ip', value: '::1' },
    ]);
    expect(order.body.authorizations).toHaveLength(3);
  });

  test('are held against the role, name by name', async () => {
    await ca.call('POST', 'pki/roles/web', {
      allowed_domains: 'example',
      allow_subdomains: true,
      allow_ip_sans: false,
    });
    const one = new RawClient(`${ca.api}/pki/roles/web/acme/directory`);
    await one.register();
    const reply = await one.post('new-order', {
      identifiers: [...dns('a.example', 'a.other'), { type: 'ip', value: '10.0.0.1' }],
    });
    expect(problemType(reply)).toBe('rejectedIdentifier');
    expect(reply.body.subproblems).toMatchObject([
      { identifier: { type: 'dns', value: 'a.other' } },
      { identifier: { type: 'ip', value: '10.0.0.1' } },
    ]);
  });

  test('only a request for exactly their names is signed', async () => {
    const order = await readyOrder(client, { identifiers: dns('a.example', 'b.example') });
    const finalize = String(order.body.finalize);
    const both = dnsNames('a.example', 'b.example');
    const accountKey = readPrivateKey(client.key.privateKey.export({ format: 'der', type: 'pkcs8' }));
    for (const wrong of [
      await csr(dnsNames('a.example')),
      await csr(dnsNames('a.example', 'b.example', 'c.example')),
      await csr(both, undefined, { commonName: 'c.example' }),
      await csr([...both, { type: 'email', value: 'admin@a.example' }]),
      await csr([...both, { type: 'uri', value: 'spiffe://a.example/x' }]),
      await csr([...both, { type: 'ip', value: '10.0.0.1' }]),
      await csr(both, accountKey),
      await csr(both, undefined, { ca: true }),
      await csr(both, undefined, { serialNumber: 'unproven' }),
      base64url('no request'),
    ]) {
      expect(problemType(await client.post(finalize, { csr: wrong }))).toBe('badCSR');
    }
    expect(problemType(await client.post(finalize, {}))).toBe('malformed');
    const done = await client.post(finalize, { csr: await csr(dnsNames('B.example', 'a.example')) });
    expect(done.body).toMatchObject({
      status: 'valid',
      certificate: `${order.headers.get('location')}/cert`,
    });
    expect(problemType(await client.post(finalize, { csr: await csr(both) }))).toBe('orderNotReady');
  });

  test('are signed once, however often they are finalized at once', async () => {
    const order = await readyOrder(client, { identifiers: dns('a.example') });
    const request = await csr(dnsNames('a.example'));
    const before = ((await ca.call('LIST', 'pki/certs')).data.keys as string[]).length;
    const tries = await Promise.all(
      Array.from({ length: 5 }, () => client.post(String(order.body.finalize), { csr: request })),
    );
    expect(tries.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(tries.filter((reply) => problemType(reply) === 'orderNotReady')).toHaveLength(4);
    expect((await ca.call('LIST', 'pki/certs')).data.keys).toHaveLength(before + 1);
  });

  test('are not signed before everything is proven', async () => {
    const order = await client.post('new-order', { identifiers: dns('a.example') });
    const early = await client.post(String(order.body.finalize), { csr: await csr(dnsNames('a.example')) });
    expect([early.status, problemType(early)]).toEqual([403, 'orderNotReady']);
    expect(problemType(await client.post(`${order.headers.get('location')}/cert`))).toBe('orderNotReady');
  });

  test('end with an authorization that is given up', async () => {
    const order = await client.post('new-order', { identifiers: dns('a.example') });
    const [authorization] = order.body.authorizations as string[];
    expect((await client.post(authorization!, { status: 'deactivated' })).body.status).toBe('deactivated');
    expect((await client.post(order.headers.get('location')!)).body.status).toBe('invalid');
    expect((await client.post('orders')).body).toEqual({ orders: [] });
  });

  test('may say when the certificate begins and ends, within max_ttl', async () => {
    const soon = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
    for (const notAfter of ['tomorrow', soon(-1), soon(91 * 24)]) {
      const reply = await client.post('new-order', { identifiers: dns('a.example'), notAfter });
      expect(problemType(reply)).toBe('malformed');
    }
    const notAfter = soon(24);
    const [leaf] = await certified(client, ['a.example'], { notAfter });
    expect(leaf!.notAfter).toBe(Math.floor(Date.parse(notAfter) / 1_000) * 1_000);
    await ca.call('POST', 'pki/config/acme', { max_ttl: '1h' });
    const [short] = await certified(client, ['b.example']);
    expect(short!.notAfter - Date.now()).toBeLessThanOrEqual(3_600_000);
  });

  test('have certificates for servers, or what the role says where that is allowed', async () => {
    await ca.call('POST', 'pki/roles/web', {
      allow_any_name: true,
      key_type: 'any',
      code_signing_flag: true,
    });
    const one = new RawClient(`${ca.api}/pki/roles/web/acme/directory`);
    await one.register();
    const [plain] = await certified(one, ['a.example']);
    expect(plain!.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    await ca.call('POST', 'pki/config/acme', { allow_role_ext_key_usage: true });
    const [wide] = await certified(one, ['a.example']);
    expect(wide!.extendedKeyUsage).toHaveLength(3);
  });

  test('come with the chains of every issuer of the same name and key', async () => {
    const order = await readyOrder(client, { identifiers: dns('a.example') });
    const done = await client.post(String(order.body.finalize), { csr: await csr(dnsNames('a.example')) });
    const got = await client.post(String(done.body.certificate));
    expect(got.headers.get('content-type')).toBe('application/pem-certificate-chain');
    expect(got.headers.get('link')).toMatch(/rel="index", <.*\/issuer\/[\w-]+\/der>;rel="up"$/);
    expect((await client.post(`${String(done.body.certificate)}/none`)).status).toBe(404);
  });
});

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
    const [leaf] = await certified(client, ['a.example']);
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
    const order = await readyOrder(client, { identifiers: dns('a.example') });
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
    const [leaf] = await certified(client, ['a.example', 'b.example']);
    const other = new RawClient(ca.directoryUrl);
    await other.register();
    expect(problemType(await other.post('revoke-cert', give(leaf!)))).toBe('unauthorized');
    await readyOrder(other, { identifiers: dns('a.example') });
    expect(problemType(await other.post('revoke-cert', give(leaf!)))).toBe('unauthorized');
    await readyOrder(other, { identifiers: dns('b.example') });
    expect((await other.post('revoke-cert', give(leaf!))).status).toBe(200);
  });

  test('of what this CA signed', async () => {
    const [, root] = await certified(client, ['a.example']);
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
    const [leaf] = await certified(client, ['a.example']);
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
    const [leaf] = await certified(client, ['a.example']);
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
    const [leaf] = await certified(client, ['a.example']);
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
