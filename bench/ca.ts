import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSignedBy, readCertificates } from '../src/x509/certificate.ts';
import { type CaCase, caCases, prepareMount } from './ca-cases.ts';
import { printSigningSteps } from './ca-profile.ts';
import {
  type CaServer,
  folderBytes,
  pinGenerator,
  processorMs,
  startCapstan,
  startPeer,
  write,
} from './ca-server.ts';
import { load } from './http-load.ts';
import { median, type OpensslSpeed, opensslSpeed, print, residentMb } from './measure.ts';

const warmUpMs = 10_000;
const windowMs = 6_000;
/** Pairs of windows; within each the order turns round, so that a drift of the machine hits both alike. */
const pairs = 1;
const widths = [1, 8, 32];
const sampled = 200;

/** What one window of a case has shown of a server. */
interface Window {
  perSecond: number;
  processorMsEach: number;
  p50Ms: number;
  p99Ms: number;
  bytesEach: number;
}

/**
 * Capstan as a CA for leaves: each case on a server of its own kind, one core for the server and one for the load,
 * beside what openssl does in the same run, and beside `vault` or `bao` where one is on the path.
 */
export async function benchCa(): Promise<void> {
  if (!pinGenerator()) print('not pinned', 'no taskset, or one core: server and load share what there is');
  const folder = mkdtempSync(join(tmpdir(), 'capstan-bench-'));
  const servers = [await startCapstan('capstan', join(folder, 'capstan'))];
  try {
    const peer = await startPeer(join(folder, 'peer'));
    if (peer) servers.push(peer);
    else print('no peer', 'neither vault nor bao is on the path');
    for (const server of servers) await prepareMount(server);
    const speed = opensslSpeed();
    if (speed) {
      const { signPerSecond, verifyPerSecond, verifyAndSignPerSecond } = speed;
      print(
        'openssl, one core: P-256 sign, verify',
        `${whole(signPerSecond)}/s, ${whole(verifyPerSecond)}/s`,
      );
      print('openssl, one core: verify and sign', `${whole(verifyAndSignPerSecond)}/s`);
    }
    for (const one of caCases) await runCase(one, servers, speed);
    await printSigningSteps();
  } finally {
    for (const server of servers) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runCase(
  one: CaCase,
  servers: readonly CaServer[],
  speed: OpensslSpeed | undefined,
): Promise<void> {
  console.log(`\n## ${one.name}`);
  const requests = new Map<CaServer, readonly Buffer[]>();
  for (const server of servers) {
    requests.set(server, await one.prepare(server));
    await measure(one, server, requests.get(server)!, { width: 16, lastsMs: warmUpMs });
  }
  for (const width of widths) {
    const windows = new Map(servers.map((server) => [server, [] as Window[]]));
    for (let pair = 0; pair < pairs; pair++) {
      for (const order of [servers, servers.toReversed()]) {
        for (const server of order) {
          const window = await measure(one, server, requests.get(server)!, { width, lastsMs: windowMs });
          windows.get(server)!.push(window);
        }
      }
    }
    for (const [server, each] of windows) report(one, server, { width, each, speed });
  }
  for (const server of servers) await checkAnswers(server);
}

/** @throws Error where an answer was no success: such a window says nothing */
async function measure(
  one: CaCase,
  server: CaServer,
  requests: readonly Buffer[],
  { width, lastsMs }: { width: number; lastsMs: number },
): Promise<Window> {
  const before = {
    processor: processorMs(server.pid),
    bytes: server.folder ? folderBytes(server.folder) : 0,
  };
  const from = Math.floor((performance.now() * 7_919) % requests.length);
  const result = await load(server.target, requests, { width, windowMs: lastsMs, from });
  if (result.failures > 0) throw new Error(`${one.name}, ${server.name}: ${result.failure}`);
  const { successes, elapsedMs } = result;
  const sorted = result.latencies.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const grown = server.folder ? folderBytes(server.folder) - before.bytes : 0;
  return {
    perSecond: (1_000 * successes) / elapsedMs,
    processorMsEach: (processorMs(server.pid) - before.processor) / successes,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    bytesEach: grown / successes,
  };
}

function report(
  one: CaCase,
  server: CaServer,
  { width, each, speed }: { width: number; each: readonly Window[]; speed: OpensslSpeed | undefined },
): void {
  const middle = (pick: (window: Window) => number) => median(each.map(pick));
  const rate = middle((window) => window.perSecond);
  const processor = middle((window) => window.processorMsEach);
  const share = (perSecond: number) =>
    speed && one.limit ? ` (${whole((100 * perSecond) / one.limit(speed))} % of openssl)` : '';
  const facts = [
    `${whole(rate)}/s${share(rate)}`,
    `${processor.toFixed(3)} CPU-ms each${share(1_000 / processor)}`,
    `p50 ${middle((window) => window.p50Ms).toFixed(2)} ms`,
    `p99 ${middle((window) => window.p99Ms).toFixed(2)} ms`,
    `${whole(residentMb(server.pid))} MB`,
    ...(one.stores ? [`${whole(middle((window) => window.bytesEach))} bytes each`] : []),
  ];
  print(`${server.name}, ${width} at a time`, facts.join(', '));
}

/** What was measured is to be right: chained to the root, of serials of their own, and there when asked for. */
async function checkAnswers(server: CaServer): Promise<void> {
  const serials = new Set<string>();
  for (let count = 0; count < sampled; count++) {
    const { data } = await write(server, 'pki/issue/stored', { common_name: 'w.bench.example' });
    const [certificate] = readCertificates(String(data.certificate));
    const [root] = readCertificates(String(data.issuing_ca));
    if (!isSignedBy(certificate!, root!))
      throw new Error(`${server.name}: a certificate that is not the root's`);
    serials.add(String(data.serial_number));
  }
  if (serials.size < sampled) throw new Error(`${server.name}: a serial number came twice`);
  for (const serial of serials) {
    const response = await fetch(`http://${server.target.host}:${server.target.port}/v1/pki/cert/${serial}`);
    if (!response.ok) throw new Error(`${server.name}: certificate ${serial} is not there`);
    await response.arrayBuffer();
  }
}

function whole(value: number): string {
  return value.toFixed(0);
}
