import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../src/base/manual-clock.ts';
import { memoryStore } from '../src/store/memory.ts';
import { type OpenSink, systemSinks } from '../src/vault/audit/sink.ts';
import { rootToken, type TestVault, testVault } from './support/vault.ts';

let folder: string;
let vault: TestVault;
let output: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-'));
  output = '';
});

afterEach(async () => {
  await vault.close();
  await rm(folder, { recursive: true });
});

const openSink: OpenSink = systemSinks((text) => {
  output += text;
  return Promise.resolve();
});

interface Line {
  type: string;
  error?: string;
  auth: Record<string, unknown>;
  request: Record<string, unknown> & { data?: Record<string, unknown> };
  response?: Record<string, unknown> & { data?: Record<string, unknown>; auth?: Record<string, unknown> };
}

async function lines(name = 'audit.log'): Promise<Line[]> {
  const text = await readFile(join(folder, name), 'utf8');
  expect(text.endsWith('\n')).toBe(true);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

async function withFile(options: Record<string, string> = {}): Promise<void> {
  vault = await testVault({ openSink });
  const enabled = await vault.call('PUT', 'sys/audit/file', {
    type: 'file',
    description: 'all of it',
    options: { file_path: join(folder, 'audit.log'), ...options },
  });
  expect([enabled.status, enabled.errors]).toEqual([204, []]);
}

describe('a file device', () => {
  test('holds a line for each request and each answer, in order, and is for its owner alone', async () => {
    await withFile();
    await vault.call('GET', 'sys/mounts');
    await vault.call('GET', 'nosuch/thing');
    const told = await lines();
    expect(told.map(({ type, request }) => [type, request.path])).toEqual([
      ['request', 'sys/audit/test'],
      ['response', 'sys/audit/file'],
      ['request', 'sys/mounts'],
      ['response', 'sys/mounts'],
      ['request', 'nosuch/thing'],
      ['response', 'nosuch/thing'],
    ]);
    expect(told[2]!.request).toMatchObject({
      operation: 'read',
      mount_point: 'sys/',
      mount_type: 'system',
      mount_class: 'secret',
      namespace: { id: 'root' },
      remote_address: '127.0.0.1',
    });
    expect(told[2]!.auth).toMatchObject({ policies: ['root'], policy_results: { allowed: true } });
    expect(told[5]!.error).toContain('no handler for route');
    expect((await stat(join(folder, 'audit.log'))).mode & 0o777).toBe(0o600);
  });

  test('never holds a token or a private key, and whoever knows a token finds it by its hash', async () => {
    await withFile();
    const created = await vault.call('POST', 'auth/token/create', {
      policies: ['default'],
      meta: { a: 'b' },
    });
    const token = created.auth.client_token as string;
    await vault.call('GET', 'auth/token/lookup-self', undefined, token);
    await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
    const root = await vault.call('POST', 'pki/root/generate/exported', { common_name: 'r', key_type: 'ec' });
    const key = root.data.private_key as string;
    expect(key).toContain('PRIVATE KEY');
    const text = await readFile(join(folder, 'audit.log'), 'utf8');
    for (const secret of [rootToken, token, created.auth.accessor as string, key, 'PRIVATE KEY'])
      expect(text).not.toContain(secret);
    const { data } = await vault.call('POST', 'sys/audit-hash/file', { input: token });
    const uses = (await lines()).filter(({ auth }) => auth.client_token === data.hash);
    expect(uses.map(({ request }) => request.path)).toEqual(Array(2).fill('auth/token/lookup-self'));
    const made = (await lines()).find(({ response }) => response?.auth?.client_token === data.hash);
    expect(made?.request.path).toBe('auth/token/create');
    expect(made?.response?.auth).toMatchObject({ policies: ['default'], metadata: { a: 'b' } });
  });

  test('shows the fields that a mount says are no secrets', async () => {
    await withFile();
    await vault.call('POST', 'sys/mounts/pki', {
      type: 'pki',
      config: { audit_non_hmac_request_keys: ['common_name'] },
    });
    await vault.call('POST', 'sys/mounts/pki/tune', {
      audit_non_hmac_response_keys: 'serial_number,expiration',
    });
    const { data } = await vault.call('POST', 'pki/root/generate/internal', { common_name: 'r', ou: 'o' });
    const { request, response } = (await lines()).at(-1)!;
    const hashed = expect.stringMatching(/^hmac-sha256:/) as string;
    expect(request.data).toEqual({ common_name: 'r', ou: hashed });
    expect(response!.data).toMatchObject({ serial_number: data.serial_number, certificate: hashed });
    const tuned = await vault.call('GET', 'sys/mounts/pki/tune');
    expect(tuned.data).toMatchObject({
      audit_non_hmac_request_keys: ['common_name'],
      audit_non_hmac_response_keys: ['serial_number', 'expiration'],
    });
    await vault.call('POST', 'sys/mounts/pki/tune', { audit_non_hmac_response_keys: '' });
    expect((await vault.call('GET', 'sys/mounts/pki/tune')).data).not.toHaveProperty(
      'audit_non_hmac_response_keys',
    );
  });

  test('tells of who was refused, and why', async () => {
    await withFile();
    await vault.call('GET', 'sys/mounts', undefined, 'hvs.wrong');
    const { auth } = await vault.call('POST', 'auth/token/create', { policies: ['default'] });
    await vault.call('GET', 'sys/policies/acl?list=true', undefined, auth.client_token as string);
    const told = (await lines()).slice(-6);
    expect(told.map(({ type, error }) => [type, error?.includes('permission denied') ?? false])).toEqual([
      ['request', true],
      ['response', true],
      ['request', false],
      ['response', false],
      ['request', true],
      ['response', true],
    ]);
    expect(told[4]!.auth).toMatchObject({ policies: ['default'], policy_results: { allowed: false } });
  });

  test('logs raw where that was asked for, headers that were asked for, and lists by their length', async () => {
    await withFile({ log_raw: 'true', elide_list_responses: 'true' });
    await vault.call('POST', 'sys/config/auditing/request-headers/X-Forwarded-For', { hmac: true });
    await vault.call('POST', 'sys/config/auditing/request-headers/User-Agent', {});
    const { data } = await vault.call('GET', 'sys/config/auditing/request-headers');
    expect(data.headers).toEqual({ 'x-forwarded-for': { hmac: true }, 'user-agent': { hmac: false } });
    await vault.call('LIST', 'sys/policies/acl');
    const last = (await lines()).at(-1)!;
    expect(last.request.client_token).toBe(rootToken);
    expect(last.request.headers).toEqual({ 'user-agent': ['node'] });
    expect(last.response!.data).toEqual({ keys: 2 });
    await vault.call('DELETE', 'sys/config/auditing/request-headers/user-agent');
    await vault.call('GET', 'sys/mounts');
    expect((await lines()).at(-1)!.request.headers).toBeUndefined();
  });

  test('is opened anew after it was moved away', async () => {
    await withFile();
    await rename(join(folder, 'audit.log'), join(folder, 'audit.1'));
    await vault.server.reopenLogs();
    await vault.call('GET', 'sys/mounts');
    expect((await lines('audit.1')).at(-1)!.request.path).toBe('sys/audit/file');
    expect((await lines()).map(({ request }) => request.path)).toEqual(['sys/mounts', 'sys/mounts']);
  });

  test('goes on where it was after a restart, and no longer once it is disabled', async () => {
    const store = memoryStore();
    vault = await testVault({ openSink, store });
    const options = { file_path: join(folder, 'audit.log') };
    await vault.call('PUT', 'sys/audit/a', { type: 'file', options });
    await vault.close();
    vault = await testVault({ openSink, store });
    const listed = await vault.call('GET', 'sys/audit');
    expect(listed.data).toEqual({
      'a/': { path: 'a/', type: 'file', description: '', local: false, options },
    });
    expect((await lines()).at(-1)!.request.path).toBe('sys/audit');
    await vault.call('DELETE', 'sys/audit/a');
    await vault.call('GET', 'sys/mounts');
    expect((await lines()).at(-1)!.request.path).toBe('sys/audit/a');
  });
});

describe('with no device that takes a line', () => {
  let works = true;
  const failing: OpenSink = () => ({
    write: () => (works ? Promise.resolve() : Promise.reject(new Error('no space left on device'))),
    reopen: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
  const file = { type: 'file', options: { file_path: 'x' } };

  test('nothing is done, and the client is told no more than that it failed', async () => {
    works = true;
    vault = await testVault({ openSink: failing });
    await vault.call('PUT', 'sys/audit/one', file);
    works = false;
    const refused = await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
    expect([refused.status, refused.errors]).toEqual([500, ['internal error']]);
    works = true;
    expect((await vault.call('GET', 'sys/mounts')).data).not.toHaveProperty('pki/');
  });

  test('a device that cannot be written to is not enabled', async () => {
    works = false;
    vault = await testVault({ openSink: failing });
    const refused = await vault.call('PUT', 'sys/audit/one', file);
    expect([refused.status, refused.errors[0]]).toEqual([400, expect.stringContaining('no space left')]);
    expect((await vault.call('GET', 'sys/audit')).data).toEqual({});
  });
});

test('one device that works is enough, and one that stalls fails for that line in bounded time', async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  let stalls = false;
  const mixed: OpenSink = (target) => ({
    write(line) {
      if (target.kind === 'file') return stalls ? new Promise(() => {}) : Promise.resolve();
      seen.push(line);
      return Promise.resolve();
    },
    reopen: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
  vault = await testVault({ openSink: mixed, clock });
  await vault.call('PUT', 'sys/audit/slow', { type: 'file', options: { file_path: 'x' } });
  stalls = true;
  const waiting = vault.call('GET', 'sys/mounts');
  const turn = (): Promise<undefined> => new Promise((resolve) => setImmediate(resolve, undefined));
  while (!(await Promise.race([waiting, turn()]))) await clock.advance(1_000);
  expect((await waiting).status).toBe(500);
  stalls = false;
  await vault.call('PUT', 'sys/audit/out', { type: 'file', options: { file_path: 'stdout' } });
  stalls = true;
  expect((await vault.call('GET', 'sys/mounts')).status).toBe(200);
  expect(seen.map((line) => (JSON.parse(line) as Line).request.path)).toContain('sys/mounts');
});

test('lines go to a socket, which is connected anew when it breaks, and to standard output', async () => {
  const got: string[] = [];
  const collector = createServer((socket) => {
    socket.on('data', (bytes) => {
      got.push(...bytes.toString().trimEnd().split('\n'));
      if (got.length === 2) socket.destroy();
    });
  });
  await new Promise<void>((resolve) => collector.listen(join(folder, 'collector'), resolve));
  vault = await testVault({ openSink });
  const socket = { address: join(folder, 'collector'), socket_type: 'unix' };
  expect((await vault.call('PUT', 'sys/audit/s', { type: 'socket', options: socket })).status).toBe(204);
  for (let asked = 0; got.length < 6 && asked < 100; asked++) await vault.call('GET', 'sys/mounts');
  expect(got.length).toBeGreaterThanOrEqual(6);
  for (const line of got) JSON.parse(line);
  await vault.call('PUT', 'sys/audit/out', { type: 'file', options: { file_path: 'stdout' } });
  await vault.call('DELETE', 'sys/audit/s');
  collector.close();
  await vault.call('GET', 'sys/mounts');
  expect(
    output
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as Line).request.path),
  ).toContain('sys/mounts');
});

test.each([
  [{ type: 'syslog' }, 'unknown backend type'],
  [{ type: 'file' }, 'file_path is required'],
  [{ type: 'file', options: { file_path: 'x', mode: '0755' } }, 'executable'],
  [{ type: 'file', options: { file_path: 'x', prefix: '#!/bin/sh' } }, '"prefix" is not supported'],
  [{ type: 'file', options: { file_path: 'x', filter: 'a' } }, '"filter" is not supported'],
  [{ type: 'file', options: { file_path: 'x', format: 'jsonx' } }, 'unknown format'],
  [{ type: 'socket', options: { address: '127.0.0.1' } }, 'needs a port'],
])('%j is refused', async (body, words) => {
  vault = await testVault({ openSink });
  const refused = await vault.call('PUT', 'sys/audit/x', body);
  expect([refused.status, refused.errors[0]]).toEqual([400, expect.stringContaining(words)]);
});

test('of a wrapped answer the log tells where it was put, and neither it nor the token that opens it', async () => {
  await withFile();
  const response = await fetch(`${vault.endpoint}/v1/sys/wrapping/wrap`, {
    method: 'PUT',
    headers: { 'x-vault-token': rootToken, 'x-vault-wrap-ttl': '60' },
    body: JSON.stringify({ secret: 'wrapped-value' }),
  });
  const { wrap_info: info } = (await response.json()) as { wrap_info: Record<string, string> };
  await vault.call('PUT', 'sys/wrapping/unwrap', undefined, info.token);
  const told = await lines();
  const wrapped = told.filter(({ request }) => request.path === 'sys/wrapping/wrap');
  expect(wrapped.map(({ type }) => type)).toEqual(['request', 'response']);
  expect(wrapped[0]!.request.wrap_ttl).toBe(60);
  expect(wrapped[1]!.response!.wrap_info).toEqual({
    ttl: 60,
    token: expect.stringMatching(/^hmac-sha256:/),
    accessor: expect.stringMatching(/^hmac-sha256:/),
    creation_path: 'sys/wrapping/wrap',
    creation_time: expect.any(String),
  });
  const text = await readFile(join(folder, 'audit.log'), 'utf8');
  expect(text).not.toContain('wrapped-value');
  expect(text).not.toContain(info.token);
});
