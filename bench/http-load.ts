import { connect, type Socket } from 'node:net';

/** What came of one window of load. */
export interface LoadResult {
  successes: number;
  failures: number;
  /** What one of the failures was answered with. */
  failure: string | undefined;
  elapsedMs: number;
  /** Milliseconds of each success. */
  latencies: readonly number[];
}

export interface LoadTarget {
  host: string;
  port: number;
}

/** A request as it goes over the wire, ready beforehand so that the generator costs little. */
export function httpRequest(
  method: string,
  path: string,
  { headers = {}, body = '' }: { headers?: Readonly<Record<string, string>>; body?: string } = {},
): Buffer {
  const lines = Object.entries({ Host: 'ca', ...headers, 'Content-Length': String(Buffer.byteLength(body)) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`);
}

/**
 * Sends the requests in turn, from the first on again when all were sent, over `width` kept connections with one
 * request each in flight, until `windowMs` have passed: a closed loop.
 */
export async function load(
  target: LoadTarget,
  requests: readonly Buffer[],
  { width, windowMs, from = 0 }: { width: number; windowMs: number; from?: number },
): Promise<LoadResult> {
  const latencies: number[] = [];
  let failures = 0;
  let failure: string | undefined;
  let next = from;
  const startMs = performance.now();
  const lane = async () => {
    const connection = await Connection.open(target);
    try {
      while (performance.now() - startMs < windowMs) {
        const sentMs = performance.now();
        const answer = await connection.send(requests[next++ % requests.length]!);
        if (answer.status >= 200 && answer.status < 300) latencies.push(performance.now() - sentMs);
        else {
          failures++;
          failure ??= `${answer.status} ${answer.body()}`;
        }
      }
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return {
    successes: latencies.length,
    failures,
    failure,
    elapsedMs: performance.now() - startMs,
    latencies,
  };
}

/** Sends each request once; answers their bodies, in order. @throws Error where one fails */
export async function sendEach(
  target: LoadTarget,
  requests: readonly Buffer[],
  width: number,
): Promise<string[]> {
  const bodies: string[] = [];
  let next = 0;
  const lane = async () => {
    const connection = await Connection.open(target);
    try {
      while (next < requests.length) {
        const index = next++;
        const answer = await connection.send(requests[index]!);
        bodies[index] = answer.body();
        if (answer.status >= 300) throw new Error(`${answer.status} ${bodies[index]}`);
      }
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return bodies;
}

export interface LoadAnswer {
  status: number;
  body(): string;
}

/** One kept connection. It reads no more of HTTP than the servers here send: a status and a length, or chunks. */
class Connection {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #wanted: { resolve: (answer: LoadAnswer) => void; reject: (error: Error) => void } | undefined;

  static open({ host, port }: LoadTarget): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new Connection(socket)));
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  send(request: Buffer): Promise<LoadAnswer> {
    return new Promise((resolve, reject) => {
      this.#wanted = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#received.push(bytes);
    const all = this.#received.length === 1 ? bytes : Buffer.concat(this.#received);
    const headEnd = all.indexOf('\r\n\r\n');
    if (headEnd === -1) return;
    const head = all.toString('latin1', 0, headEnd);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? (/^HTTP\S+ 204/.test(head) ? 0 : NaN));
    const whole = Number.isNaN(length)
      ? all.subarray(-5).equals(lastChunk)
      : all.length >= headEnd + 4 + length;
    if (!whole) return;
    this.#received = [];
    const body = () => all.subarray(headEnd + 4).toString();
    this.#wanted?.resolve({ status: Number(head.slice(9, 12)), body });
    this.#wanted = undefined;
  }

  #fail(error: Error): void {
    this.#wanted?.reject(error);
    this.#wanted = undefined;
  }
}

const lastChunk = Buffer.from('0\r\n\r\n');
