import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { Fault } from '../base/fault.ts';

export interface ListenAddress {
  host: string;
  /** 0 for any free port. */
  port: number;
}

/**
 * `host:port` or `[v6]:port` as Vault and Kubernetes flags write it.
 *
 * @throws Fault `wire.address`
 */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new Fault(`${JSON.stringify(text)} is not a listen address`, {
      code: 'wire.address',
      blame: 'operator',
      fix: 'write it like 127.0.0.1:8200 (port 0 takes any free port)',
    });
  }
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}

export function formatAddress({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A listening server. */
export interface Listening {
  /** Where it listens, the port that was picked included. */
  address: ListenAddress;
  /**
   * Stops accepting, lets requests under way finish for `graceMs`, then cuts what is left. Idle keep-alive
   * connections end at once.
   */
  close(graceMs?: number): Promise<void>;
}

/** Any server over TCP; the rest is what the HTTP ones have besides. */
export type StreamServer = NetServer &
  Partial<Pick<HttpServer, 'keepAliveTimeout' | 'headersTimeout' | 'closeIdleConnections'>>;

/**
 * Starts `server` (http, https, net or tls) on `address`.
 *
 * @throws Fault `wire.listen.busy` (the port is taken), `wire.listen.denied`, `wire.listen.failed`; each names
 *   the address and the mend.
 */
export async function listen(server: StreamServer, address: ListenAddress): Promise<Listening> {
  // Go clients pool connections for 90 s; a server that hangs up first makes them see a reset.
  server.keepAliveTimeout = 120_000;
  server.headersTimeout = 125_000;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFault(error, address)));
    server.listen(address.port, address.host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    address: { host: address.host, port: bound.port },
    close: (graceMs = 1_000) => close(server, sockets, graceMs),
  };
}

function close(server: StreamServer, sockets: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections?.();
  });
}

function listenFault(error: NodeJS.ErrnoException, address: ListenAddress): Fault {
  const where = formatAddress(address);
  if (error.code === 'EADDRINUSE') {
    return new Fault(`${where} is already in use`, {
      code: 'wire.listen.busy',
      blame: 'operator',
      fix: 'stop what listens there, or choose another address (port 0 takes any free port)',
      cause: error,
    });
  }
  if (error.code === 'EACCES') {
    return new Fault(`listening on ${where} is not permitted`, {
      code: 'wire.listen.denied',
      blame: 'operator',
      fix: 'choose a port above 1023',
      cause: error,
    });
  }
  return new Fault(`cannot listen on ${where}: ${error.message}`, {
    code: 'wire.listen.failed',
    blame: 'operator',
    cause: error,
  });
}

/**
 * The whole body of a request.
 *
 * @throws Fault `wire.body.large` past `limitBytes`, `wire.body.cut` when the client hung up.
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limitBytes) {
        throw new Fault(`the request body is larger than ${limitBytes} bytes`, {
          code: 'wire.body.large',
          blame: 'caller',
          fix: 'send a smaller body',
        });
      }
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('the request ended early', { code: 'wire.body.cut', blame: 'caller', cause: error });
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
}
