import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCertificates, serialText } from '../src/x509/certificate.ts';
import { type AcmeServer, acmeServer } from './support/acme.ts';

// certbot and lego as Debian has them; both take a server over plain HTTP. They answer challenges on a port of their
// own, which the network that is given to the server says is port 80 (or 443) of every host.

const succeeds = (command: string) => spawnSync('sh', ['-c', command]).status === 0;
const has = (program: string) => succeeds(`command -v ${program}`);

/** Debian has its code in a package of its own, without the command. */
const certbotStart = has('certbot')
  ? ['certbot']
  : succeeds('/usr/bin/python3 -c "import certbot"')
    ? ['/usr/bin/python3', '-c', 'from certbot.main import main; import sys; sys.exit(main())']
    : undefined;

let ca: AcmeServer;
let folder: string;
const running = new Set<ChildProcess>();
beforeEach(async () => {
  ca = await acmeServer();
  folder = mkdtempSync(join(tmpdir(), 'capstan-acme-'));
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
  await ca.close();
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Both outputs of a program that ends well. */
function run(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const child = spawn(program, args, {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, ...env },
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      running.delete(child);
      if (status === 0) resolve(output);
      else reject(new Error(`${program} ${args.join(' ')}: ${status}\n${output}`));
    });
  });
}

async function isRevoked(pem: string): Promise<boolean> {
  const serial = serialText(readCertificates(pem)[0]!.serial);
  const { data } = await ca.call('GET', `pki/cert/${serial}`);
  return Number(data.revocation_time) > 0;
}

describe.skipIf(!certbotStart)('certbot (skipped where it is not installed)', () => {
  const certbot = (command: string, ...args: string[]) =>
    run(certbotStart![0]!, [
      ...certbotStart!.slice(1),
      command,
      '--non-interactive',
      ...['--config-dir', join(folder, 'config'), '--work-dir', join(folder, 'work')],
      ...['--logs-dir', join(folder, 'logs'), '--server', ca.directoryUrl],
      ...args,
    ]);

  async function obtain(...more: string[]): Promise<{ port: string; live: string }> {
    const port = String(await freePort());
    ca.network.ports.set(80, Number(port));
    await certbot(
      'certonly',
      ...['--standalone', '--http-01-port', port, '--http-01-address', '127.0.0.1'],
      ...['--agree-tos', '-m', 'ops@example.com', '--no-eff-email'],
      ...['-d', 'a.example', '-d', 'b.example'],
      ...more,
    );
    return { port, live: join(folder, 'config', 'live', 'a.example') };
  }

  test('obtains a certificate, renews it, and revokes it', async () => {
    const { port, live } = await obtain();
    const first = readFileSync(join(live, 'fullchain.pem'), 'utf8');
    expect(readCertificates(first)[0]!.subjectAltNames.map(({ value }) => value)).toEqual([
      'a.example',
      'b.example',
    ]);
    await certbot('renew', '--force-renewal', '--http-01-port', port, '--no-random-sleep-on-renew');
    const second = readFileSync(join(live, 'fullchain.pem'), 'utf8');
    expect(second).not.toBe(first);
    expect(await isRevoked(second)).toBe(false);
    await certbot(
      'revoke',
      '--cert-path',
      join(live, 'cert.pem'),
      '--reason',
      'superseded',
      '--no-delete-after-revoke',
    );
    expect(await isRevoked(second)).toBe(true);
    await certbot('unregister');
  });

  test('revokes with the key of the certificate', async () => {
    const { live } = await obtain('--key-type', 'rsa');
    const pem = readFileSync(join(live, 'cert.pem'), 'utf8');
    const key = join(live, 'privkey.pem');
    await certbot(
      'revoke',
      '--cert-path',
      join(live, 'cert.pem'),
      '--key-path',
      key,
      '--no-delete-after-revoke',
    );
    expect(await isRevoked(pem)).toBe(true);
  });

  test('binds its account to an external one where that is required', async () => {
    await ca.call('POST', 'pki/config/acme', { eab_policy: 'always-required' });
    await expect(obtain()).rejects.toThrow(/external account/i);
    const { data } = await ca.call('POST', 'pki/acme/new-eab');
    const { live } = await obtain('--eab-kid', String(data.id), '--eab-hmac-key', String(data.key));
    expect(existsSync(join(live, 'cert.pem'))).toBe(true);
  });
});

describe.skipIf(!has('lego'))('lego (skipped where it is not installed)', () => {
  const lego = (...args: string[]) =>
    run('lego', [
      '--server',
      ca.directoryUrl,
      '--accept-tos',
      '--email',
      'ops@example.com',
      '--path',
      folder,
      ...args,
    ]);
  const obtained = () => readFileSync(join(folder, 'certificates', 'a.example.crt'), 'utf8');

  test('obtains a certificate over HTTP, renews it, and revokes it', async () => {
    const port = await freePort();
    ca.network.ports.set(80, port);
    const http = [
      '--http',
      '--http.port',
      `127.0.0.1:${port}`,
      '--domains',
      'a.example',
      '--domains',
      'b.example',
    ];
    await lego(...http, 'run');
    const first = obtained();
    expect(readCertificates(first)).toHaveLength(2);
    await lego(...http, 'renew', '--days', '365', '--no-random-sleep');
    const second = obtained();
    expect(second).not.toBe(first);
    await lego(...http, 'revoke', '--keep');
    expect(await isRevoked(second)).toBe(true);
  });

  test('proves a name over TLS', async () => {
    const port = await freePort();
    ca.network.ports.set(443, port);
    await lego('--tls', '--tls.port', `127.0.0.1:${port}`, '--domains', 'a.example', 'run');
    expect(readCertificates(obtained())[0]!.subjectAltNames).toEqual([{ type: 'dns', value: 'a.example' }]);
  });

  test('binds its account to an external one', async () => {
    await ca.call('POST', 'pki/config/acme', { eab_policy: 'always-required' });
    const port = await freePort();
    ca.network.ports.set(80, port);
    const { data } = await ca.call('POST', 'pki/acme/new-eab');
    const http = ['--http', '--http.port', `127.0.0.1:${port}`, '--domains', 'a.example'];
    await lego('--eab', '--kid', String(data.id), '--hmac', String(data.key), ...http, 'run');
    expect(readdirSync(join(folder, 'certificates'))).toContain('a.example.crt');
  });
});
