import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AcmeServer, acmeServer } from './support/acme.ts';
import { certified, csr, dns, dnsNames } from './support/acme-flow.ts';
import { jws, macJws, problemType, RawClient, rawKey } from './support/acme-raw.ts';

let ca: AcmeServer;
let client: RawClient;
beforeEach(async () => {
  ca = await acmeServer();
  client = new RawClient(ca.directoryUrl);
});
afterEach(() => ca.close());

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
      expect((await certified(ca.network, one, ['x.example']))[0]!.subjectAltNames).toEqual([
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
    expect([head.status, get.status]).toEqual([200, 204]);
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
    expect([other.status, problemType(other)]).toEqual([401, 'unauthorized']);
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
    expect((await certified(ca.network, one, ['a.example'])).length).toBe(2);
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
      expect([refused.status, problemType(refused)]).toEqual([401, 'unauthorized']);
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
    expect((await other.post(client.kid!)).status).toBe(401);
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
    expect([used.status, problemType(used)]).toEqual([401, 'unauthorized']);
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

describe('operators', () => {
  test('see accounts and their orders, revoke them and let them back', async () => {
    expect((await ca.call('LIST', 'pki/acme/mgmt/account/keyid')).status).toBe(404);
    await client.register({ contact: ['mailto:a@b.example'] });
    await certified(ca.network, client, ['a.example']);
    const id = client.kid!.split('/').at(-1)!;
    const path = `pki/acme/mgmt/account/keyid/${id}`;
    expect((await ca.call('LIST', 'pki/acme/mgmt/account/keyid')).data).toEqual({ keys: [id] });
    expect((await ca.call('GET', path)).data).toMatchObject({
      key_id: id,
      status: 'valid',
      contacts: ['mailto:a@b.example'],
      revoked_time: '',
      directory: 'acme/',
      eab: {},
      orders: [{ status: 'valid', identifiers: ['a.example'] }],
    });
    expect((await ca.call('POST', path, { status: 'revoked' })).data).toMatchObject({ status: 'revoked' });
    expect(problemType(await client.post('orders'))).toBe('unauthorized');
    expect((await ca.call('POST', path, { status: 'valid' })).data).toMatchObject({ revoked_time: '' });
    await client.post(client.kid!, { status: 'deactivated' });
    for (const status of ['valid', 'revoked', 'deactivated', undefined]) {
      expect((await ca.call('POST', path, { status })).status).toBe(400);
    }
    expect((await ca.call('GET', `${path}0`)).errors).toEqual([`ACME key id ${id}0 did not exist`]);
  });

  test('are told what settings do not go together', async () => {
    const refused = async (body: object) => (await ca.call('POST', 'pki/config/acme', body)).errors[0];
    expect(await refused({ allowed_roles: [] })).toContain('allowed_roles must take a non-zero length value');
    expect(await refused({ allowed_roles: 'web' })).toContain('allowed_role web is not a valid acme role');
    expect(await refused({ allowed_roles: 'web,*' })).toContain('allowed_role web');
    expect(await refused({ allowed_issuers: 'none' })).toContain(
      'unable to find PKI issuer for reference: none',
    );
    expect(await refused({ allowed_issuers: 'default,*' })).toContain(
      "cannot use '*' as issuer name at index 1",
    );
    expect(await refused({ default_directory_policy: 'external-policy' })).toContain(
      'not a valid Default Directory Policy',
    );
    expect(await refused({ default_directory_policy: 'role:' })).toContain(
      'no role specified by policy role:',
    );
    expect(await refused({ eab_policy: 'never' })).toContain('invalid eab policy name provided');
    for (const dns_resolver of ['1.1.1.1', 'dns.example:53', ':53']) {
      expect(await refused({ dns_resolver })).toContain('failed to parse DNS resolver address');
    }
    await ca.call('POST', 'pki/roles/unkept', { no_store: true });
    expect(await refused({ default_directory_policy: 'role:unkept' })).toContain(
      'default directory policy role unkept is not a valid ACME role: role can not be used as NoStore is set to true',
    );
    await ca.call('POST', 'pki/roles/web', {});
    await ca.call('POST', 'pki/roles/other', {});
    expect(await refused({ default_directory_policy: 'role:web', allowed_roles: 'other' })).toContain(
      'was not specified in allowed_roles: [other]',
    );
    const set = await ca.call('POST', 'pki/config/acme', {
      dns_resolver: '[::1]:53',
      allowed_roles: 'web',
      max_ttl: '48h',
    });
    expect(set.data).toEqual({
      enabled: true,
      allowed_issuers: ['*'],
      allowed_roles: ['web'],
      allow_role_ext_key_usage: false,
      default_directory_policy: 'sign-verbatim',
      dns_resolver: '[::1]:53',
      eab_policy: 'not-required',
      max_ttl: 172_800,
    });
    expect((await ca.call('GET', 'pki/config/acme')).data).toEqual(set.data);
    await ca.call('POST', 'sys/mounts/bare', { type: 'pki' });
    const bare = await ca.call('POST', 'bare/config/acme', { enabled: true });
    expect(bare.errors[0]).toContain(
      "ACME feature requires local cluster 'path' field configuration to be set",
    );
  });
});
