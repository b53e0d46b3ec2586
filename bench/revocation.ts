import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificate, readCertificates } from '../src/x509/certificate.ts';
import { readCrl } from '../src/x509/crl.ts';
import { buildOcspRequest } from '../src/x509/ocsp-request.ts';
import { distinctSigningRequests, prepareMount, put } from './ca-cases.ts';
import { type CaServer, pinGenerator, processorMs, startCapstan, startPeer } from './ca-server.ts';
import { httpRequest, load, sendEach } from './http-load.ts';
import { print, residentMb } from './measure.ts';

const width = 16;
const windowMs = 5_000;
/** How many are revoked when a revocation is measured. */
const lengths = [0, 1_000, 10_000, 100_000];
const measuredRevocations = 500;
const asked = 1_000;

/** What revocation costs as the list grows, OCSP by its kinds, and a start with everything that is there by then. */
export async function benchRevocation(): Promise<void> {
  if (!pinGenerator()) print('not pinned', 'no taskset, or one core: server and load share what there is');
  const folder = mkdtempSync(join(tmpdir(), 'capstan-bench-'));
  try {
    const data = join(folder, 'capstan');
    const first = await startCapstan('capstan', data);
    await prepareMount(first);
    await growing(first, lengths);
    await first.stop();
    await restarted(data);
    const peer = await startPeer(join(folder, 'peer'));
    if (!peer) return print('no peer', 'neither vault nor bao is on the path');
    await prepareMount(peer);
    // Far enough to see where it goes: each of its revocations reads all before it.
    await growing(peer, [0, 1_000]);
    await peer.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function growing(server: CaServer, at: readonly number[]): Promise<void> {
  console.log(`\n## ${server.name}`);
  let revoked = 0;
  for (const length of at) {
    await revoke(server, await sign(server, Math.max(0, length - revoked)), width);
    revoked = Math.max(revoked, length);
    const serials = await sign(server, measuredRevocations);
    const before = processorMs(server.pid);
    const startMs = performance.now();
    await revoke(server, serials, 1);
    const eachMs = (performance.now() - startMs) / measuredRevocations;
    const cpuMs = (processorMs(server.pid) - before) / measuredRevocations;
    revoked += measuredRevocations;
    print(`revoke, one at a time, ${length} before`, `${eachMs.toFixed(2)} ms, ${cpuMs.toFixed(3)} CPU-ms`);
    await fetchList(server);
  }
  await ocsp(server);
}

async function fetchList(server: CaServer): Promise<void> {
  const url = `http://${server.target.host}:${server.target.port}/v1/pki/crl`;
  const startMs = performance.now();
  const der = Buffer.from(await (await fetch(url)).arrayBuffer());
  const fetchedMs = performance.now() - startMs;
  const rotateMs = await timed(() => sendEach(server.target, [get('pki/crl/rotate', server.token)], 1));
  const { revoked } = readCrl(der);
  print(
    `  the list: ${revoked.length} entries, ${(der.length / 1e6).toFixed(2)} MB`,
    `first fetch ${fetchedMs.toFixed(0)} ms, rotate ${rotateMs.toFixed(0)} ms, ${residentMb(server.pid).toFixed(0)} MB`,
  );
}

async function ocsp(server: CaServer): Promise<void> {
  const signed = await signAll(server, asked);
  const [issuer] = readCertificates(await text(server, 'pki/ca/pem'));
  await revoke(
    server,
    signed.slice(0, asked / 2).map(({ serial }) => serial),
    width,
  );
  const kinds: Record<string, (one: Certificate, index: number) => Buffer> = {
    'OCSP, POST': (one) => post(buildOcspRequest(one, issuer!)),
    'OCSP, GET': (one) =>
      get(`pki/ocsp/${encodeURIComponent(buildOcspRequest(one, issuer!).toString('base64'))}`),
    'OCSP, POST, with a nonce': (one, index) =>
      post(buildOcspRequest(one, issuer!, Buffer.alloc(16, index + 1))),
  };
  for (const [name, request] of Object.entries(kinds)) {
    const requests = signed.map(({ certificate }, index) => request(certificate, index));
    await load(server.target, requests, { width, windowMs });
    const before = processorMs(server.pid);
    const { successes, elapsedMs, failures, failure } = await load(server.target, requests, {
      width,
      windowMs,
    });
    if (failures > 0) throw new Error(failure);
    const cpuMs = (processorMs(server.pid) - before) / successes;
    print(name, `${((1_000 * successes) / elapsedMs).toFixed(0)}/s, ${cpuMs.toFixed(3)} CPU-ms each`);
  }
}

/** How long it takes until a server answers that finds all this. */
async function restarted(data: string): Promise<void> {
  const startMs = performance.now();
  const server = await startCapstan('capstan', data);
  const upMs = performance.now() - startMs;
  // Before anything that it holds is asked for.
  const memory = residentMb(server.pid);
  const count = (JSON.parse(await text(server, 'pki/certs?list=true')) as { data: { keys: string[] } }).data
    .keys;
  print(`\nstart with ${count.length} certificates`, `${upMs.toFixed(0)} ms, ${memory.toFixed(0)} MB`);
  const listMs = await timed(() => text(server, 'pki/crl'));
  print('first CRL after it', `${listMs.toFixed(0)} ms, ${residentMb(server.pid).toFixed(0)} MB`);
  await server.stop();
}

async function signAll(
  server: CaServer,
  count: number,
): Promise<{ serial: string; certificate: Certificate }[]> {
  const requests = await distinctSigningRequests();
  const bodies = await sendEach(
    server.target,
    Array.from({ length: count }, (_, index) => {
      const { name, csr } = requests[index % requests.length]!;
      return put('pki/sign/stored', server.token, { csr, common_name: name });
    }),
    width,
  );
  return bodies.map((body) => {
    const { serial_number: serial, certificate } = (
      JSON.parse(body) as { data: { serial_number: string; certificate: string } }
    ).data;
    return { serial, certificate: readCertificates(certificate)[0]! };
  });
}

async function sign(server: CaServer, count: number): Promise<string[]> {
  const serials: string[] = [];
  // In parts, so that what is waited for fits into memory.
  for (let left = count; left > 0; left -= 10_000) {
    const part = await signAll(server, Math.min(left, 10_000));
    serials.push(...part.map(({ serial }) => serial));
  }
  return serials;
}

async function revoke(server: CaServer, serials: readonly string[], lanes: number): Promise<void> {
  const requests = serials.map((serial) => put('pki/revoke', server.token, { serial_number: serial }));
  await sendEach(server.target, requests, lanes);
}

function get(path: string, token = ''): Buffer {
  return httpRequest('GET', `/v1/${path}`, { headers: token ? { 'X-Vault-Token': token } : {} });
}

function post(body: Buffer): Buffer {
  const head =
    'POST /v1/pki/ocsp HTTP/1.1\r\nHost: ca\r\nContent-Type: application/ocsp-request\r\n' +
    `Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

async function text(server: CaServer, path: string): Promise<string> {
  const response = await fetch(`http://${server.target.host}:${server.target.port}/v1/${path}`, {
    headers: { 'X-Vault-Token': server.token },
  });
  return response.text();
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await act();
  return performance.now() - startMs;
}
