import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Diagnostics } from '../src/vault/sys/diagnostics.ts';
import { type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;

const diagnostics: Diagnostics = {
  host: () => ({ cpu: [{ cpu: 0 }], host: { hostname: 'here' }, memory: { total: 1 } }),
  profile: (ms) => Promise.resolve(Buffer.from(JSON.stringify({ ms }))),
};

beforeAll(async () => {
  vault = await testVault({ diagnostics });
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
});

afterAll(() => vault.close());

test('metrics count what was asked and how it was answered, for Prometheus', async () => {
  await vault.call('GET', 'sys/mounts');
  await vault.call('GET', 'pki/roles/none');
  await vault.call('GET', 'sys/mounts', undefined, 'hvs.wrong');
  const { status, headers, text } = await vault.call('GET', 'sys/metrics?format=prometheus');
  expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  expect(text).toContain('capstan_requests_total{mount="system",operation="read",status="200"} 1\n');
  expect(text).toContain('capstan_requests_total{mount="",operation="read",status="403"} 1\n');
  expect(text).toMatch(/^vault_core_handle_request_count [1-9]\d*$/m);
  expect(text).toMatch(/^vault_barrier_put_count [1-9]\d*$/m);
  // The scrape itself is under way.
  expect(text).toMatch(/^vault_core_in_flight_requests 1$/m);
  const refused = await vault.call('GET', 'sys/metrics?format=statsd');
  expect([refused.status, refused.errors[0]]).toEqual([400, expect.stringContaining('use prometheus')]);
  expect((await vault.call('GET', 'sys/metrics', undefined, '')).status).toBe(403);
});

test('requests under way are told of', async () => {
  const { data } = await vault.call('GET', 'sys/in-flight-req');
  expect(Object.values(data)).toEqual([
    {
      start_time: expect.any(String) as string,
      client_remote_address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      request_path: '/v1/sys/in-flight-req',
      request_method: 'GET',
    },
  ]);
});

test('?help=1 tells a token holder of a path, of a mount, and of nothing that is not there', async () => {
  const path = await vault.call('GET', 'pki/roles/any?help=1');
  expect(path.body.help).toContain('Matching Route: roles/:name');
  expect(path.body.help).toContain('allowed_domains (comma-separated list)');
  expect(path.body.openapi).toMatchObject({ paths: { '/pki/roles/{name}': { post: {} } } });
  const mount = await vault.call('GET', 'pki?help=1');
  expect(mount.body.help).toContain('root/sign-intermediate');
  expect((await vault.call('GET', 'pki/none/such?help=1')).status).toBe(404);
  expect((await vault.call('GET', 'none/such?help=1')).status).toBe(404);
  expect((await vault.call('GET', 'pki/roles/any?help=1', undefined, '')).status).toBe(403);
  const { auth } = await vault.call('POST', 'auth/token/create', { policies: ['default'] });
  expect(
    (await vault.call('GET', 'pki/roles/any?help=1', undefined, auth.client_token as string)).status,
  ).toBe(200);
});

test('the OpenAPI document tells of no mount that the caller may not know of', async () => {
  const pathsFor = async (token: string) => {
    const { body } = await vault.call('GET', 'sys/internal/specs/openapi', undefined, token);
    return Object.keys(body.paths as object).map((path) => path.split('/')[1]);
  };
  expect(await pathsFor('')).toEqual([]);
  expect(await pathsFor('hvs.wrong')).toEqual([]);
  const policy = 'path "pki/issue/web" { capabilities = ["update"] }';
  await vault.call('PUT', 'sys/policies/acl/web', { policy });
  const { auth } = await vault.call('POST', 'auth/token/create', {
    policies: ['web'],
    no_default_policy: true,
  });
  expect(new Set(await pathsFor(auth.client_token as string))).toEqual(new Set(['pki']));
  await vault.call('POST', 'sys/mounts/pki/tune', { listing_visibility: 'unauth' });
  expect(new Set(await pathsFor(''))).toEqual(new Set(['pki']));
});

test('the OpenAPI document holds every path of every mount', async () => {
  const { body, status } = await vault.call('GET', 'sys/internal/specs/openapi');
  expect(status).toBe(200);
  const { openapi, paths } = body as { openapi: string; paths: Record<string, Record<string, unknown>> };
  expect(openapi).toBe('3.0.2');
  expect(paths['/sys/policies/acl/{name}']).toMatchObject({
    parameters: [{ name: 'name', in: 'path', required: true, schema: { type: 'string' } }],
    get: {},
    delete: {},
    post: {
      requestBody: {
        content: { 'application/json': { schema: { properties: { policy: { type: 'string' } } } } },
      },
    },
  });
  expect(paths['/sys/audit/{path}']).toMatchObject({ 'x-vault-sudo': true });
  expect(paths['/pki/ca/pem']).toMatchObject({ 'x-vault-unauthenticated': true });
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/auth/token/create', '/pki/roles']));
  const ids = Object.values(paths).flatMap((path) =>
    Object.values(path).flatMap((operation) => (operation as { operationId?: string }).operationId ?? []),
  );
  expect(ids.length).toBeGreaterThan(100);
  expect(new Set(ids).size).toBe(ids.length);
});

test('the machine and the process are told of, where the server may look at them', async () => {
  const host = await vault.call('GET', 'sys/host-info');
  expect(host.data).toEqual({
    timestamp: expect.any(String) as string,
    cpu: [{ cpu: 0 }],
    host: { hostname: 'here' },
    memory: { total: 1 },
  });
  const profile = await vault.call('GET', 'sys/pprof/profile?seconds=2');
  expect(profile.body).toEqual({ ms: 2_000 });
  expect((await vault.call('GET', 'sys/pprof/profile?seconds=900')).status).toBe(400);
  const blind = await testVault();
  expect((await blind.call('GET', 'sys/host-info')).status).toBe(404);
  await blind.close();
});
