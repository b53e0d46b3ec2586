import { Fault } from '../../base/fault.ts';

/** Ten times what any client sends. */
const mostBytes = 16_384;
const recordHeaderBytes = 5;
const handshakeHeaderBytes = 4;
const kinds = { handshakeRecord: 22, clientHello: 1, protocolsExtension: 16 };

/**
 * The protocols (ALPN, RFC 7301) that a TLS connection offers by its first bytes; none where it is no TLS or they
 * make no sense, which is for the TLS implementation to say. `more` where the hello has not come whole.
 */
export function offeredProtocols(bytes: Buffer): readonly string[] | 'more' {
  const hello = readHello(bytes);
  if (hello === undefined) return [];
  if (hello === 'more') return bytes.length < mostBytes ? 'more' : [];
  try {
    return readProtocols(hello);
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}

/** The body of the message, put together from as many records as it takes (RFC 8446 section 5.1). */
function readHello(bytes: Buffer): Buffer | 'more' | undefined {
  let message = Buffer.alloc(0);
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== kinds.handshakeRecord) return undefined;
    if (at + recordHeaderBytes > bytes.length) return 'more';
    const end = at + recordHeaderBytes + bytes.readUInt16BE(at + 3);
    message = Buffer.concat([message, bytes.subarray(at + recordHeaderBytes, end)]);
    at = end;
    if (message.length < handshakeHeaderBytes) continue;
    if (message[0] !== kinds.clientHello) return undefined;
    const whole = handshakeHeaderBytes + message.readUIntBE(1, 3);
    if (message.length >= whole) return message.subarray(handshakeHeaderBytes, whole);
  }
  return 'more';
}

/** RFC 8446 section 4.1.2. */
function readProtocols(hello: Buffer): string[] {
  const reader = new VectorReader(hello);
  reader.skip(2 + 32);
  reader.vector(1);
  reader.vector(2);
  reader.vector(1);
  // TLS 1.2 may leave extensions out.
  if (reader.atEnd) return [];
  const extensions = new VectorReader(reader.vector(2));
  while (!extensions.atEnd) {
    const kind = extensions.skip(2).readUInt16BE();
    const content = extensions.vector(2);
    if (kind === kinds.protocolsExtension) return readNames(content);
  }
  return [];
}

function readNames(content: Buffer): string[] {
  const names = new VectorReader(new VectorReader(content).vector(2));
  const found: string[] = [];
  while (!names.atEnd) found.push(names.vector(1).toString('latin1'));
  return found;
}

class VectorReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  skip(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      throw new Fault('a TLS hello ends early', { code: 'vault.hello.truncated', blame: 'peer' });
    }
    const skipped = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return skipped;
  }

  /** What stands behind a length of so many bytes. */
  vector(lengthBytes: number): Buffer {
    return this.skip(this.skip(lengthBytes).readUIntBE(0, lengthBytes));
  }
}
