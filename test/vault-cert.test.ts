import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dayMs, hourMs } from '../src/base/duration.ts';
import { seededEntropy } from '../src/base/entropy.ts';
import { silentLog } from '../src/base/log.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { memoryStore } from '../src/store/memory.ts';
import { vaultListener } from '../src/vault/http/vault-listener.ts';
import { type OpenVault, openVault } from '../src/vault/open-vault.ts';
import { neverSealed, statusPaths } from '../src/vault/sys/status.ts';
import { systemDialer } from '../src/wire/dialer.ts';
import { type HttpClient, httpClient } from '../src/wire/http-client.ts';
import { type Listening, listen } from '../src/wire/http-server.ts';
import { buildCrl, crlPem } from '../src/x509/crl.ts';
import { keyIdentifier } from '../src/x509/key.ts';
import { signerOf } from '../src/x509/signature.ts';
import { type Credential, issuance } from './support/certificates.ts';

/** Clients that show certificates over TLS, as they do in the field. */

const rootToken = 'root-token';
let clock: ManualClock;
let issue: ReturnType<typeof issuance>;
let vault: OpenVault;
/** Another server on the same store. */
let other: OpenVault;
let listening: Listening;
let serverRoot: Credential;
let server: Credential;
let ca: Credential;
let client: Credential;
const clients: HttpClient[] = [];

beforeEach(async () => {
  clock = new ManualClock();
  issue = issuance('cert');
  // Node judges the server's certificate by the machine's clock.
  const always = { notBefore: 0, lifetimeMs: 1e13 };
  serverRoot = await issue({ commonName: 'servers', ...always });
  server = await issue({ commonName: 'vault', dnsNames: ['localhost'], by: serverRoot, ...always });
  ca = await issue({ commonName: 'clients' });
  client = await issue({ commonName: 'web.mesh', by: ca, dnsNames: ['web.mesh', 'web'] });
  const [store, entropy] = [memoryStore(), seededEntropy('vault')];
  const options = {
    store,
    clock,
    entropy,
    log: silentLog,
    openSink() {
      throw new Error('no audit device here');
    },
    dialer: systemDialer,
    dev: { rootToken },
  };
  vault = await openVault(options);
  other = await openVault({ ...options, entropy: seededEntropy('other') });
  const status = statusPaths(() => neverSealed(vault.cluster), clock);
  const tls = { cert: server.pem, key: server.keyPem };
  const listener = vaultListener({ core: vault.core, status, entropy, log: silentLog, tls });
  listening = await listen(listener, { host: '127.0.0.1', port: 0 });
  await ok('sys/auth/cert', { type: 'cert' });
});
afterEach(async () => {
  for (const each of clients.splice(0)) each.close();
  await listening.close();
  vault.close();
  other.close();
});

interface Answer {
  status: number;
  errors: string[];
  data: Record<string, unknown>;
  auth: Record<string, unknown>;
}

async function send(
  method: string,
  path: string,
  {
    body,
    token = rootToken,
    by,
  }: { body?: object | undefined; token?: string; by?: Credential | undefined } = {},
): Promise<Answer> {
  const http = httpClient({
    ca: serverRoot.pem,
    serverName: 'localhost',
    ...(by ? { clientCertificate: by.pem, clientKey: by.keyPem } : {}),
  });
  clients.push(http);
  const answer = await http.send({
    method,
    url: `https://127.0.0.1:${listening.address.port}/v1/${path}`,
    headers: token === '' ? {} : { 'x-vault-token': token },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const parsed = JSON.parse(answer.body.toString() || '{}') as Partial<Answer>;
  return {
    status: answer.status,
    errors: parsed.errors ?? [],
    data: parsed.data ?? {},
    auth: parsed.auth ?? {},
  };
}

async function ok(path: string, body: object): Promise<void> {
  const { errors } = await send('POST', path, { body });
  expect([path, errors]).toEqual([path, []]);
}

const role = (body: object = {}, name = 'web') =>
  ok(`auth/cert/certs/${name}`, { certificate: ca.pem, token_policies: 'pki', ...body });
const login = (by: Credential | undefined, name?: string) =>
  send('POST', 'auth/cert/login', { token: '', body: name === undefined ? {} : { name }, by });
const untrusted = 'invalid certificate or no client certificate supplied';
const unmatched = 'no chain matching all constraints could be found for this login certificate';

test('a client logs in by a certificate that a role trusts', async () => {
  await role({ token_ttl: '20m', allowed_dns_sans: 'web,other' });
  const { auth } = await login(client);
  expect(auth).toMatchObject({ policies: ['default', 'pki'], lease_duration: 1_200, orphan: true });
  expect(auth.metadata).toEqual({
    authority_key_id: colons(keyIdentifier(ca.key.publicKey)),
    cert_name: 'web',
    common_name: 'web.mesh',
    serial_number: BigInt(`0x${client.certificate.serial.toString('hex')}`).toString(),
    subject_key_id: colons(keyIdentifier(client.key.publicKey)),
  });
  const self = await send('GET', 'auth/token/lookup-self', { token: auth.client_token as string });
  expect(self.data.display_name).toBe('cert-web');
});

function colons(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/(..)(?=.)/g, '$1:');
}

describe('a login is refused', () => {
  test('without a certificate, with one of another CA, before and after its time', async () => {
    await role();
    expect((await login(undefined)).errors).toEqual(['no client certificate found']);
    const otherCa = await issue({ commonName: 'clients' });
    const refused = [
      await issue({ commonName: 'web.mesh', by: otherCa }),
      await issue({ commonName: 'early', by: ca, notBefore: clock.now() + hourMs }),
      await issue({ commonName: 'late', by: ca, notBefore: clock.now() - 2 * hourMs, lifetimeMs: hourMs }),
      otherCa,
      // What signs for others is not itself a client.
      ca,
    ];
    for (const each of refused) expect((await login(each)).errors).toEqual([untrusted]);
  });

  test('where its names are not those of the role', async () => {
    for (const limit of [
      { allowed_common_names: 'db.*' },
      { allowed_dns_sans: '*.other' },
      { allowed_email_sans: '*' },
      { allowed_uri_sans: 'spiffe://*' },
      { allowed_organizational_units: 'ops' },
      { allowed_names: 'db.*' },
      { required_extensions: '2.5.29.99:*' },
    ]) {
      await role(limit);
      expect([limit, (await login(client)).errors]).toEqual([limit, [unmatched]]);
      await send('DELETE', 'auth/cert/certs/web');
    }
    await role({ allowed_names: 'db.*' });
    await role({ allowed_common_names: 'web.*' }, 'named');
    expect((await login(client, 'web')).errors).toEqual([unmatched]);
    expect((await login(client)).auth.metadata).toMatchObject({ cert_name: 'named' });
    expect((await login(client, 'none')).errors).toEqual([untrusted]);
  });

  test('once it, or a CA on the way to it, is revoked', async () => {
    const lower = await issue({ commonName: 'lower', by: ca, ca: true });
    const below = await issue({ commonName: 'below', by: lower });
    const shown = { ...below, pem: below.pem + lower.pem };
    await role();
    for (const each of [client, shown]) expect((await login(each)).status).toBe(200);
    const revoked = [client, lower].map(({ certificate }) => ({
      serial: certificate.serial,
      revokedAt: clock.now(),
    }));
    const der = await buildCrl(
      {
        issuer: ca.certificate.subject,
        number: 1,
        thisUpdate: clock.now(),
        nextUpdate: clock.now() + dayMs,
        authorityKeyId: keyIdentifier(ca.key.publicKey),
        revoked,
      },
      signerOf(ca.key),
    );
    await ok('auth/cert/crls/first', { crl: crlPem(der) });
    for (const each of [client, shown]) expect((await login(each)).errors).toEqual([unmatched]);
    const { data } = await send('GET', 'auth/cert/crls/first');
    expect(Object.keys(data.serials as object)).toHaveLength(2);
    expect((await send('LIST', 'auth/cert/crls')).data.keys).toEqual(['first']);
    await send('DELETE', 'auth/cert/crls/first');
    expect((await login(client)).status).toBe(200);
  });
});

test('a certificate may itself be trusted, for as long as it is good', async () => {
  await role({ certificate: client.pem });
  expect((await login(client)).status).toBe(200);
  expect((await login(await issue({ commonName: 'web.mesh', by: ca }))).errors).toEqual([untrusted]);
  await clock.advance(91 * dayMs);
  expect((await login(client)).errors).toEqual([untrusted]);
});

test('another server on the same store knows at once whom roles trust, and who is revoked', async () => {
  const loginThere = () =>
    other.core.handle({
      id: 'a',
      operation: 'update',
      path: 'auth/cert/login',
      data: {},
      token: undefined,
      origin: {
        method: 'POST',
        headers: {},
        remoteAddress: '127.0.0.1',
        remotePort: 1,
        peerCertificates: [client.certificate.der],
      },
    });
  await expect(loginThere()).rejects.toThrow(untrusted);
  await role();
  expect((await loginThere()).answer?.auth).toMatchObject({ policies: ['default', 'pki'] });
  await send('DELETE', 'auth/cert/certs/web');
  await expect(loginThere()).rejects.toThrow(untrusted);
});

describe('a renewal', () => {
  const renew = (token: unknown, by?: Credential) =>
    send('POST', 'auth/token/renew-self', { token: token as string, by, body: {} });

  test('is for the client that logged in, as long as its role gives what it gave', async () => {
    await role({ token_ttl: '20m' });
    const { client_token: token } = (await login(client)).auth;
    expect((await renew(token, client)).auth.lease_duration).toBe(1_200);
    expect((await renew(token)).errors).toEqual(['no client certificate found']);
    const other = await issue({ commonName: 'web.mesh', by: ca });
    expect((await renew(token, other)).errors[0]).toContain('client identity during renewal not matching');
    await ok('auth/cert/config', { disable_binding: true });
    expect((await renew(token)).status).toBe(200);
    await role({ token_policies: 'pki,more' });
    expect((await renew(token)).errors[0]).toContain('policies have changed, not renewing');
    await send('DELETE', 'auth/cert/certs/web');
    expect((await renew(token)).errors[0]).toContain('does not exist during renewal');
  });
});

test.each([
  [{ certificate: '' }, 'failed to parse certificate'],
  [{ certificate: 'x' }, 'failed to parse certificate'],
  [{ ocsp_enabled: true }, 'ocsp_enabled is not supported: give revocation lists to crls/ instead'],
  [{ required_extensions: 'name:x' }, 'required_extensions: "name:x" is not like OID:value'],
])('a role of %j is refused', async (body, message) => {
  const { errors } = await send('POST', 'auth/cert/certs/bad', { body: { certificate: ca.pem, ...body } });
  expect(errors).toEqual([message]);
});

test('a role reads as it was written, names of old included', async () => {
  await role({ policies: 'a', token_policies: undefined, ttl: '1h', allowed_names: 'a,b' });
  const { data } = await send('GET', 'auth/cert/certs/web');
  expect(data).toMatchObject({
    certificate: ca.pem,
    display_name: 'web',
    allowed_names: ['a', 'b'],
    required_extensions: [],
    policies: ['a'],
    token_policies: ['a'],
    ttl: 3_600,
    token_ttl: 3_600,
  });
});
