import { isIP } from 'node:net';
import tls, { type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { Fault } from '../../base/fault.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import { verifyChain } from '../../x509/verify.ts';
import { readRoots } from './roots.ts';
import { verifyMessage } from './verdict.ts';

export interface ServerAddress {
  host: string;
  port: number;
}

/** Ports by the scheme of an address; all of them speak TLS from the first byte. */
const ports: Readonly<Record<string, number>> = { https: 443, tls: 443, tcp: 443, smtps: 465, ldaps: 636 };

/**
 * Host and port of an address like https://web.example.com:8443/path, or undefined where it is a file's name.
 *
 * @throws Fault `cli.certificate.address` for a scheme of the list with something after it that is no host.
 */
export function parseServerAddress(input: string): ServerAddress | undefined {
  const scheme = /^([a-z]+):\/\//i.exec(input)?.[1]?.toLowerCase() ?? '';
  const port = Object.hasOwn(ports, scheme) ? ports[scheme]! : undefined;
  if (port === undefined) return undefined;
  // Under a scheme of its own the URL parser would take a host for opaque text.
  const text = input.replace(/^[a-z]+/i, 'http');
  // It would also pass over a missing host, and over spaces.
  const url = /^\w+:\/\/[^/?#\s]+(?:[/?#]\S*)?$/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (!url?.hostname) {
    throw new Fault(`${JSON.stringify(input)} is not an address`, {
      code: 'cli.certificate.address',
      blame: 'caller',
      fix: `write it like ${scheme}://web.example.com or ${scheme}://127.0.0.1:8443`,
    });
  }
  // The parser drops port 80 as the default of the scheme that was put in.
  const explicit = url.port || (/:80(?:[/?#]|$)/.test(input) ? '80' : '');
  return { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: explicit ? Number(explicit) : port };
}

export interface ServerOptions {
  /** `--roots`; the machine's own where absent. */
  roots?: string | undefined;
  /** Name to ask for, and to find in the certificate, instead of the address's host. */
  serverName?: string | undefined;
  /** Show what is served, whatever it is. */
  insecure?: boolean | undefined;
  /** The instant of judgement, epoch milliseconds. */
  at: number;
  cwd: string;
  signal: AbortSignal;
}

const timeoutMs = 10_000;

/**
 * The certificates that a TLS server presents, its own first. They are shown only when they chain to the roots and
 * are for the host, unless `insecure` is asked for.
 *
 * @throws Fault `cli.certificate.connect` where there is no handshake, `x509.verify.*` where they do not verify.
 */
export async function servedCertificates(
  address: ServerAddress,
  options: ServerOptions,
): Promise<readonly [Certificate, ...Certificate[]]> {
  const roots = options.insecure ? [] : await readRoots(options.roots, options.cwd);
  const name = options.serverName ?? address.host;
  const [leaf, ...intermediates] = await handshake(address, name, options.signal);
  if (!leaf) throw connectFault(address, 'it presented no certificate');
  if (!options.insecure) {
    const verdict = verifyChain(leaf, {
      roots,
      intermediates,
      at: options.at,
      usage: 'server auth',
      dnsName: name,
    });
    if (!verdict.valid) {
      throw new Fault(`failed to connect: tls: failed to verify certificate: ${verifyMessage(verdict)}`, {
        code: verdict.code,
        blame: 'peer',
        fix: 'name its root with --roots, or look at it all the same with --insecure',
      });
    }
  }
  return [leaf, ...intermediates];
}

function handshake(address: ServerAddress, name: string, signal: AbortSignal): Promise<Certificate[]> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      ...address,
      ...(isIP(name) ? {} : { servername: name }),
      // What is served is judged here afterwards. With no roots of its own, Node adds nothing to the chain.
      rejectUnauthorized: false,
      ca: [],
      minVersion: 'TLSv1.2',
    });
    const stop = () => socket.destroy(new Error('interrupted'));
    signal.addEventListener('abort', stop, { once: true });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs / 1_000} s`)));
    socket.once('close', () => signal.removeEventListener('abort', stop));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      reject(connectFault(address, reasonOf(error), error)),
    );
    socket.once('secureConnect', () => {
      try {
        resolve(presented(socket));
      } catch (error) {
        reject(error);
      }
      socket.destroy();
    });
  });
}

function presented(socket: TLSSocket): Certificate[] {
  const certificates: Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw) {
    certificates.push(readCertificate(next.raw));
    // A root is its own issuer there.
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return certificates;
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'nothing listens there';
  if (error.code === 'ENOTFOUND') return 'no such host';
  if (error.code?.startsWith('ERR_SSL')) return `it does not speak TLS as expected (${error.code})`;
  return error.message;
}

function connectFault({ host, port }: ServerAddress, reason: string, cause?: unknown): Fault {
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Fault(`failed to connect to ${where}: ${reason}`, {
    code: 'cli.certificate.connect',
    blame: 'peer',
    cause,
  });
}
