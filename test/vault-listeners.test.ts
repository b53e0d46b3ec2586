import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { connect, type PeerCertificate, type SecureVersion } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { certificatePem } from '../src/x509/certificate.ts';
import { type Running, run, start, temporaryFolder } from './support/capstan.ts';
import { type Credential, issuance } from './support/certificates.ts';
import { callVault } from './support/vault.ts';

const cleaning: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

function folder(): string {
  const { path, remove } = temporaryFolder();
  cleaning.push(remove);
  return path;
}

async function serve(path: string, config: string, env: Record<string, string> = {}): Promise<Running> {
  writeFileSync(join(path, 'vault.hcl'), `${config}\nstorage "file" {\n  path = "data"\n}\n`);
  const running = start(['vault', 'server', '-config=vault.hcl'], { cwd: path, env });
  cleaning.push(async () => {
    running.child.kill('SIGKILL');
    await running.finished;
  });
  await running.printed(/server started!/);
  return running;
}

const addressOf = async (running: Running, listener: number): Promise<string> =>
  (await running.printed(new RegExp(`Listener ${listener}: \\w+ \\(addr: "([^"]+)"`)))[1]!;

/** Asks the child to read its files anew, until that shows. */
async function hangUp(running: Running, seen: () => boolean | Promise<boolean>): Promise<void> {
  running.child.kill('SIGHUP');
  while (!(await seen())) await new Promise((resolve) => setTimeout(resolve, 50));
}

const socket = 'listener "unix" {\n  address = "vault.sock"\n  socket_mode = "600"\n}\n';
const plain = 'listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\n';

test('over a socket of this machine, whose file says who may connect, beside a port', async () => {
  const path = folder();
  const first = await serve(path, socket + plain);
  const file = join(path, 'vault.sock');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const status = () => run(['vault', 'status', '-format=json'], { env: { VAULT_ADDR: `unix://${file}` } });
  expect(await status()).toMatchObject({ status: 2, stderr: '' });
  expect(
    (await callVault(`http://${await addressOf(first, 2)}`, { method: 'GET', path: 'sys/health', token: '' }))
      .status,
  ).toBe(501);
  const listed = await new Promise<number>((resolve, reject) => {
    // A method that Node's parser does not know, where there is no far address.
    request({ socketPath: file, method: 'GET', path: '/v1/sys/policies/acl?list=true' }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .once('error', reject)
      .end();
  });
  expect(listed).toBe(503);

  // Another server does not take it away; a killed one's is taken over; one that ends removes it.
  const other = folder();
  writeFileSync(
    join(other, 'vault.hcl'),
    `listener "unix" {\n  address = "${file}"\n}\nstorage "file" {\n  path = "data"\n}\n`,
  );
  const second = await run(['vault', 'server', '-config=vault.hcl'], { cwd: other });
  expect([second.status, second.stderr]).toEqual([
    1,
    expect.stringContaining('vault.sock is already in use'),
  ]);
  expect((await status()).status).toBe(2);
  first.child.kill('SIGKILL');
  await first.finished;
  expect(existsSync(file)).toBe(true);
  expect((await status()).stderr).toContain(`dial unix ${file}: connect: connection refused`);
  const again = await serve(path, socket + plain);
  expect((await status()).status).toBe(2);
  again.child.kill('SIGTERM');
  await again.finished;
  expect((await status()).stderr).toContain(`dial unix ${file}: connect: no such file or directory`);
});

interface Handshake {
  peer?: PeerCertificate;
  protocol?: string | null;
  /** The status of `sys/health`, once the server has judged the client's certificate. */
  status?: number;
  error?: string;
}

interface HandshakeOptions {
  ca: Credential;
  client?: Credential;
  maxVersion?: SecureVersion;
}

function handshake(port: number, { ca, client, maxVersion }: HandshakeOptions): Promise<Handshake> {
  return new Promise((resolve) => {
    const tls = connect({
      ...{ host: '127.0.0.1', port, servername: 'localhost', ca: ca.pem },
      ...(client ? { cert: client.pem, key: client.keyPem } : {}),
      ...(maxVersion ? { maxVersion } : {}),
    });
    tls.once('secureConnect', () =>
      tls.write('GET /v1/sys/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'),
    );
    tls.once('data', (answer: Buffer) => {
      const [, status] = /^HTTP\/1\.1 (\d+)/.exec(answer.toString()) ?? [];
      resolve({ peer: tls.getPeerCertificate(), protocol: tls.getProtocol(), status: Number(status) });
      tls.destroy();
    });
    tls.once('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
    tls.once('close', () => resolve({ error: 'closed' }));
  });
}

test('TLS as its listener says, and a certificate that is replaced while it runs', async () => {
  const path = folder();
  const make = issuance('listeners', Date.now());
  const ca = await make({ commonName: 'ca', ca: true });
  const put = (credential: Credential) => {
    writeFileSync(join(path, 'server.pem'), credential.pem);
    writeFileSync(join(path, 'server.key'), credential.keyPem);
  };
  const leaf = (commonName: string) => make({ commonName, by: ca, dnsNames: ['localhost'] });
  put(await leaf('first'));
  writeFileSync(join(path, 'ca.pem'), certificatePem(ca.certificate));
  const tls = (more: string) =>
    `listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_cert_file = "server.pem"\n  tls_key_file = "server.key"\n${more}}\n`;
  const running = await serve(
    path,
    tls('  tls_min_version = "tls13"\n') +
      tls('  tls_client_ca_file = "ca.pem"\n  tls_require_and_verify_client_cert = true\n'),
  );
  const port = async (listener: number) => Number((await addressOf(running, listener)).split(':')[1]);
  const [open, guarded] = [await port(1), await port(2)];
  expect(await handshake(open, { ca })).toMatchObject({
    protocol: 'TLSv1.3',
    status: 501,
    peer: { subject: { CN: 'first' } },
  });
  expect((await handshake(open, { ca, maxVersion: 'TLSv1.2' })).error).toMatch(/PROTOCOL_VERSION/);

  expect((await handshake(guarded, { ca })).status).toBeUndefined();
  const stranger = await issuance('strangers', Date.now())({ commonName: 'stranger' });
  expect((await handshake(guarded, { ca, client: stranger })).status).toBeUndefined();
  expect((await handshake(guarded, { ca, client: await leaf('client') })).status).toBe(501);
  // On the other one a certificate is asked for, not judged.
  expect((await handshake(open, { ca, client: stranger })).status).toBe(501);

  put(await leaf('second'));
  const served = async () => (await handshake(open, { ca })).peer?.subject.CN;
  await hangUp(running, async () => (await served()) === 'second');
  writeFileSync(join(path, 'server.pem'), 'no certificate');
  await hangUp(running, () => running.stderr().includes('the certificate was not replaced'));
  expect(await served()).toBe('second');
  // What else was set stays.
  expect((await handshake(open, { ca, maxVersion: 'TLSv1.2' })).error).toMatch(/PROTOCOL_VERSION/);
  expect((await handshake(guarded, { ca })).status).toBeUndefined();
});

test('a listener takes no more of a request than it says', async () => {
  const path = folder();
  const running = await serve(
    path,
    'listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n  max_request_size = 2000\n  max_json_depth = 5\n}\n' +
      plain,
  );
  const [strict, standard] = [await addressOf(running, 1), await addressOf(running, 2)];
  const call = (address: string, body: string) =>
    callVault(`http://${address}`, { method: 'PUT', path: 'sys/init', body, token: '' });
  const large = JSON.stringify({ secret_shares: 0, padding: 'x'.repeat(2_000) });
  expect((await call(strict, large)).status).toBe(413);
  expect((await call(standard, large)).status).toBe(400);
  const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  expect((await call(strict, deep(6))).errors).toEqual([
    'failed to parse JSON input: it is nested deeper than 5 levels',
  ]);
  expect((await call(standard, deep(6))).errors).toEqual([
    'invalid seal configuration: shares must be at least one',
  ]);
  expect((await call(standard, deep(301))).errors).toEqual([
    'failed to parse JSON input: it is nested deeper than 300 levels',
  ]);
  expect((await callVault(`http://${strict}`, { method: 'GET', path: 'sys/health', token: '' })).status).toBe(
    501,
  );
});

test('the log goes to a file too, in the form that people read, and to a new one once that was moved', async () => {
  const path = folder();
  const running = await serve(path, `log_format = "standard"\nlog_file = "vault.log"\n${plain}`);
  const file = join(path, 'vault.log');
  expect(readFileSync(file, 'utf8')).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z \[INFO\]  vault listens: host=127\.0\.0\.1 port=\d+$/m,
  );
  expect(running.stderr()).toContain(readFileSync(file, 'utf8'));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  renameSync(file, `${file}.1`);
  await hangUp(running, () => existsSync(file));
  const init = await callVault(`http://${await addressOf(running, 1)}`, {
    ...{ method: 'PUT', path: 'sys/init', token: '' },
    body: { secret_shares: 1, secret_threshold: 1 },
  });
  expect(init.status).toBe(200);
  expect(readFileSync(file, 'utf8')).toContain('vault is initialised: type=shamir shares=1 threshold=1');
  expect(readFileSync(`${file}.1`, 'utf8')).not.toContain('vault is initialised');
});
