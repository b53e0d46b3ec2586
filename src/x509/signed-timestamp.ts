import { Fault } from '../base/fault.ts';
import { readValue } from './extension.ts';

/** A promise by a certificate transparency log (RFC 6962 section 3.2). */
export interface SignedTimestamp {
  /** 0 for version 1. */
  version: number;
  logId: Buffer;
  timestampMs: number;
  extensions: Buffer;
  /** `SHA256-ECDSA` */
  algorithm: string;
  signature: Buffer;
  /** The signature as it stands, its algorithm and length before it. */
  signed: Buffer;
}

const hashes = ['None', 'MD5', 'SHA1', 'SHA224', 'SHA256', 'SHA384', 'SHA512'];
const signatures = ['Anonymous', 'RSA', 'DSA', 'ECDSA'];

/** The promises that a certificate carries (RFC 6962 section 3.3). @throws Fault `x509.extension.malformed` */
export function readTimestamps(value: Buffer): SignedTimestamp[] {
  return readValue('signed certificate timestamps', value, (reader) => {
    const list = new TlsReader(new TlsReader(reader.octetString()).all());
    const timestamps: SignedTimestamp[] = [];
    while (!list.atEnd) timestamps.push(readTimestamp(new TlsReader(list.vector())));
    return timestamps;
  });
}

function readTimestamp(reader: TlsReader): SignedTimestamp {
  const version = reader.bytes(1)[0]!;
  const logId = reader.bytes(32);
  const timestampMs = Number(reader.bytes(8).readBigUInt64BE());
  const extensions = reader.vector();
  const signed = reader.rest();
  const [hash, signature] = reader.bytes(2);
  const algorithm = `${hashes[hash!] ?? `UNKNOWN(${hash})`}-${signatures[signature!] ?? `UNKNOWN(${signature})`}`;
  // Beyond what a date can be; a log that says so has not said when.
  if (timestampMs > 8.64e15) throw timestampFault('a time that is none');
  return { version, logId, timestampMs, extensions, algorithm, signature: reader.all(), signed };
}

/** TLS's way of writing: fixed sizes, and vectors with two bytes of length. */
class TlsReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  bytes(size: number): Buffer {
    if (this.#at + size > this.#bytes.length) throw timestampFault('it ends too early');
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  vector(): Buffer {
    return this.bytes(this.bytes(2).readUInt16BE());
  }

  /** All that is left, without passing over it. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** A vector that is all that is left. */
  all(): Buffer {
    const content = this.vector();
    if (!this.atEnd) throw timestampFault('bytes are left over');
    return content;
  }
}

function timestampFault(message: string): Fault {
  return new Fault(message, { code: 'x509.timestamp', blame: 'caller' });
}
