import net, { type Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type ListenAddress, listen } from '../wire/http-server.ts';
import type { CredentialSource } from './credential.ts';
import { isRefusal, judgePeer, type Peer, type PeerRefusal } from './peer.ts';
import { meshTls, presentedCertificates, servingOptions } from './tls-context.ts';
import type { TrustAnchors } from './trust-anchors.ts';

export interface Refused extends PeerRefusal {
  /** The address of whoever was refused. */
  from: string;
}

export interface MutualTlsServerOptions {
  listen: ListenAddress;
  /** Our own name: whoever asks for another by SNI has the wrong address. */
  identity: string;
  credential: CredentialSource;
  anchors: TrustAnchors;
  clock: Clock;
  log: Log;
  /** A peer that has been judged and accepted; nothing of it has been read yet. */
  onConnection(socket: TLSSocket, peer: Peer): void;
  onRefused?(refused: Refused): void;
  /** From the connection to the end of the handshake, in real milliseconds. */
  handshakeTimeoutMs?: number;
  connectionLimit?: number;
}

export interface MutualTlsServer {
  address: ListenAddress;
  counts(): { accepted: number; refused: Readonly<Record<string, number>> };
  close(graceMs?: number): Promise<void>;
}

/** The first octet of a TLS handshake record (RFC 8446 section 5.1). */
const handshakeRecord = 22;

/**
 * A port that only peers of the mesh can use: TLS 1.3, a client certificate demanded, and judged against the
 * anchors of this moment before a byte passes. Each new connection gets the newest leaf; open ones go on with
 * theirs.
 */
export async function startMutualTlsServer(options: MutualTlsServerOptions): Promise<MutualTlsServer> {
  const { log, credential, handshakeTimeoutMs = 10_000, connectionLimit = 10_000 } = options;
  let accepted = 0;
  const refused = new Map<string, number>();

  function refuse(socket: Socket, { kind, reason }: PeerRefusal, from = addressOf(socket)): void {
    refused.set(kind, (refused.get(kind) ?? 0) + 1);
    log.info('connection refused', { from, kind, reason });
    // Ends with TLS' own farewell where there is TLS, with nothing at all where there is not.
    if (socket instanceof tls.TLSSocket) socket.destroySoon();
    else socket.destroy();
    options.onRefused?.({ kind, reason, from });
  }

  const secure = tls.createServer({
    ...servingNow(credential),
    requestCert: true,
    // OpenSSL's verdict rests on the machine's clock; ours below decides.
    rejectUnauthorized: false,
    handshakeTimeout: handshakeTimeoutMs,
  });
  credential.onChange((next) => secure.setSecureContext(servingOptions(next)));
  secure.on('secureConnection', (socket) => {
    socket.on('error', (error) => log.debug('a connection broke', { reason: error.message }));
    const verdict = judge(socket, options);
    if (isRefusal(verdict)) return refuse(socket, verdict);
    accepted++;
    options.onConnection(socket, verdict);
  });
  secure.on('tlsClientError', (error, socket) =>
    refuse(socket, { kind: 'handshake', reason: `the TLS handshake failed: ${error.message}` }),
  );

  const port = net.createServer((socket) => {
    socket.on('error', (error) => log.debug('a connection broke', { reason: error.message }));
    if (!credential.current()) {
      return refuse(socket, { kind: 'no-credential', reason: 'our own certificate has ended' });
    }
    detectTls(socket, handshakeTimeoutMs, (plain) => {
      if (plain) refuse(socket, plain);
      else secure.emit('connection', socket);
    });
  });
  port.maxConnections = connectionLimit;
  port.on('drop', (data) =>
    log.warn('connection dropped: too many are open', { from: `${data?.remoteAddress}:${data?.remotePort}` }),
  );
  const listening = await listen(port, options.listen);
  return {
    address: listening.address,
    counts: () => ({ accepted, refused: Object.fromEntries(refused) }),
    close: (graceMs) => listening.close(graceMs),
  };
}

function servingNow(credential: CredentialSource): tls.SecureContextOptions {
  const current = credential.current();
  return current ? servingOptions(current) : meshTls;
}

/** Looks at the first octet, puts it back, and tells why this cannot be TLS, if so. */
function detectTls(socket: Socket, timeoutMs: number, done: (plain: PeerRefusal | undefined) => void): void {
  const late = setTimeout(
    () => settle({ kind: 'silent', reason: `nothing came within ${timeoutMs} ms` }),
    timeoutMs,
  );
  const gone = () => settle({ kind: 'silent', reason: 'the client hung up before saying anything' });
  const settle = (plain: PeerRefusal | undefined) => {
    clearTimeout(late);
    socket.removeListener('readable', look);
    socket.removeListener('close', gone);
    done(plain);
  };
  const look = () => {
    const head = socket.read() as Buffer | null;
    if (!head) return;
    socket.unshift(head);
    const isTls = head[0] === handshakeRecord;
    settle(isTls ? undefined : { kind: 'plain-tcp', reason: 'the client does not speak TLS' });
  };
  socket.on('readable', look);
  socket.once('close', gone);
}

function judge(socket: TLSSocket, options: MutualTlsServerOptions): Peer | PeerRefusal {
  const { identity, anchors, clock } = options;
  const asked = socket.servername;
  if (asked && asked !== identity) {
    return { kind: 'wrong-server-name', reason: `the client wants ${asked}, but this is ${identity}` };
  }
  const presented = presentedCertificates(socket);
  if ('unreadable' in presented) return { kind: 'unreadable', reason: presented.unreadable };
  return judgePeer({ presented, roots: anchors.current(), at: clock.now(), role: { is: 'client' } });
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}
