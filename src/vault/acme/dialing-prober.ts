import { type IncomingMessage, request } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { Probe, ProbeFailure, Prober } from '../../authority/acme/prober.ts';
import { describeError } from '../../base/fault.ts';
import type { Dialer } from '../../wire/dialer.ts';
import { peerChain } from '../../wire/peer-chain.ts';

/** Real milliseconds: for a whole probe, and for one address of several. */
const probeTimeMs = 30_000;
const connectTimeMs = 10_000;
const mostRedirects = 10;
const mostAddresses = 4;
const longestUrl = 2_000;
/** Where redirects may lead: anything else would make the server a scanner of ports. */
const redirectPorts: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** What ended a probe, in the words of a problem. */
class ProbeEnd extends Error {
  readonly failure: ProbeFailure;

  constructor(type: ProbeFailure['type'], detail: string) {
    super(detail);
    this.failure = { type, detail };
  }
}

/**
 * Tries challenges over the network. As Vault's, it goes to any address, private ones too, since those are what a
 * private CA certifies. What keeps it from being a tool against what it can reach: GET without credentials, to ports
 * 80 and 443 alone, with little read and nothing of it repeated, at most ten redirects, half a minute in all.
 */
export function dialingProber(dialer: Dialer): Prober {
  return {
    http: (url, { resolver, mostBytes, signal: until }) =>
      bounded(until, (signal) => fetchText(dialer, url, { resolver, mostBytes, signal })),
    texts: (name, { resolver, signal: until }) =>
      bounded(until, async () => {
        try {
          return await dialer.texts(name, resolver);
        } catch (error) {
          throw new ProbeEnd('dns', `no TXT record of ${name} was found: ${codeOf(error)}`);
        }
      }),
    tls: (host, { resolver, serverName, protocol, signal: until }) =>
      bounded(until, async (signal) => {
        const socket = await reach(dialer, { host, port: 443, resolver, signal });
        const secure = await handshake(socket, host, { servername: serverName, ALPNProtocols: [protocol] });
        const agreed = secure.alpnProtocol || undefined;
        const chain = peerChain(secure);
        secure.destroy();
        return { protocol: agreed, chain };
      }),
  };
}

async function bounded<T>(until: AbortSignal, probe: (signal: AbortSignal) => Promise<T>): Promise<Probe<T>> {
  const end = new AbortController();
  const late = Promise.withResolvers<never>();
  const stop = (why: string) => {
    end.abort();
    late.reject(new ProbeEnd('connection', why));
  };
  const timer = setTimeout(() => stop(`no answer within ${probeTimeMs / 1_000} seconds`), probeTimeMs);
  const cut = () => stop('the server is closing');
  until.addEventListener('abort', cut, { once: true });
  if (until.aborted) cut();
  try {
    return { found: await Promise.race([probe(end.signal), late.promise]) };
  } catch (error) {
    if (error instanceof ProbeEnd) return { failure: error.failure };
    return { failure: { type: 'connection', detail: codeOf(error) } };
  } finally {
    clearTimeout(timer);
    until.removeEventListener('abort', cut);
    // Whatever is still open.
    end.abort();
  }
}

interface Reach {
  host: string;
  port: number;
  resolver: string;
  signal: AbortSignal;
}

/** A connection to the first of a host's addresses that takes one. */
async function reach(dialer: Dialer, { host, port, resolver, signal }: Reach): Promise<Socket> {
  let addresses: string[];
  try {
    addresses = isIP(host) === 0 ? await dialer.addresses(host, resolver) : [host];
  } catch (error) {
    throw new ProbeEnd('dns', `no address of ${host} was found: ${codeOf(error)}`);
  }
  let failure = 'it has no address';
  for (const address of addresses.slice(0, mostAddresses)) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(connectTimeMs)]);
    try {
      const socket = await dialer.connect({ address, port, signal: limit });
      socket.on('error', () => {});
      signal.addEventListener('abort', () => socket.destroy(), { once: true });
      return socket;
    } catch (error) {
      failure = codeOf(error);
    }
  }
  throw new ProbeEnd('connection', `${host} could not be reached on port ${port}: ${failure}`);
}

/** Nobody has vouched for the certificate: what it says is for the caller to judge. */
function handshake(
  socket: Socket,
  host: string,
  options: { servername?: string; ALPNProtocols?: string[] },
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = connect({ socket, rejectUnauthorized: false, minVersion: 'TLSv1.2', ...options });
    secure.once('secureConnect', () => resolve(secure));
    secure.on('error', (error) => {
      reject(new ProbeEnd('tls', `the TLS handshake with ${host} failed: ${codeOf(error)}`));
    });
    secure.once('close', () => reject(new ProbeEnd('tls', `${host} hung up during the TLS handshake`)));
  });
}

interface Fetching {
  resolver: string;
  mostBytes: number;
  signal: AbortSignal;
}

async function fetchText(
  dialer: Dialer,
  start: string,
  options: Fetching,
): Promise<{ status: number; body: Buffer }> {
  let url = new URL(start);
  for (let hops = 0; ; hops++) {
    const response = await get(dialer, url, options);
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) {
      return { status, body: await beginning(response, options.mostBytes) };
    }
    response.destroy();
    if (hops === mostRedirects) throw new ProbeEnd('connection', `more than ${mostRedirects} redirects`);
    url = redirected(url, location);
  }
}

function redirected(from: URL, location: string): URL {
  const refuse = (why: string) => new ProbeEnd('connection', `a redirect leads ${why}`);
  if (location.length > longestUrl || !URL.canParse(location, from.href)) throw refuse('nowhere');
  const url = new URL(location, from);
  const port = redirectPorts[url.protocol];
  if (port === undefined) throw refuse(`to ${url.protocol}, which is not followed`);
  if (url.port !== '' && Number(url.port) !== port) throw refuse('to another port than 80 and 443');
  return url;
}

async function get(dialer: Dialer, url: URL, { resolver, signal }: Fetching): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = redirectPorts[url.protocol]!;
  const plain = await reach(dialer, { host, port, resolver, signal });
  const socket =
    url.protocol === 'http:'
      ? plain
      : await handshake(plain, host, isIP(host) === 0 ? { servername: host } : {});
  return new Promise((resolve, reject) => {
    const sent = request({
      method: 'GET',
      path: url.pathname + url.search,
      headers: { host: url.host, 'user-agent': 'capstan-acme', accept: '*/*', connection: 'close' },
      createConnection: () => socket,
      signal,
    });
    sent.once('response', resolve);
    sent.on('error', (error) => {
      reject(new ProbeEnd('connection', `${host} did not answer over HTTP: ${codeOf(error)}`));
    });
    sent.end();
  });
}

/** As much as is wanted, and one byte that shows that there is more. */
async function beginning(response: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > mostBytes) break;
  }
  response.destroy();
  return Buffer.concat(chunks).subarray(0, mostBytes + 1);
}

function codeOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code ?? describeError(error);
}
