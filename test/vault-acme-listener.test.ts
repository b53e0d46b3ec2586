import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { acmeProtocol } from '../src/authority/acme/challenge-rules.ts';
import { type Clock, systemClock } from '../src/base/clock.ts';
import { dayMs, hourMs, minuteMs } from '../src/base/duration.ts';
import { systemEntropy } from '../src/base/entropy.ts';
import { lineLog } from '../src/base/log.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { type AcmeListeners, acmeListeners } from '../src/cli/vault/acme-listeners.ts';
import { readServerConfig } from '../src/cli/vault/server-config.ts';
import { memoryStore } from '../src/store/memory.ts';
import { handshakeAnswer } from '../src/vault/acme-client/self-signed.ts';
import { startSealedVault } from '../src/vault/seal/sealed-server.ts';
import type { ListenAddress } from '../src/wire/http-server.ts';
import { certificatePem, readCertificate, readCertificates } from '../src/x509/certificate.ts';
import { type AcmeServer, acmeServer, type TestNetwork, testNetwork } from './support/acme.ts';
import { start, temporaryFolder } from './support/capstan.ts';
import { issuance } from './support/certificates.ts';
import { callVault, noSinks } from './support/vault.ts';

const cleaning: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

function folder(): string {
  const { path, remove } = temporaryFolder();
  cleaning.push(remove);
  return path;
}

async function authority(): Promise<AcmeServer> {
  const ca = await acmeServer();
  cleaning.push(() => ca.close());
  return ca;
}

interface Certified {
  acme: AcmeListeners;
  /** Of each listener. */
  ports: number[];
  /** What was logged, one document a line. */
  lines: Record<string, unknown>[];
  close(): Promise<void>;
}

/** A sealed server whose listeners are as a configuration file has them. */
async function certified(
  listeners: string,
  at: { path: string; network: TestNetwork; clock?: Clock },
): Promise<Certified> {
  const { path, network, clock = systemClock } = at;
  const lines: Certified['lines'] = [];
  const log = lineLog(clock, (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  const config = readServerConfig(`${listeners}\nstorage "file" { path = "unused" }\n`, {});
  const acme = await acmeListeners(config.listeners, { folder: path, clock, entropy: systemEntropy, log });
  const server = await startSealedVault({
    ...{ store: memoryStore(), autoSeal: undefined, formerSeal: undefined },
    ...{ clock, entropy: systemEntropy, log, openSink: noSinks, dialer: network.dialer },
    challenges: acme.answers,
    listeners: config.listeners.map(({ at: address, tls, limits }, index) => ({
      ...{ at: address, limits },
      tls: tls && (() => acme.material(index)!),
    })),
  });
  acme.start((index) => server.reloadCertificates(index));
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    await acme.stop();
    await server.close();
  };
  cleaning.push(close);
  const ports = server.addresses.map((address) => (address as ListenAddress).port);
  network.ports.set(443, ports[0]!);
  return { acme, ports, lines, close };
}

const listener = (lines: string, port = 0) =>
  `listener "tcp" {\n  address = "127.0.0.1:${port}"\n  tls_acme_cache_path = "cache"\n${lines}\n}\n`;
const plain = 'listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\n';

const pause = (ms = 10) => new Promise((resolve) => setTimeout(resolve, ms));

/** Looks until it is so; time passes meanwhile, `stepMs` at a look. */
async function until(
  seen: () => boolean | Promise<boolean>,
  clock?: ManualClock,
  stepMs = () => 1_000,
): Promise<void> {
  while (!(await seen())) {
    await clock?.advance(stepMs());
    await pause();
  }
}

function handshake(port: number, servername: string, protocols?: string[]): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tls = connect({
      ...{ host: '127.0.0.1', port, servername, rejectUnauthorized: false },
      ...(protocols ? { ALPNProtocols: protocols } : {}),
    });
    tls.once('secureConnect', () => resolve(tls));
    tls.once('error', reject);
  });
}

/** What a client sees that asks for `name`. */
async function shown(port: number, name: string) {
  const tls = await handshake(port, name);
  const { raw } = tls.getPeerCertificate();
  tls.destroy();
  const certificate = readCertificate(raw);
  return { certificate, own: certificate.issuer.der.equals(certificate.subject.der) };
}

async function makeProof(name: string) {
  const making = { nowMs: Date.now(), entropy: systemEntropy };
  const answer = await handshakeAnswer({ type: 'dns', value: name }, Buffer.alloc(32, 7), making);
  if (answer.type !== 'tls-alpn-01') throw new Error('it is of another type');
  return answer;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const isCertified = async (port: number, name: string) => !(await shown(port, name)).own;

async function rootOf(ca: Pick<AcmeServer, 'call'>): Promise<string> {
  return String(((await ca.call('GET', 'pki/cert/ca')).body.data as Record<string, unknown>).certificate);
}

test('another server certifies it; what came outlasts a restart, for its owner alone', async () => {
  const ca = await authority();
  const path = folder();
  const config = listener(`  tls_acme_ca_directory = "${ca.directoryUrl}"
  tls_acme_domains = ["vault.example", "127.0.0.1"]
  tls_acme_email = "ops@example.com"`);
  const first = await certified(config, { path, network: ca.network });
  const [port] = first.ports as [number];
  await until(() => isCertified(port, 'vault.example'));
  writeFileSync(join(path, 'root.pem'), await rootOf(ca));
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    `openssl s_client -connect 127.0.0.1:${port} -servername vault.example -verify_hostname vault.example \
      -CAfile ${join(path, 'root.pem')} -verify_return_error </dev/null 2>&1`,
  ]);
  expect(stdout).toContain('Verify return code: 0 (ok)');
  const { certificate } = await shown(port, 'vault.example');
  expect(certificate.subjectAltNames.map(({ value }) => value)).toEqual(['vault.example', '127.0.0.1']);
  const files = readdirSync(join(path, 'cache'));
  expect(files.map((file) => file.replace(/-.*\./, '.')).toSorted()).toEqual([
    'account.pem',
    'certificate.pem',
  ]);
  for (const file of files) expect(statSync(join(path, 'cache', file)).mode & 0o777).toBe(0o600);
  expect(statSync(join(path, 'cache')).mode & 0o777).toBe(0o700);
  const keys = files.map(
    (file) => /BEGIN PRIVATE KEY-----\n(.*)/.exec(readFileSync(join(path, 'cache', file), 'utf8'))![1]!,
  );
  expect(keys).toHaveLength(2);
  for (const key of keys) expect(JSON.stringify(first.lines)).not.toContain(key.slice(10, 40));
  await first.close();

  const again = await certified(config, { path, network: ca.network });
  const kept = await shown(again.ports[0]!, 'vault.example');
  expect(kept.certificate.der.equals(certificate.der)).toBe(true);
  expect(again.lines.filter(({ message }) => message === 'a certificate came by ACME')).toEqual([]);
});

test('over HTTP, by way of a plain listener beside it', async () => {
  const ca = await authority();
  const { ports } = await certified(
    listener(`  tls_acme_ca_directory = "${ca.directoryUrl}"
  tls_acme_domains = ["vault.example"]
  tls_acme_key_type = "rsa2048"
  tls_acme_disable_alpn_challenge = true`) + plain,
    { path: folder(), network: ca.network },
  );
  ca.network.ports.set(80, ports[1]!).set(443, 1);
  await until(() => isCertified(ports[0]!, 'vault.example'));
  expect((await shown(ports[0]!, 'vault.example')).certificate.publicKey.spec).toMatchObject({ type: 'rsa' });
});

test('where one kind of challenge is refused, the other is tried', async () => {
  const ca = await authority();
  const clock = new ManualClock(Date.now());
  const { ports, lines } = await certified(
    listener(`  tls_acme_ca_directory = "${ca.directoryUrl}"
  tls_acme_domains = ["vault.example"]`) + plain,
    { path: folder(), network: ca.network, clock },
  );
  // Port 443 leads to a listener without TLS.
  ca.network.ports.set(80, ports[1]!).set(443, ports[1]!);
  await until(
    () => isCertified(ports[0]!, 'vault.example'),
    clock,
    () => 10_000,
  );
  expect(lines.find(({ level }) => level === 'warn')?.error).toMatch(
    /vault\.example could not be proven by tls-alpn-01.*; let port 443 of the name lead to this server/,
  );
});

test('a server certifies itself once it is unsealed, and trusts itself until then', async () => {
  const path = folder();
  const network = testNetwork();
  const port = await freePort();
  const { acme, ports, lines } = await certified(
    listener(
      `  tls_acme_ca_directory = "https://localhost:${port}/v1/pki/acme/directory"
  tls_acme_domains = ["localhost"]
  tls_acme_ca_root = "root.pem"`,
      port,
    ) + plain,
    { path, network },
  );
  await until(() => lines.some(({ message }) => message === 'no certificate came by ACME'));
  expect((await shown(port, 'localhost')).own).toBe(true);
  expect(lines.find(({ level }) => level === 'warn')?.error).toContain('tls_acme_ca_root cannot be read');

  let token = '';
  const call = async (method: string, at: string, body?: unknown) => {
    const reply = await callVault(`http://127.0.0.1:${ports[1]}`, { method, path: at, body, token });
    if (reply.status >= 400) throw new Error(`${at}: ${reply.text}`);
    return reply;
  };
  // Sealed it is no CA, and the log says so.
  writeFileSync(join(path, 'root.pem'), '');
  acme.retry();
  await until(() => lines.some(({ error }) => String(error).includes('Vault is sealed; unseal that server')));
  const init = await call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 });
  await call('PUT', 'sys/unseal', { key: (init.body.keys as string[])[0] });
  token = String(init.body.root_token);
  await call('POST', 'sys/mounts/pki', { type: 'pki' });
  await call('POST', 'pki/root/generate/internal', { common_name: 'root', key_type: 'ec' });
  await call('POST', 'pki/config/cluster', { path: `https://localhost:${port}/v1/pki` });
  await call('POST', 'pki/config/acme', { enabled: true });
  writeFileSync(join(path, 'root.pem'), await rootOf({ call }));
  acme.retry();
  await until(() => isCertified(port, 'localhost'));
  const { certificate } = await shown(port, 'localhost');
  expect(certificate.subjectAltNames).toMatchObject([{ type: 'dns', value: 'localhost' }]);
});

test('renewed when its CA suggests it, soon after it is revoked, and when it has ended unseen', async () => {
  const ca = await authority();
  const clock = new ManualClock(Date.now());
  const path = folder();
  const config = listener(`  tls_acme_ca_directory = "${ca.directoryUrl}"
  tls_acme_domains = ["vault.example"]`);
  const running = await certified(config, { path, network: ca.network, clock });
  const [port] = running.ports as [number];
  const came = () =>
    running.lines
      .filter(({ message }) => message === 'a certificate came by ACME')
      .map(({ serial }) => serial);
  // Days pass while nothing happens, seconds while a CA is asked.
  const orders = (count: number) =>
    until(
      () => came().length === count,
      clock,
      () => (running.acme.answers.awaitsHandshakes ? 1_000 : 10 * minuteMs),
    );
  await orders(1);
  const first = (await shown(port, 'vault.example')).certificate;
  const lifeMs = first.notAfter - first.notBefore;
  await clock.advance(lifeMs * 0.65);
  await pause(200);
  expect(came()).toHaveLength(1);
  await orders(2);
  // As the window is: from two thirds of its life on, an eighteenth of it wide.
  expect(clock.now()).toBeLessThan(first.notBefore + lifeMs * 0.75);
  const second = (await shown(port, 'vault.example')).certificate;
  expect(second.serial.equals(first.serial)).toBe(false);

  await ca.call('POST', 'pki/revoke', { serial_number: came()[1] });
  const revokedMs = clock.now();
  await orders(3);
  expect(clock.now() - revokedMs).toBeLessThan(7 * hourMs);
  await running.close();

  const later = new ManualClock(Date.now() + 400 * dayMs);
  const ended = await certified(config, { path, network: testNetwork(), clock: later });
  expect((await shown(ended.ports[0]!, 'vault.example')).own).toBe(true);
});

test('what goes wrong is told with its mend, and never ends the serving', async () => {
  const ca = await authority();
  await ca.call('POST', 'pki/roles/web', { allowed_domains: ['other.example'], allow_subdomains: true });
  const told = async (lines: string) => {
    const server = await certified(listener(lines), { path: folder(), network: ca.network });
    await until(() => server.lines.some(({ level }) => level === 'warn'));
    expect((await shown(server.ports[0]!, 'vault.example')).own).toBe(true);
    return { ...server, error: String(server.lines.find(({ level }) => level === 'warn')!.error) };
  };
  const wrong = (
    await told(`  tls_acme_ca_directory = "${ca.api}/pki/directory"
  tls_acme_domains = ["vault.example"]`)
  ).error;
  expect(wrong).toMatch(/pki\/directory is no ACME directory: .*correct tls_acme_ca_directory/);
  const nobody = (
    await told(`  tls_acme_ca_directory = "http://127.0.0.1:1/directory"
  tls_acme_domains = ["vault.example"]`)
  ).error;
  expect(nobody).toContain('nothing listens on 127.0.0.1:1; start it, or correct the address');

  const role = `  tls_acme_ca_directory = "${ca.api}/pki/roles/web/acme/directory"
  tls_acme_domains = ["vault.example"]`;
  const refused = await told(role);
  expect(refused.error).toBe(
    'the ACME server refused to take the order: rejectedIdentifier: the role of this directory does not allow ' +
      'vault.example; let the role or policy of the CA allow the name, or correct tls_acme_domains',
  );
  const allowed = { allowed_domains: ['vault.example'], allow_bare_domains: true };
  await ca.call('POST', 'pki/roles/web', { ...allowed, key_type: 'rsa' });
  ca.network.ports.set(443, refused.ports[0]!);
  refused.acme.retry();
  await until(() => refused.lines.some(({ error }) => String(error).includes('set tls_acme_key_type')));
  await ca.call('POST', 'pki/roles/web', { ...allowed, key_type: 'any' });
  refused.acme.retry();
  await until(() => isCertified(refused.ports[0]!, 'vault.example'));
});

test('as the command runs it: SIGHUP tries at once, beside a listener with files', async () => {
  const ca = await authority();
  const path = folder();
  const web = { allowed_domains: ['vault.example'], allow_bare_domains: true };
  await ca.call('POST', 'pki/roles/web', { ...web, key_type: 'rsa' });
  const files = await issuance('files', Date.now())({ commonName: 'files', dnsNames: ['files.example'] });
  writeFileSync(join(path, 'server.pem'), files.pem);
  writeFileSync(join(path, 'server.key'), files.keyPem);
  const lines = `  tls_acme_ca_directory = "${ca.api}/pki/roles/web/acme/directory"
  tls_acme_domains = ["vault.example"]`;
  writeFileSync(
    join(path, 'vault.hcl'),
    `${listener(lines)}listener "tcp" {
  address = "127.0.0.1:0"
  tls_cert_file = "server.pem"
  tls_key_file = "server.key"
}
storage "file" { path = "data" }
`,
  );
  const running = start(['vault', 'server', '-config=vault.hcl'], { cwd: path });
  cleaning.push(async () => {
    running.child.kill('SIGKILL');
    await running.finished;
  });
  const port = async (index: number) =>
    Number((await running.printed(new RegExp(`Listener ${index}: tcp \\(addr: "[^"]+:(\\d+)"`)))[1]);
  const [byAcme, byFiles] = [await port(1), await port(2)];
  // A CA may come to any listener.
  ca.network.ports.set(443, byFiles);
  await until(() => running.stderr().includes('set tls_acme_key_type'));
  expect((await shown(byAcme, 'vault.example')).own).toBe(true);
  await ca.call('POST', 'pki/roles/web', { ...web, key_type: 'any' });
  running.child.kill('SIGHUP');
  await until(() => isCertified(byAcme, 'vault.example'));
  const [leaf] = readCertificates(files.pem);
  expect((await shown(byFiles, 'files.example')).certificate.der.equals(leaf!.der)).toBe(true);
  running.child.kill('SIGTERM');
  expect((await running.finished).status).toBe(0);
});

test('an account that is bound to another outside of ACME', async () => {
  const ca = await acmeServer({ settings: { eab_policy: 'always-required' } });
  cleaning.push(() => ca.close());
  const { id, key } = (await ca.call('POST', 'pki/acme/new-eab')).data as { id: string; key: string };
  const lines = `  tls_acme_ca_directory = "${ca.directoryUrl}"
  tls_acme_domains = ["vault.example"]\n`;
  const unbound = await certified(listener(lines), { path: folder(), network: ca.network });
  await until(() => unbound.lines.some(({ level }) => level === 'warn'));
  expect(unbound.lines.find(({ level }) => level === 'warn')?.error).toMatch(
    /externalAccountRequired.*set tls_acme_eab_key_id and tls_acme_eab_mac_key$/,
  );
  const path = folder();
  const bound = `${lines}  tls_acme_eab_key_id = "${id}"\n  tls_acme_eab_mac_key = "${key}"`;
  const server = await certified(listener(bound), { path, network: ca.network });
  await until(() => isCertified(server.ports[0]!, 'vault.example'));
  expect(JSON.stringify(server.lines)).not.toContain(key);
  await server.close();
  // What binds is used up; the account is not.
  const more = bound.replace('"vault.example"', '"vault.example", "b.vault.example"');
  const wider = await certified(listener(more), { path, network: ca.network });
  await until(() => isCertified(wider.ports[0]!, 'vault.example'));
});

test('while a proof is waited for, clients are served as ever, however they send their hello', async () => {
  const { acme, ports } = await certified(
    listener(`  tls_acme_ca_directory = "http://127.0.0.1:1/directory"
  tls_acme_domains = ["vault.example"]`),
    { path: folder(), network: testNetwork() },
  );
  const [port] = ports as [number];
  const own = acme.material(0)!;
  const proof = await makeProof('vault.example');
  const end = acme.answers.add(proof);
  // In pieces, as long hellos come.
  const slow = createServer((near) => {
    const far = connectTcp(port, '127.0.0.1');
    near.on('data', (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += 50) far.write(bytes.subarray(at, at + 50));
    });
    far.setNoDelay(true).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  cleaning.push(() => void slow.close());
  for (const at of [port, (slow.address() as AddressInfo).port]) {
    const proven = await handshake(at, 'vault.example', [acmeProtocol]);
    expect(proven.alpnProtocol).toBe(acmeProtocol);
    expect(certificatePem({ der: proven.getPeerCertificate().raw })).toBe(proof.certificate.cert);
    proven.destroy();
    await expect(handshake(at, 'other.example', [acmeProtocol])).rejects.toThrow();
    for (const protocols of [undefined, ['http/1.1'], ['h2', 'http/1.1', acmeProtocol]]) {
      const client = await handshake(at, 'vault.example', protocols);
      expect(certificatePem({ der: client.getPeerCertificate().raw })).toBe(own.cert);
      client.write('GET /v1/sys/health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
      let answer = '';
      for await (const part of client) answer += String(part);
      expect(answer).toMatch(/^HTTP\/1\.1 501 /);
    }
  }
  end();
  await expect(handshake(port, 'vault.example', [acmeProtocol])).rejects.toThrow();
});
