import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemEntropy } from '../src/base/entropy.ts';
import { buildCertificate, certificatePem, newSerial } from '../src/x509/certificate.ts';
import { basicConstraints, subjectAltName } from '../src/x509/extension.ts';
import { generateKey, writePrivateKey } from '../src/x509/key.ts';
import { nameOf } from '../src/x509/name.ts';
import { signerOf } from '../src/x509/signature.ts';
import { type Running, run, start, temporaryFolder } from './support/capstan.ts';
import { callVault, type VaultReply } from './support/vault.ts';

const cleaning: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

function folder(): string {
  const { path, remove } = temporaryFolder();
  cleaning.push(remove);
  return path;
}

interface Server {
  running: Running;
  address: string;
  call(method: string, path: string, body?: unknown, token?: string): Promise<VaultReply>;
  kill(): Promise<void>;
}

/** `capstan vault server -config` in `path`, where `vault.hcl` is written for a free port. */
async function serve(path: string, tls = 'tls_disable = true'): Promise<Server> {
  writeFileSync(
    join(path, 'vault.hcl'),
    `listener "tcp" {\n  address = "127.0.0.1:0"\n  ${tls}\n}\nstorage "file" {\n  path = "data"\n}\n`,
  );
  const running = start(['vault', 'server', '-config=vault.hcl'], { cwd: path });
  const kill = async () => {
    running.child.kill('SIGKILL');
    await running.finished;
  };
  cleaning.push(kill);
  const [, address] = await running.printed(/Api Address: (\S+)\n[\s\S]*server started!/);
  return {
    running,
    address: address!,
    call: (method, route, body, token = '') => callVault(address!, { method, path: route, body, token }),
    kill,
  };
}

test('what was initialised and unsealed is there after kill -9, sealed, and nothing on the disk tells it', async () => {
  const path = folder();
  let vault = await serve(path);
  expect((await vault.call('GET', 'sys/health')).status).toBe(501);
  const init = await vault.call('PUT', 'sys/init', { secret_shares: 3, secret_threshold: 2 });
  const keys = init.body.keys_base64 as string[];
  const root = init.body.root_token as string;
  for (const key of keys.slice(1)) await vault.call('PUT', 'sys/unseal', { key });
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' }, root);
  const made = await vault.call(
    'POST',
    'pki/root/generate/internal',
    { common_name: 'r', key_type: 'ec' },
    root,
  );
  expect(made.status).toBe(200);
  await vault.kill();

  vault = await serve(path);
  expect((await vault.call('GET', 'pki/ca/pem')).body).toEqual({ errors: ['Vault is sealed'] });
  for (const key of keys.slice(0, 2)) await vault.call('PUT', 'sys/unseal', { key });
  expect((await vault.call('GET', 'pki/ca/pem')).text).toBe(made.data.certificate);
  vault.running.child.kill('SIGTERM');
  expect((await vault.running.finished).status).toBe(0);

  const files = readdirSync(join(path, 'data')).map((name) => join(path, 'data', name));
  for (const file of files) expect([file, statSync(file).mode & 0o077]).toEqual([file, 0]);
  const content = files.map((file) => readFileSync(file, 'latin1')).join('');
  const secrets = [
    root,
    'CERTIFICATE',
    ...keys,
    ...keys.map((key) => Buffer.from(key, 'base64').toString('latin1')),
  ];
  for (const secret of secrets) expect(content.includes(secret)).toBe(false);
  expect(vault.running.stderr()).not.toContain(root);
});

test('kill -9 in the middle of initialising leaves nothing, or an initialised server', async () => {
  // Each a little later into the request; the last only once it was answered.
  for (const turns of [0, 20, 80, 320, Infinity]) {
    const path = folder();
    const vault = await serve(path);
    const answer = vault
      .call('PUT', 'sys/init', { secret_shares: 5, secret_threshold: 3 })
      .catch(() => undefined);
    if (turns === Infinity) await answer;
    else for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    await vault.kill();
    const told = await answer;

    const again = await serve(path);
    const { initialized } = (await again.call('GET', 'sys/init')).body;
    if (turns === Infinity) expect(told?.status).toBe(200);
    if (told) {
      expect(initialized).toBe(true);
      const keys = (told.body.keys as string[]).slice(0, 3);
      for (const key of keys) await again.call('PUT', 'sys/unseal', { key });
      const root = told.body.root_token as string;
      expect((await again.call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);
    } else if (initialized) {
      expect((await again.call('GET', 'sys/seal-status')).body).toMatchObject({ t: 3, n: 5, sealed: true });
    } else {
      const body = { secret_shares: 1, secret_threshold: 1 };
      expect((await again.call('PUT', 'sys/init', body)).status).toBe(200);
    }
    await again.kill();
  }
});

test('it serves TLS with the certificate that the configuration names', async () => {
  const path = folder();
  const key = generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy);
  const name = nameOf({ commonName: 'vault.test' });
  const certificate = await buildCertificate(
    {
      serial: newSerial(systemEntropy),
      issuer: name,
      subject: name,
      notBefore: Date.now() - 60_000,
      notAfter: Date.now() + 3_600_000,
      publicKey: key.publicKey,
      extensions: [basicConstraints({ ca: true }), subjectAltName([{ type: 'ip', value: '127.0.0.1' }])],
    },
    signerOf(key),
  );
  const ca = certificatePem(certificate);
  writeFileSync(join(path, 'server.pem'), ca);
  writeFileSync(join(path, 'server.key'), writePrivateKey(key, 'pkcs8'), { mode: 0o600 });
  const vault = await serve(path, 'tls_cert_file = "server.pem"\n  tls_key_file = "server.key"');
  expect(vault.address).toMatch(/^https:/);
  const answered = await new Promise<number>((resolve, reject) => {
    const request = httpsRequest(`${vault.address}/v1/sys/health`, { ca, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    request.on('error', reject).end();
  });
  expect(answered).toBe(501);
  // Who does not trust it hangs up in the handshake; the server goes on.
  await expect(vault.call('GET', 'sys/health')).rejects.toThrow('fetch failed');
  await expect(
    callVault(vault.address.replace('https', 'http'), { method: 'GET', path: 'sys/health', token: '' }),
  ).rejects.toThrow();
  expect(vault.running.child.exitCode).toBeNull();
});

test('a configuration that cannot be followed is refused by name, and nothing is made', async () => {
  const path = folder();
  const refused = async (source: string) => {
    writeFileSync(join(path, 'bad.hcl'), source);
    const { status, stderr } = await run(['vault', 'server', '-config', 'bad.hcl'], { cwd: path });
    expect(status).toBe(1);
    expect(existsSync(join(path, 'data'))).toBe(false);
    return stderr;
  };
  const listener = 'listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = 1\n}\n';
  expect(await refused(`${listener}storage "file" { path = "data" }\ntelemetry {}\n`)).toContain(
    'telemetry (line 6) is not supported',
  );
  expect(await refused(`${listener}storage "file" { path = "data" }\nlog_level = "loud"\n`)).toContain(
    'unknown log level "loud"',
  );
  const missing = await run(['vault', 'server', '-config=absent.hcl'], { cwd: path });
  expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('absent.hcl')]);
  expect((await run(['vault', 'server'], { cwd: path })).stderr).toContain('add -config=FILE, or -dev');
});

test("a dev server's folder is not taken for a sealed one's", async () => {
  const path = folder();
  mkdirSync(join(path, 'data'));
  const dev = start(['vault', 'server', '-dev', '-dev-listen-address=127.0.0.1:0', '-data=data'], {
    cwd: path,
  });
  await dev.printed(/Development mode should NOT/);
  dev.child.kill('SIGTERM');
  await dev.finished;
  await expect(serve(path)).rejects.toThrow(/not made by a server that is sealed/);
});
