import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../src/base/manual-clock.ts';
import { type TestVault, testVault } from './support/vault.ts';

const nginx = '/usr/sbin/nginx';
const absent = !existsSync(nginx) || spawnSync('openssl', ['version']).status !== 0;

let folder: string;
let vault: TestVault;
let server: ChildProcess | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-nginx-'));
  // nginx goes by the machine's clock.
  vault = await testVault({ clock: new ManualClock(Date.now()) });
});
afterEach(async () => {
  if (server && server.exitCode === null) {
    server.kill('SIGTERM');
    await once(server, 'exit');
  }
  await vault.close();
  rmSync(folder, { recursive: true });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}

const save = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

/** What a client hears of the server's certificate: asks until that is what was waited for. */
async function handshakesUntil(port: number, ca: string, done: (said: string) => boolean): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-status', '-CAfile', ca], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    client.stdout.on('data', (text) => (said += text));
    await once(client, 'close');
    if (done(said)) return said;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return 'nothing';
}

/** nginx in front of a certificate that is good or not; answers its port. */
async function serve(status: 'good' | 'revoked'): Promise<{ port: number; ca: string }> {
  const { endpoint } = vault;
  const call = (method: string, path: string, body: unknown) => vault.call(method, path, body);
  await call('POST', 'sys/mounts/pki', { type: 'pki' });
  await call('POST', 'pki/config/urls', { ocsp_servers: `${endpoint}/v1/pki/ocsp` });
  const root = await call('POST', 'pki/root/generate/internal', { common_name: 'root', key_type: 'ec' });
  await call('POST', 'pki/roles/web', { allow_any_name: true, key_type: 'ec', ttl: '72h' });
  const { data } = await call('POST', 'pki/issue/web', { common_name: 'web.example' });
  if (status === 'revoked') await call('POST', 'pki/revoke', { serial_number: data.serial_number });
  const ca = save('root.pem', `${root.data.certificate as string}\n`);
  // nginx looks for who signed the answer in the chain that it serves.
  save('leaf.pem', `${[data.certificate, ...(data.ca_chain as string[])].join('\n')}\n`);
  save('key.pem', `${data.private_key as string}\n`);
  const port = await freePort();
  const config = save(
    'nginx.conf',
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
     events {}
     http {
       access_log off;
       client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
       uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
       server {
         listen 127.0.0.1:${port} ssl;
         ssl_certificate ${folder}/leaf.pem; ssl_certificate_key ${folder}/key.pem;
         ssl_stapling on; ssl_stapling_verify on; ssl_trusted_certificate ${ca};
       }
     }`,
  );
  server = spawn(nginx, ['-c', config, '-p', folder, '-e', join(folder, 'error.log')], { stdio: 'ignore' });
  return { port, ca };
}

test.skipIf(absent)('nginx staples the good word about its certificate', async () => {
  const { port, ca } = await serve('good');
  const said = await handshakesUntil(port, ca, (heard) => heard.includes('OCSP Response Status'));
  expect(said).toContain('OCSP Response Status: successful (0x0)');
  expect(said).toContain('Cert Status: good');
  expect(said).toContain('Verify return code: 0 (ok)');
});

test.skipIf(absent)('nginx hears of a revocation, and does not staple it', async () => {
  const { port, ca } = await serve('revoked');
  const logFile = join(folder, 'error.log');
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  const said = await handshakesUntil(port, ca, () => log().includes('certificate status "revoked"'));
  expect(log()).toContain('certificate status "revoked" in the OCSP response');
  expect(said).toContain('OCSP response: no response sent');
});
