import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemEntropy } from '../src/base/entropy.ts';
import { generateKey } from '../src/x509/key.ts';
import { nameOf } from '../src/x509/name.ts';
import { buildRequest, requestPem } from '../src/x509/request.ts';
import { signerOf } from '../src/x509/signature.ts';
import { callVault, rootToken, testVault, type VaultReply } from './support/vault.ts';

const program = new URL('../bin/capstan.mjs', import.meta.url).pathname;
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Running {
  child: ChildProcess;
  output: string;
  call(method: string, path: string, body?: unknown, token?: string): Promise<VaultReply>;
}

/** `capstan vault server -dev` as a process of its own, once it says that it listens. */
async function start(...args: string[]): Promise<Running> {
  const all = [
    'vault',
    'server',
    '-dev',
    '-dev-listen-address',
    '127.0.0.1:0',
    `--dev-root-token-id=${rootToken}`,
    ...args,
  ];
  const child = spawn(process.execPath, [program, ...all], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdout.setEncoding('utf8');
  const ended = once(child, 'exit').then(() => {
    throw new Error(`it ended: ${errors}`);
  });
  while (!output.includes('Development mode should NOT')) {
    const [text] = (await Promise.race([once(child.stdout, 'data'), ended])) as [string];
    output += text;
  }
  ended.catch(() => {});
  const endpoint = /Api Address: (\S+)/.exec(output)![1]!;
  return {
    child,
    output,
    call: (method, path, body, token = rootToken) => callVault(endpoint, { method, path, body, token }),
  };
}

async function kill({ child }: Running): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'close');
}

async function csr(commonName: string): Promise<string> {
  const key = generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy);
  return requestPem(await buildRequest({ subject: nameOf({ commonName }), extensions: [] }, signerOf(key)));
}

test('prints what scripts wait for, once it listens', async () => {
  const { output, child } = await start();
  expect(output).toContain('==> Vault server started! Log data will stream in below:\n');
  expect(output).toContain(`Root Token: ${rootToken}\n`);
  expect(output).toMatch(/\$ export VAULT_ADDR='http:\/\/127\.0\.0\.1:\d+'\n/);
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(0);
});

test('kill -9 while it signs: every certificate, token and policy that was answered for is there', async () => {
  const data = mkdtempSync(join(tmpdir(), 'capstan-vault-'));
  let vault = await start('-data', data);
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.call('POST', 'sys/mounts/pki/tune', { max_lease_ttl: '2160h' });
  await vault.call('POST', 'pki/config/urls', { crl_distribution_points: 'http://ca.example/crl' });
  const root = await vault.call('POST', 'pki/root/generate/internal', {
    common_name: 'root.example',
    key_type: 'ec',
    ttl: '2160h',
  });
  await vault.call('PUT', 'sys/policies/acl/pki', {
    policy: 'path "pki/*" { capabilities = ["update", "read", "list"] }',
  });
  const token = (await vault.call('POST', 'auth/token/create', { policies: ['pki'], ttl: '767h' })).auth
    .client_token as string;
  const crl = (await vault.call('GET', 'pki/crl/pem', undefined, '')).text;

  const request = await csr('a.example');
  const acknowledged: string[] = [];
  const lanes = Array.from({ length: 6 }, async () => {
    for (;;) {
      const reply = await vault.call(
        'POST',
        'pki/root/sign-intermediate',
        { csr: request, ttl: '1h' },
        token,
      );
      if (reply.status !== 200) throw new Error(reply.text);
      acknowledged.push(reply.data.serial_number as string);
      if (acknowledged.length === 60) vault.child.kill('SIGKILL');
    }
  });
  await Promise.allSettled(lanes);
  expect(acknowledged.length).toBeGreaterThanOrEqual(60);

  vault = await start('-data', data);
  const kept = (await vault.call('GET', 'pki/certs?list=true', undefined, token)).data.keys as string[];
  expect(acknowledged.filter((serial) => !kept.includes(serial))).toEqual([]);
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
  expect((await vault.call('GET', 'pki/ca/pem', undefined, '')).text).toBe(root.data.certificate);
  expect((await vault.call('GET', 'pki/crl/pem', undefined, '')).text).toBe(crl);
  expect((await vault.call('GET', 'sys/mounts/pki/tune')).data.max_lease_ttl).toBe(2_160 * 3_600);
  const signed = await vault.call('POST', 'pki/root/sign-intermediate', { csr: request, ttl: '1h' }, token);
  expect(signed.status).toBe(200);
  expect(signed.data.issuing_ca).toBe(root.data.certificate);
  await kill(vault);

  // What lies on the disk gives no secret away, and is the owner's alone.
  const files = readdirSync(data).map((name) => join(data, name));
  expect(existsSync(join(data, 'store.db'))).toBe(true);
  for (const path of files) expect([path, statSync(path).mode & 0o077]).toEqual([path, 0]);
  const content = files.map((path) => readFileSync(path, 'latin1')).join('');
  for (const secret of [token, rootToken, 'PRIVATE KEY', 'CERTIFICATE'])
    expect(content.includes(secret)).toBe(false);
});

test('another root token at the next start takes the place of the one before', async () => {
  const first = await testVault({ rootToken: 'one' });
  await first.close();
  const { store, clock } = first;
  const second = await testVault({ store, clock, rootToken: 'two' });
  expect((await second.call('GET', 'sys/mounts', undefined, 'one')).status).toBe(403);
  expect((await second.call('GET', 'sys/mounts')).status).toBe(200);
  await second.close();
  const third = await testVault({ store, clock, rootToken: 'two' });
  expect((await third.call('GET', 'sys/mounts')).status).toBe(200);
  await third.close();
});

test('a mount whose removal was cut short is finished off at the next start', async () => {
  const first = await testVault();
  await first.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await first.call('POST', 'pki/root/generate/internal', { common_name: 'a', key_type: 'ec' });
  await first.close();
  const { store, clock } = first;
  const [mount] = await store.list({ prefix: 'mount/' });
  const uuid = mount!.key.slice('mount/'.length);
  await store.commit({
    deletes: [mount!.key],
    puts: [{ key: `unmounting/${uuid}`, value: Buffer.from('pki/') }],
  });
  const second = await testVault({ store, clock });
  expect(await store.list({ prefix: 'data/' })).toEqual([]);
  expect(await store.list({ prefix: 'unmounting/' })).toEqual([]);
  await second.close();
});

test('a second server on the same folder is told so, and the first goes on', async () => {
  const data = mkdtempSync(join(tmpdir(), 'capstan-vault-'));
  const vault = await start('-data', data);
  await expect(start('-data', data)).rejects.toThrow(/is in use by another process; stop that process/);
  expect((await vault.call('GET', 'sys/mounts')).status).toBe(200);
});
