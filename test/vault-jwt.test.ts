import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hourMs, minuteMs, secondMs } from '../src/base/duration.ts';
import { jwk, jwt, type SigningKey, signingKey } from './support/jwt.ts';
import { type TestVault, testVault } from './support/vault.ts';

/** Logins by tokens of an issuer that publishes its keys. */

let vault: TestVault;
let first: SigningKey;
let second: SigningKey;

/** What the issuer serves, and how often it was asked. */
let published: SigningKey[];
let asked: number;
let broken: boolean;
let issuer: string;
let provider: Server;

beforeAll(() => {
  first = signingKey('first', 'RS256');
  second = signingKey('second', 'ES256');
});

beforeEach(async () => {
  vault = await testVault();
  [published, asked, broken] = [[first], 0, false];
  provider = createServer((request, response) => {
    if (broken) return void response.writeHead(500).end();
    if (request.url === '/.well-known/openid-configuration') {
      return void response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }));
    }
    asked++;
    response.end(JSON.stringify({ keys: published.map(jwk) }));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  await ok('sys/auth/jwt', { type: 'jwt' });
});
afterEach(async () => {
  await vault.close();
  await new Promise((resolve) => provider.close(resolve));
});

async function ok(path: string, body: object): Promise<void> {
  const { errors } = await vault.call('POST', path, body);
  expect([path, errors]).toEqual([path, []]);
}

const role = (body: object = {}) =>
  ok('auth/jwt/role/ci', { role_type: 'jwt', user_claim: 'sub', bound_audiences: 'vault', ...body });

function claims(more: object = {}): object {
  const now = vault.clock.now() / 1_000;
  return { iss: issuer, sub: 'repo:a', aud: 'vault', iat: now, exp: now + 300, ...more };
}

const login = (token: string, name = 'ci') =>
  vault.call('POST', 'auth/jwt/login', { role: name, jwt: token }, '');
const refusal = async (token: string) => (await login(token)).errors[0];
const badSignature =
  'error validating token: error verifying token signature: failed to verify id token signature';

test('whoever the issuer vouches for logs in, as the role says', async () => {
  await ok('auth/jwt/config', { oidc_discovery_url: issuer, bound_issuer: issuer, default_role: 'ci' });
  await role({
    token_policies: 'pki',
    token_ttl: '20m',
    claim_mappings: { '/job/ref': 'ref' },
    groups_claim: 'groups',
    bound_claims: { '/job/ref': 'refs/heads/*' },
    bound_claims_type: 'glob',
  });
  const token = jwt(first, claims({ job: { ref: 'refs/heads/main' }, groups: ['a'] }));
  const { auth } = await login(token, '');
  expect(auth).toMatchObject({
    policies: ['default', 'pki'],
    metadata: { ref: 'refs/heads/main', role: 'ci' },
    lease_duration: 1_200,
  });
  const self = await vault.call('GET', 'auth/token/lookup-self', undefined, auth.client_token as string);
  expect(self.data.display_name).toBe('jwt-repo:a');
  await vault.call('DELETE', 'auth/jwt/role/ci');
  const renewal = await vault.call('POST', 'auth/token/renew-self', {}, auth.client_token as string);
  expect(renewal.errors[0]).toContain('does not exist during renewal');
});

describe('a token is refused', () => {
  beforeEach(async () => {
    await ok('auth/jwt/config', { jwks_url: `${issuer}/keys`, bound_issuer: issuer });
    await role({ bound_subject: 'repo:a', bound_claims: { ref: ['main', 'next'] } });
  });

  test.each([
    ['of another issuer', { iss: 'http://elsewhere' }, 'token: invalid issuer (iss) claim'],
    ['of another subject', { sub: 'repo:b' }, 'token: invalid subject (sub) claim'],
    ['for another audience', { aud: ['other'] }, 'token: invalid audience (aud) claim'],
    ['for no audience', { aud: undefined }, 'token: invalid audience (aud) claim'],
    ['that is over', { exp: 1 }, 'token: invalid expiration time (exp) claim: token is expired'],
    ['that is to come', { nbf: 4e9, exp: 5e9 }, 'token: invalid not before (nbf) claim'],
    ['without a bound claim', { ref: undefined }, 'claims: claim "ref" is missing'],
    ['with another value of it', { ref: 'other' }, 'claims: claim "ref" does not match any associated'],
  ])('%s', async (_, change, message) => {
    expect((await login(jwt(first, claims({ ref: 'next' })))).status).toBe(200);
    expect(await refusal(jwt(first, claims({ ref: 'next', ...change })))).toContain(
      `error validating ${message}`,
    );
  });

  test('by nobody, by another key, by another role, as it is malformed', async () => {
    const stranger = signingKey('first', 'RS256');
    expect(await refusal(jwt(stranger, claims()))).toBe(badSignature);
    expect(await refusal(jwt(second, claims()))).toBe(badSignature);
    expect(await refusal('a.b.c')).toContain('error validating token: malformed jwt');
    expect(await refusal('')).toBe('missing token');
    expect((await login('x', 'none')).errors).toEqual(['role "none" could not be found']);
    expect((await login('x', '')).errors).toEqual(['missing role']);
    for (const odd of ['a\0', '../config', '\ud800', 'a'.repeat(5_000)]) {
      expect((await login('x', odd)).errors[0]).toMatch(/could not be found$/);
    }
  });
});

describe('published keys', () => {
  const config = () => ok('auth/jwt/config', { jwks_url: `${issuer}/keys` });
  const good = async (key: SigningKey) => (await login(jwt(key, claims()))).status === 200;

  test('are fetched once, and again for one that is new', async () => {
    await config();
    await role();
    asked = 0;
    for (let count = 0; count < 3; count++) expect(await good(first)).toBe(true);
    expect(asked).toBe(1);
    published = [second];
    await vault.clock.advance(10 * secondMs);
    expect(await good(second)).toBe(true);
    expect(await good(first)).toBe(false);
    expect(asked).toBe(2);
  });

  test('are not fetched for every token by an unknown key', async () => {
    await config();
    await role();
    asked = 0;
    const strangers = Array.from({ length: 20 }, (_, index) => ({ ...second, id: `stranger-${index}` }));
    expect(await Promise.all(strangers.map(good))).not.toContain(true);
    expect(asked).toBeLessThanOrEqual(2);
    for (const stranger of strangers) expect(await good(stranger)).toBe(false);
    expect(asked).toBeLessThanOrEqual(2);
  });

  test('that were taken away are no good for long', async () => {
    await config();
    await role();
    expect(await good(first)).toBe(true);
    published = [second];
    await vault.clock.advance(10 * minuteMs);
    expect(await good(first)).toBe(false);
  });

  test('outlast a provider that is away, for an hour', async () => {
    await config();
    await role();
    expect(await good(first)).toBe(true);
    broken = true;
    await vault.clock.advance(30 * minuteMs);
    expect(await good(first)).toBe(true);
    await vault.clock.advance(hourMs);
    expect(await refusal(jwt(first, claims()))).toContain('fetching keys');
    broken = false;
    await vault.clock.advance(minuteMs);
    expect(await good(first)).toBe(true);
  });
});

test('keys may be given themselves, and algorithms bound', async () => {
  await ok('auth/jwt/config', { jwt_validation_pubkeys: [first.publicPem, second.publicPem] });
  await role();
  expect((await login(jwt(first, claims()))).status).toBe(200);
  await ok('auth/jwt/config', {
    jwt_validation_pubkeys: [first.publicPem, second.publicPem],
    jwt_supported_algs: 'ES256',
  });
  expect(await refusal(jwt(first, claims()))).toBe(badSignature);
  expect((await login(jwt(second, claims()))).status).toBe(200);
});

test.each([
  [{}, "exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set"],
  [{ jwks_url: 'http://a', oidc_discovery_url: 'http://b' }, 'exactly one of'],
  [{ jwks_url: 'http://127.0.0.1:1/keys' }, 'error checking jwks URL'],
  [{ oidc_discovery_url: 'http://a/.well-known/openid-configuration' }, "contains '.well-known' component"],
  [{ jwt_validation_pubkeys: 'x' }, 'error parsing public key: data does not contain any valid public keys'],
  [{ oidc_client_id: 'a', oidc_client_secret: 'b' }, 'oidc_client_id is not supported'],
  [{ jwks_url: 'http://a', jwt_supported_algs: 'HS256' }, 'unsupported signing algorithm "HS256"'],
])('a configuration of %j is refused', async (body, message) => {
  const { status, errors } = await vault.call('POST', 'auth/jwt/config', body);
  expect([status, errors[0]]).toEqual([400, expect.stringContaining(message)]);
});

test.each([
  [{ role_type: 'oidc' }, "a 'role_type' of oidc is not supported"],
  [{ role_type: undefined }, "a 'role_type' of oidc is not supported"],
  [{ user_claim: '' }, 'a user claim must be defined on the role'],
  [{ bound_audiences: '' }, 'must have at least one bound constraint'],
  [{ bound_claims_type: 'regex' }, "invalid 'bound_claims_type': regex"],
  [{ bound_claims: { a: { b: 1 } } }, 'claim is not a string or list'],
  [{ bound_claims: { a: 1 }, bound_claims_type: 'glob' }, 'claim is not a string'],
  [{ claim_mappings: { a: 'role' } }, 'metadata key "role" is reserved'],
  [{ claim_mappings: { a: 'x', b: 'x' } }, 'multiple keys are mapped to metadata key "x"'],
])('a role of %j is refused', async (body, message) => {
  const whole = { role_type: 'jwt', user_claim: 'sub', bound_audiences: 'vault', ...body };
  const { status, errors } = await vault.call('POST', 'auth/jwt/role/ci', whole);
  expect([status, errors[0]]).toEqual([400, expect.stringContaining(message)]);
});
