import { isIP } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { formatAddress, type ListenAddress } from '../wire/http-server.ts';
import type { Credential } from './credential.ts';
import { isRefusal, judgePeer, type Peer, type PeerRefusal } from './peer.ts';
import { presentedCertificates, secureContext } from './tls-context.ts';
import type { TrustAnchors } from './trust-anchors.ts';

export interface DialOptions {
  address: ListenAddress;
  /** The name that the server must hold; sent as the server name. */
  expected: string;
  /** Presented if the server asks for one; none where absent. */
  credential?: Credential | undefined;
  anchors: TrustAnchors;
  clock: Clock;
  /** For connection and handshake, in real milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface Dialled {
  socket: TLSSocket;
  peer: Peer;
}

/**
 * A TLS 1.3 connection to a peer of the mesh, judged before a byte of the caller's is written. No ALPN is offered
 * and no session resumed, so every connection is judged by the anchors and the time of its start.
 *
 * @throws Fault `proxy.refused.<kind>` where the server is not who it must be, `proxy.dial.failed` where there is
 *   no connection or no TLS, `proxy.dial.timeout`
 */
export function dialMutualTls(options: DialOptions): Promise<Dialled> {
  const { address, expected, credential, timeoutMs, signal } = options;
  const where = formatAddress(address);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: address.host,
      port: address.port,
      // A name that reads as an IP address must not be sent (RFC 6066 section 3); no identity does.
      ...(isIP(expected) ? {} : { servername: expected }),
      secureContext: secureContext(credential),
      // Judged below, by our own clock and rules, before anything is written.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    const fail = (fault: Fault) => {
      clearTimeout(late);
      signal?.removeEventListener('abort', stop);
      socket.destroy();
      reject(fault);
    };
    const stop = () => fail(dialFault('failed', `dialling ${where} was cancelled`));
    const late = setTimeout(
      () => fail(dialFault('timeout', `no TLS connection to ${where} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    if (signal?.aborted) return stop();
    signal?.addEventListener('abort', stop, { once: true });
    // Stays for the socket's life: an error after this promise settled must not end the process.
    socket.on('error', (error) => fail(connectionFault(error, where)));
    socket.once('close', () => fail(dialFault('failed', `${where} hung up during the handshake`)));
    socket.once('secureConnect', () => {
      const verdict = judge(socket, options);
      if (isRefusal(verdict)) return fail(refusalFault(verdict, where));
      clearTimeout(late);
      signal?.removeEventListener('abort', stop);
      resolve({ socket, peer: verdict });
    });
  });
}

function judge(socket: TLSSocket, { anchors, clock, expected }: DialOptions): Peer | PeerRefusal {
  const presented = presentedCertificates(socket);
  if ('unreadable' in presented) return { kind: 'unreadable', reason: presented.unreadable };
  const role = { is: 'server', expected } as const;
  return judgePeer({ presented, roots: anchors.current(), at: clock.now(), role });
}

function refusalFault({ kind, reason }: PeerRefusal, where: string): Fault {
  return new Fault(`${where} is refused: ${reason}`, { code: `proxy.refused.${kind}`, blame: 'peer' });
}

function connectionFault(error: NodeJS.ErrnoException, where: string): Fault {
  if (error.code === 'ECONNREFUSED') return dialFault('failed', `nothing listens on ${where}`, error);
  return dialFault('failed', `${where}: ${error.message}`, error);
}

function dialFault(kind: 'failed' | 'timeout', message: string, cause?: unknown): Fault {
  return new Fault(message, {
    code: `proxy.dial.${kind}`,
    blame: 'peer',
    ...(cause === undefined ? {} : { cause }),
  });
}
