import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readPrivateKey } from '../src/x509/key.ts';
import { formatName } from '../src/x509/name.ts';
import { type AcmeServer, acmeServer } from './support/acme.ts';
import { certified, csr, dns, dnsNames, readyOrder } from './support/acme-flow.ts';
import { base64url, problemType, RawClient } from './support/acme-raw.ts';

let ca: AcmeServer;
let client: RawClient;
beforeEach(async () => {
  ca = await acmeServer();
  client = new RawClient(ca.directoryUrl);
});
afterEach(() => ca.close());

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
    const order = await readyOrder(ca.network, client, { identifiers: dns('a.example', 'b.example') });
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
    const order = await readyOrder(ca.network, client, { identifiers: dns('a.example') });
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
    const [leaf] = await certified(ca.network, client, ['a.example'], { notAfter });
    expect(leaf!.notAfter).toBe(Math.floor(Date.parse(notAfter) / 1_000) * 1_000);
    await ca.call('POST', 'pki/config/acme', { max_ttl: '1h' });
    const [short] = await certified(ca.network, client, ['b.example']);
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
    const [plain] = await certified(ca.network, one, ['a.example']);
    expect(plain!.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    await ca.call('POST', 'pki/config/acme', { allow_role_ext_key_usage: true });
    const [wide] = await certified(ca.network, one, ['a.example']);
    expect(wide!.extendedKeyUsage).toHaveLength(3);
  });

  test('end with the issuer where they would outlive it', async () => {
    const made = await ca.call('POST', 'pki/root/generate/internal', {
      common_name: 'short',
      key_type: 'ec',
      ttl: '2h',
    });
    await ca.call('POST', 'pki/config/issuers', { default: made.data.issuer_id });
    const [leaf, root] = await certified(ca.network, client, ['a.example']);
    expect(leaf!.notAfter).toBeLessThanOrEqual(root!.notAfter);
    expect(leaf!.notAfter).toBeGreaterThan(root!.notAfter - 10_000);
  });

  test('are proven by way of the resolver that is set', async () => {
    await ca.call('POST', 'pki/config/acme', { dns_resolver: '192.0.2.53:5353' });
    await certified(ca.network, client, ['a.example']);
    expect(ca.network.asked).toEqual(['_acme-challenge.a.example 192.0.2.53:5353']);
  });

  test('take the names that a role wants, and a common name where it wants one', async () => {
    await ca.call('POST', 'pki/roles/named', {
      allowed_domains: 'example',
      allow_subdomains: true,
      key_type: 'ec',
    });
    const one = new RawClient(`${ca.api}/pki/roles/named/acme/directory`);
    await one.register();
    const [leaf] = await certified(ca.network, one, ['a.example', '*.a.example']);
    expect(formatName(leaf!.subject)).toBe('CN=*.a.example');
    expect(leaf!.subjectAltNames).toHaveLength(2);
  });

  test('come with the chains of every issuer of the same name and key', async () => {
    const order = await readyOrder(ca.network, client, { identifiers: dns('a.example') });
    const done = await client.post(String(order.body.finalize), { csr: await csr(dnsNames('a.example')) });
    const got = await client.post(String(done.body.certificate));
    expect(got.headers.get('content-type')).toBe('application/pem-certificate-chain');
    expect(got.headers.get('link')).toMatch(/rel="index", <.*\/issuer\/[\w-]+\/der>;rel="up"$/);
    expect((await client.post(`${String(done.body.certificate)}/none`)).status).toBe(404);
  });
});
