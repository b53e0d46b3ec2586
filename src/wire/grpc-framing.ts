import { hourMs, minuteMs, secondMs } from '../base/duration.ts';
import { grpcFault } from './grpc-status.ts';

/** Bytes in front of each message: a flag for compression and the length, big-endian. */
const prefixBytes = 5;

/** One message as gRPC puts it into DATA frames, uncompressed (grpc/grpc, doc/PROTOCOL-HTTP2.md). */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixBytes);
  return framed;
}

/** Collects the DATA of one direction of a unary call, which must hold exactly one message. */
export interface MessageCollector {
  /** @throws Fault `grpc.resource-exhausted` past the limit, `grpc.unimplemented` where it is compressed */
  add(chunk: Buffer): void;
  /** @throws Fault `grpc.internal` where it is not exactly one whole message */
  message(): Buffer;
  readonly empty: boolean;
}

export function messageCollector(limitBytes: number): MessageCollector {
  const chunks: Buffer[] = [];
  let size = 0;
  let announced: number | undefined;
  return {
    add(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      if (announced === undefined && size >= prefixBytes) {
        const head = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
        if (head[0] !== 0) throw grpcFault('unimplemented', 'compressed messages are not supported');
        announced = head.readUInt32BE(1);
      }
      if ((announced ?? 0) > limitBytes || size > prefixBytes + limitBytes) {
        const larger = Math.max(announced ?? 0, size - prefixBytes);
        throw grpcFault('resource-exhausted', `message larger than max (${larger} vs. ${limitBytes})`);
      }
    },
    message() {
      if (announced === undefined || size < prefixBytes + announced) {
        throw grpcFault('internal', 'the call ended before its message was whole');
      }
      if (size > prefixBytes + announced)
        throw grpcFault('internal', 'more than one message in a unary call');
      const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
      return whole.subarray(prefixBytes);
    },
    get empty() {
      return size === 0;
    },
  };
}

const timeoutUnitsMs: Record<string, number> = {
  H: hourMs,
  M: minuteMs,
  S: secondMs,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of a `grpc-timeout` header (`1S`, `500m`); undefined where it is not one. */
export function parseTimeout(header: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(header);
  return match ? Number(match[1]) * timeoutUnitsMs[match[2]!]! : undefined;
}

/** `grpc-timeout` of so many milliseconds, in the finest unit that its eight digits can hold. */
export function formatTimeout(timeoutMs: number): string {
  const wholeMs = Math.max(1, Math.ceil(timeoutMs));
  return wholeMs < 1e8 ? `${wholeMs}m` : `${Math.ceil(wholeMs / secondMs)}S`;
}

/** `grpc-message` holds printable ASCII only; everything else is percent-encoded UTF-8. */
export function encodeStatusMessage(text: string): string {
  // A header block has its limits at the far end: enough to tell, never enough to be refused.
  const bytes = Buffer.from(text, 'utf8').subarray(0, 4_096);
  let encoded = '';
  for (const byte of bytes) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** The text of a `grpc-message`; what is not valid encoding is left as it stands, as the protocol asks. */
export function decodeStatusMessage(header: string): string {
  const bytes = Buffer.from(
    header.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  return bytes.toString('utf8');
}
