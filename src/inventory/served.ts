import tls from 'node:tls';
import { secondMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';

/** Where to look, and by which name to ask. */
export interface TlsEndpoint {
  host: string;
  port: number;
  /** Sent as server name; the host where absent. */
  serverName?: string;
}

const longestChain = 16;

/**
 * The chain that a TLS server presents, leaf first. Nothing of it is verified, since an expired or foreign chain
 * is what one looks for; nothing but the handshake is said.
 *
 * @throws Fault `inventory.endpoint` where no handshake came about.
 */
export function servedChain(endpoint: TlsEndpoint, timeoutMs = 5 * secondMs): Promise<Certificate[]> {
  const { host, port, serverName = host } = endpoint;
  const failed = (why: string, cause?: unknown) =>
    new Fault(`${host}:${port}: ${why}`, { code: 'inventory.endpoint', blame: 'peer', cause });
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host,
      port,
      // An address is no server name (RFC 6066 section 3).
      ...(/^[\d.]+$|:/.test(serverName) ? {} : { servername: serverName }),
      rejectUnauthorized: false,
      // With no roots of our own, nothing is added to what the server presents.
      ca: [],
    });
    socket.setTimeout(timeoutMs, () => socket.destroy(failed(`no handshake within ${timeoutMs} ms`)));
    socket.once('secureConnect', () => {
      try {
        resolve(chainOf(socket.getPeerCertificate(true)));
      } catch (error) {
        reject(error instanceof Fault ? error : failed('the chain cannot be read', error));
      }
      socket.destroy();
    });
    socket.once('error', (error) => reject(error instanceof Fault ? error : failed(error.message, error)));
    socket.once('close', () => reject(failed('the connection was closed before the handshake')));
  });
}

function chainOf(leaf: tls.DetailedPeerCertificate): Certificate[] {
  const chain: Certificate[] = [];
  for (let at: tls.DetailedPeerCertificate | undefined = leaf; at?.raw && chain.length < longestChain; ) {
    chain.push(readCertificate(at.raw));
    // A self-signed certificate is its own issuer.
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate;
  }
  return chain;
}
