import { once } from 'node:events';
import { chmod, chown, lstat, unlink } from 'node:fs/promises';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net';
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

/** A socket of this machine's file system. */
export interface UnixAddress {
  path: string;
  /** Of the socket file: `0o600`. Whoever may write it may connect. */
  mode?: number;
  uid?: number;
  gid?: number;
}

export function formatAddress(address: ListenAddress | UnixAddress): string {
  if ('path' in address) return address.path;
  const { host, port } = address;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A listening server. */
export interface Listening<Address = ListenAddress> {
  /** Where it listens, the port that was picked included. */
  address: Address;
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
export async function listen<Address extends ListenAddress | UnixAddress>(
  server: StreamServer,
  address: Address,
): Promise<Listening<Address>> {
  // Go clients pool connections for 90 s; a server that hangs up first makes them see a reset.
  server.keepAliveTimeout = 120_000;
  server.headersTimeout = 125_000;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  if ('path' in address) await removeStale(address.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFault(error, address)));
    if ('path' in address) server.listen(address.path, resolve);
    else server.listen(address.port, address.host, resolve);
  });
  if ('path' in address) await setOwner(address);
  const bound =
    'path' in address ? address : { host: address.host, port: (server.address() as AddressInfo).port };
  return {
    address: bound as Address,
    close: (graceMs = 1_000) => close(server, sockets, graceMs),
  };
}

/** A socket file that a process left which was killed: nobody listens, and none can be made in its place. */
async function removeStale(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (!there?.isSocket()) return;
  const probe = connect(path);
  const answers = await once(probe, 'connect').then(
    () => true,
    () => false,
  );
  probe.destroy();
  if (!answers) await unlink(path).catch(() => {});
}

async function setOwner({ path, mode, uid, gid }: UnixAddress): Promise<void> {
  if (mode !== undefined) await chmod(path, mode);
  if (uid === undefined && gid === undefined) return;
  const { uid: ownUid, gid: ownGid } = await lstat(path);
  await chown(path, uid ?? ownUid, gid ?? ownGid);
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

function listenFault(error: NodeJS.ErrnoException, address: ListenAddress | UnixAddress): Fault {
  const where = formatAddress(address);
  if (error.code === 'EADDRINUSE') {
    return new Fault(`${where} is already in use`, {
      code: 'wire.listen.busy',
      blame: 'operator',
      fix:
        'path' in address
          ? 'stop what listens there, or choose another address'
          : 'stop what listens there, or choose another address (port 0 takes any free port)',
      cause: error,
    });
  }
  if (error.code === 'EACCES') {
    return new Fault(`listening on ${where} is not permitted`, {
      code: 'wire.listen.denied',
      blame: 'operator',
      fix: 'path' in address ? 'choose a folder that this user may write' : 'choose a port above 1023',
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
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  // By its events: iterating over a request takes longer than answering many a one.
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= limitBytes) return;
      request.pause();
      reject(
        new Fault(`the request body is larger than ${limitBytes} bytes`, {
          code: 'wire.body.large',
          blame: 'caller',
          fix: 'send a smaller body',
        }),
      );
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)));
    const cut = (cause?: unknown) =>
      reject(new Fault('the request ended early', { code: 'wire.body.cut', blame: 'caller', cause }));
    request.on('error', cut);
    // It closes after its end, too.
    request.on('close', () => {
      if (!request.readableEnded) cut();
    });
    if (request.destroyed) cut();
  });
}
