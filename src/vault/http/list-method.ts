import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HttpAnswer } from './envelope.ts';
import type { HttpParts } from './read-request.ts';

/** What Node's parser tells of a request that it could not read. */
interface ParseError extends Error {
  code?: string;
  rawPacket?: Buffer;
}

/**
 * The parts of a request by the method LIST, which Vault has and Node's parser does not know: it gives up at the
 * request line. Such a request has no body, and its head comes in one packet from every client that sends it.
 * Undefined where it was something else that could not be read.
 */
export function readListRequest(
  { code, rawPacket }: ParseError,
  connection: HttpParts['connection'],
): HttpParts | undefined {
  if (code !== 'HPE_INVALID_METHOD' || !rawPacket) return undefined;
  const [, target, lines] = /^LIST (\S+) HTTP\/1\.[01]\r\n(.*?)\r\n\r\n$/s.exec(head(rawPacket)) ?? [];
  if (target === undefined) return undefined;
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of lines!.split('\r\n')) {
    // No blanks are matched here: to try each run of them at each length takes as long as its sender likes.
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/.exec(line) ?? [];
    if (name === undefined) return undefined;
    headers[name.toLowerCase()] ??= value!.trim();
  }
  return { method: 'LIST', target, headers, body: Buffer.alloc(0), connection };
}

function head(packet: Buffer): string {
  const end = packet.indexOf('\r\n\r\n');
  return packet.toString('latin1', 0, end === -1 ? 0 : end + 4);
}

/** Answers on the bare socket, and ends the connection: the parser that it belonged to is of no more use. */
export function answerBare(
  socket: Duplex,
  { status, contentType, body }: HttpAnswer,
  headers: Readonly<Record<string, string>>,
): void {
  if (!socket.writable) return;
  const lines = Object.entries({
    ...headers,
    'Content-Type': contentType,
    'Content-Length': String(body.length),
    Connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    Buffer.concat([
      Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`, 'latin1'),
      body,
    ]),
  );
}
