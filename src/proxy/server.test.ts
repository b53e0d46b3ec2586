import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type Credential as Issued, issuance } from '../../test/support/certificates.ts';
import { type Hierarchy, hierarchy, startMs, webIdentity } from '../../test/support/identity-fixture.ts';
import { dayMs, hourMs } from '../base/duration.ts';
import { seededEntropy } from '../base/entropy.ts';
import { silentLog } from '../base/log.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { type Certificate, certificatePem } from '../x509/certificate.ts';
import type { Credential, CredentialSource } from './credential.ts';
import { type DialOptions, dialMutualTls } from './dialer.ts';
import { answerExchanges, converse } from './exchange.ts';
import { foreignCredential } from './foreign-root.ts';
import { type MutualTlsServer, type Refused, startMutualTlsServer } from './server.ts';
import type { TrustAnchors } from './trust-anchors.ts';

const votingIdentity = 'voting.emojivoto.serviceaccount.identity.linkerd.cluster.local';
const clock = new ManualClock(startMs);

let mesh: Hierarchy;
let voting: Credential;
let web: Credential;
beforeAll(async () => {
  mesh = await hierarchy('mesh');
  voting = await leafOf(mesh, votingIdentity, 'voting');
  web = await leafOf(mesh, webIdentity, 'web');
});

async function leafOf(
  { issuer }: Hierarchy,
  identity: string,
  seed: string,
  dates: { notBefore?: number; lifetimeMs?: number } = {},
): Promise<Credential> {
  const request = { commonName: identity, by: issuer, ca: false, dnsNames: [identity] };
  const leaf = await issuance(seed)({ ...request, notBefore: startMs - hourMs, lifetimeMs: dayMs, ...dates });
  return credentialOf(leaf, issuer);
}

function credentialOf(leaf: Issued, issuer: Issued): Credential {
  return {
    chain: [leaf.certificate, issuer.certificate],
    key: leaf.key,
    validUntilMs: leaf.certificate.notAfter,
  };
}

/** A credential or anchors that the test replaces. */
function swappable<T>(first: T) {
  let value = first;
  const listeners = new Set<(value: T) => void>();
  return {
    current: () => value,
    onChange: (listener: (value: T) => void) => void listeners.add(listener),
    swap(next: T) {
      value = next;
      for (const listener of listeners) listener(next);
    },
  };
}

const anchorsOf = (...roots: Certificate[]): TrustAnchors => ({ current: () => roots, onChange: () => {} });

interface Serving {
  server: MutualTlsServer;
  refused: Refused[];
  port: number;
}

const running: MutualTlsServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close(0)));
});

async function serve(
  credential: CredentialSource = swappable<Credential>(voting),
  anchors: TrustAnchors = anchorsOf(mesh.root.certificate),
): Promise<Serving> {
  const refused: Refused[] = [];
  const server = await startMutualTlsServer({
    ...{ credential, anchors, clock, log: silentLog, identity: votingIdentity },
    listen: { host: '127.0.0.1', port: 0 },
    onConnection: (socket, peer) =>
      answerExchanges(socket, { server: votingIdentity, client: peer.identity }),
    onRefused: (one) => refused.push(one),
    handshakeTimeoutMs: 500,
  });
  running.push(server);
  return { server, refused, port: server.address.port };
}

async function dial(port: number, part: Partial<DialOptions> = {}) {
  const { socket, peer } = await dialMutualTls({
    address: { host: '127.0.0.1', port },
    expected: votingIdentity,
    credential: web,
    anchors: anchorsOf(mesh.root.certificate),
    clock,
    timeoutMs: 5_000,
    ...part,
  });
  return { socket, peer, conversation: converse(socket) };
}

const ended = { code: 'proxy.exchange.ended' };

test('two peers of the mesh know each other by name', async () => {
  const { port, server } = await serve();
  const { conversation, peer, socket } = await dial(port);
  expect(peer.identity).toBe(votingIdentity);
  expect(await conversation.exchange('hello', 5_000)).toEqual({
    server: votingIdentity,
    client: webIdentity,
    line: 'hello',
  });
  expect([socket.getProtocol(), socket.alpnProtocol, socket.isSessionReused()]).toEqual([
    'TLSv1.3',
    false,
    false,
  ]);
  expect(server.counts()).toEqual({ accepted: 1, refused: {} });
  socket.destroy();
});

test('a client without a certificate is refused before a byte passes', async () => {
  const { port, refused, server } = await serve();
  const { conversation } = await dial(port, { credential: undefined });
  await expect(conversation.exchange('let me in', 5_000)).rejects.toMatchObject(ended);
  expect(refused).toMatchObject([{ kind: 'no-certificate', reason: 'the client presented no certificate' }]);
  expect(server.counts()).toEqual({ accepted: 0, refused: { 'no-certificate': 1 } });
});

test('clients from another root, expired, or not yet valid are refused, each with its reason', async () => {
  const { port, refused } = await serve();
  const strangers: [Credential, string, RegExp][] = [
    [
      await foreignCredential(webIdentity, clock.now(), seededEntropy('foreign')),
      'unknown-authority',
      /root\.of\.nobody/,
    ],
    [
      await leafOf(mesh, webIdentity, 'old', { lifetimeMs: hourMs - 1_000 }),
      'expired',
      /2025-12-31T23:59:59/,
    ],
    [
      await leafOf(mesh, webIdentity, 'early', { notBefore: startMs + 1_000 }),
      'not-yet-valid',
      /2026-01-01T00:00:01/,
    ],
  ];
  for (const [credential, kind, reason] of strangers) {
    const { conversation } = await dial(port, { credential });
    await expect(conversation.exchange('let me in', 5_000)).rejects.toMatchObject(ended);
    expect(refused.at(-1)).toMatchObject({ kind });
    expect(refused.at(-1)!.reason).toMatch(reason);
  }
});

test('a client whose leaf names nobody is refused', async () => {
  const { port, refused } = await serve();
  const nameless = await issuance('nameless')({
    commonName: webIdentity,
    by: mesh.issuer,
    ca: false,
    notBefore: startMs,
  });
  const { conversation } = await dial(port, { credential: credentialOf(nameless, mesh.issuer) });
  await expect(conversation.exchange('let me in', 5_000)).rejects.toMatchObject(ended);
  expect(refused.at(-1)).toMatchObject({ kind: 'no-name' });
});

test('the dialling side refuses a server of another name, root or time, and sends nothing', async () => {
  const received: Buffer[] = [];
  const serverOf = async (credential: Credential) => {
    const server = tls.createServer({
      cert: credential.chain.map(certificatePem).join(''),
      key: credential.key.key.export({ format: 'pem', type: 'pkcs8' }),
      minVersion: 'TLSv1.3',
    });
    server.on('secureConnection', (socket) =>
      socket.on('data', (data: Buffer) => received.push(data)).on('error', () => {}),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { port: (server.address() as net.AddressInfo).port, close: () => server.close() };
  };
  const expired = await leafOf(mesh, votingIdentity, 'old', { lifetimeMs: hourMs - 1_000 });
  const foreign = await foreignCredential(votingIdentity, clock.now(), seededEntropy('foreign'));
  for (const [credential, kind] of [
    [web, 'wrong-name'],
    [expired, 'expired'],
    [foreign, 'unknown-authority'],
  ] as const) {
    const { port, close } = await serverOf(credential);
    await expect(dial(port)).rejects.toMatchObject({ code: `proxy.refused.${kind}` });
    close();
  }
  expect(received).toEqual([]);
});

test('plain TCP, silence and a wrong server name are refused', async () => {
  const { port, refused } = await serve();
  const answer = await new Promise<Buffer>((resolve) => {
    const chunks: Buffer[] = [];
    const socket = net.connect(port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nhost: voting\r\n\r\n'),
    );
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
  expect(answer.length).toBe(0);
  expect(refused.at(-1)).toMatchObject({ kind: 'plain-tcp', reason: 'the client does not speak TLS' });
  const silent = net.connect(port, '127.0.0.1');
  await new Promise((resolve) => silent.on('error', resolve).on('close', resolve));
  expect(refused.at(-1)).toMatchObject({ kind: 'silent' });
  const elsewhere = tls.connect({
    port,
    host: '127.0.0.1',
    servername: 'emoji.emojivoto',
    rejectUnauthorized: false,
  });
  await new Promise((resolve) => elsewhere.on('error', resolve).on('close', resolve));
  expect(refused.at(-1)).toMatchObject({ kind: 'wrong-server-name' });
  expect(refused.at(-1)!.reason).toContain('emoji.emojivoto');
  const old = tls.connect({ port, host: '127.0.0.1', maxVersion: 'TLSv1.2', rejectUnauthorized: false });
  await new Promise((resolve) => old.on('error', resolve).on('close', resolve));
  expect(refused.at(-1)).toMatchObject({ kind: 'handshake' });
});

test('a greeting that arrives octet by octet is TLS all the same', async () => {
  const { port, server } = await serve();
  const slow = await new Promise<net.Server>((resolve) => {
    const relay = net.createServer((incoming) => {
      const outgoing = net.connect({ port, host: '127.0.0.1', noDelay: true });
      outgoing.pipe(incoming);
      incoming
        .on('error', () => {})
        .on('data', (data: Buffer) => {
          for (const octet of data) outgoing.write(Buffer.of(octet));
        });
      outgoing.on('error', () => {});
    });
    relay.listen(0, '127.0.0.1', () => resolve(relay));
  });
  const { conversation, socket } = await dial((slow.address() as net.AddressInfo).port);
  expect((await conversation.exchange('hello', 5_000)).client).toBe(webIdentity);
  expect(server.counts().accepted).toBe(1);
  socket.destroy();
  slow.close();
});

test('a session is never resumed', async () => {
  const { port, server } = await serve();
  const options = {
    ...{ port, host: '127.0.0.1', servername: votingIdentity, rejectUnauthorized: false },
    cert: web.chain.map(certificatePem).join(''),
    key: web.key.key.export({ format: 'pem', type: 'pkcs8' }),
  };
  const connection = async (session?: Buffer) => {
    const socket = tls.connect({ ...options, ...(session ? { session } : {}) });
    let ticket: Buffer | undefined;
    socket.on('session', (given) => (ticket = given));
    const { line } = await converse(socket).exchange('hello', 5_000);
    const reused = socket.isSessionReused();
    socket.destroy();
    return { ticket, reused, line };
  };
  const { ticket } = await connection();
  expect(ticket).toBeDefined();
  expect(await connection(ticket)).toMatchObject({ reused: false, line: 'hello' });
  expect(server.counts().accepted).toBe(2);
});

test('a new leaf is shown to new connections while open ones go on', async () => {
  const credential = swappable<Credential>(voting);
  const { port } = await serve(credential);
  const open = await dial(port);
  await open.conversation.exchange('1', 5_000);
  const renewed = await leafOf(mesh, votingIdentity, 'renewed');
  credential.swap(renewed);
  const fresh = await dial(port);
  expect(fresh.peer.leaf.der).toEqual(renewed.chain[0]!.der);
  expect(open.peer.leaf.der).toEqual(voting.chain[0]!.der);
  expect((await open.conversation.exchange('2', 5_000)).line).toBe('2');
  open.socket.destroy();
  fresh.socket.destroy();
});

test('new anchors judge new connections while open ones go on', async () => {
  const next = await hierarchy('next');
  const anchors = swappable<readonly Certificate[]>([mesh.root.certificate]);
  const { port, refused } = await serve(swappable(voting), anchors);
  const open = await dial(port);
  await open.conversation.exchange('1', 5_000);
  const nextWeb = await leafOf(next, webIdentity, 'next-web');
  const early = await dial(port, { credential: nextWeb });
  await expect(early.conversation.exchange('early', 5_000)).rejects.toMatchObject(ended);
  anchors.swap([next.root.certificate]);
  const late = await dial(port, { credential: nextWeb });
  expect((await late.conversation.exchange('late', 5_000)).client).toBe(webIdentity);
  const old = await dial(port);
  await expect(old.conversation.exchange('old', 5_000)).rejects.toMatchObject(ended);
  expect(refused.map(({ kind }) => kind)).toEqual(['signature', 'signature']);
  expect((await open.conversation.exchange('2', 5_000)).line).toBe('2');
  for (const { socket } of [open, late]) socket.destroy();
});

test('a server whose own leaf has ended says so and takes nobody', async () => {
  const { port, refused } = await serve({ current: () => undefined, onChange: () => {} });
  await expect(dial(port)).rejects.toMatchObject({ code: 'proxy.dial.failed' });
  expect(refused.at(-1)).toMatchObject({ kind: 'no-credential' });
});

test('dialling tells what is wrong where there is no TLS, nobody, or silence', async () => {
  const plain = net.createServer((socket) => socket.on('error', () => {}).end('220 ready\r\n'));
  const mute = net.createServer((socket) => socket.on('error', () => {}));
  const listening = (server: net.Server) =>
    new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port)),
    );
  const [plainPort, mutePort] = [await listening(plain), await listening(mute)];
  await expect(dial(plainPort)).rejects.toMatchObject({ code: 'proxy.dial.failed' });
  await expect(dial(mutePort, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'proxy.dial.timeout' });
  const abort = new AbortController();
  const cancelled = dial(mutePort, { signal: abort.signal });
  abort.abort();
  await expect(cancelled).rejects.toMatchObject({ code: 'proxy.dial.failed' });
  plain.close();
  mute.close();
  await expect(dial(plainPort)).rejects.toMatchObject({
    code: 'proxy.dial.failed',
    message: /nothing listens/,
  });
});

test('OpenSSL as a client is let in with a leaf of the mesh', async () => {
  const { port, server } = await serve();
  const folder = mkdtempSync(join(tmpdir(), 'capstan-proxy-'));
  writeFileSync(`${folder}/leaf.pem`, certificatePem(web.chain[0]!));
  writeFileSync(`${folder}/chain.pem`, certificatePem(web.chain[1]!));
  writeFileSync(`${folder}/key.pem`, web.key.key.export({ format: 'pem', type: 'pkcs8' }));
  const args = [
    's_client',
    '-quiet',
    '-no_ign_eof',
    '-connect',
    `127.0.0.1:${port}`,
    '-servername',
    votingIdentity,
  ];
  const output = await new Promise<string>((resolve) => {
    const child = execFile(
      'openssl',
      [
        ...args,
        '-cert',
        `${folder}/leaf.pem`,
        '-cert_chain',
        `${folder}/chain.pem`,
        '-key',
        `${folder}/key.pem`,
      ],
      (_, stdout) => resolve(stdout),
    );
    child.stdout!.once('data', () => child.stdin!.end());
    child.stdin!.write('hello\n');
  });
  rmSync(folder, { recursive: true });
  expect(JSON.parse(output)).toEqual({ server: votingIdentity, client: webIdentity, line: 'hello' });
  expect(server.counts().accepted).toBe(1);
});
