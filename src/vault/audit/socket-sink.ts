import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import type { AuditSink } from './sink.ts';

interface SocketTarget {
  transport: 'tcp' | 'udp' | 'unix';
  address: string;
}

/**
 * Sends lines to a log collector. A line counts once the kernel has it, which is all that such a protocol tells; a
 * connection that broke is made anew for the line that found it broken, once.
 */
export function socketSink({ transport, address }: SocketTarget): AuditSink {
  return transport === 'udp' ? datagrams(address) : new StreamSink(transport, address);
}

class StreamSink implements AuditSink {
  readonly #open: () => Socket;
  #socket: Promise<Socket> | undefined;

  constructor(transport: 'tcp' | 'unix', address: string) {
    this.#open = () => (transport === 'unix' ? connect(address) : connect(split(address)));
  }

  async write(line: string): Promise<void> {
    const reused = this.#socket !== undefined;
    try {
      await this.#send(line);
    } catch (error) {
      if (!reused) throw error;
      await this.#send(line);
    }
  }

  async reopen(): Promise<void> {
    const socket = await this.#socket?.catch(() => undefined);
    this.#socket = undefined;
    socket?.end();
  }

  close(): Promise<void> {
    return this.reopen();
  }

  async #send(line: string): Promise<void> {
    const opening = (this.#socket ??= this.#connected());
    try {
      const socket = await opening;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.write(line, (error) => (error ? reject(error) : resolve()));
      await promise;
    } catch (error) {
      if (this.#socket === opening) this.#socket = undefined;
      throw error;
    }
  }

  #connected(): Promise<Socket> {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const socket = this.#open();
    socket.once('connect', () => resolve(socket));
    socket.on('error', reject);
    const forget = (): void => {
      if (this.#socket === promise) this.#socket = undefined;
      socket.destroy();
    };
    socket.on('close', forget);
    // Nothing is expected from the far end; what it sends must not pile up.
    socket.resume();
    socket.on('end', forget);
    return promise;
  }
}

function datagrams(address: string): AuditSink {
  const { host, port } = split(address);
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.unref();
  return {
    write(line) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.send(line, port, host, (error) => (error ? reject(error) : resolve()));
      return promise;
    },
    reopen: () => Promise.resolve(),
    close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.close(resolve);
      return promise;
    },
  };
}

function split(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(at + 1)) };
}
