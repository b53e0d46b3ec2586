import { Fault } from '../base/fault.ts';
import { tags } from './der-tag.ts';
import { earliestTimeMs, latestTimeMs, timeText } from './der-time.ts';
import { encodeOid } from './oid.ts';

/**
 * Writes DER front to back into one growing buffer. The length of a constructed element is known only at its end,
 * so one byte is kept free for it and its content moves up by the few bytes that a longer length takes: cheaper
 * than a buffer for every element.
 */
export class DerWriter {
  #bytes = Buffer.allocUnsafeSlow(1024);
  #length = 0;

  /** A constructed element around what `write` writes. */
  wrap(tag: number, write: () => void): this {
    this.#reserve(2);
    this.#bytes[this.#length++] = tag;
    const lengthAt = this.#length++;
    write();
    this.#closeLength(lengthAt);
    return this;
  }

  sequence(write: () => void): this {
    return this.wrap(tags.sequence, write);
  }

  set(write: () => void): this {
    return this.wrap(tags.set, write);
  }

  /** An octet string around DER. */
  octetStringOf(write: () => void): this {
    return this.wrap(tags.octetString, write);
  }

  /** A primitive element with this content. */
  primitive(tag: number, content: Uint8Array): this {
    const { length } = content;
    this.#reserve(length + 6);
    this.#bytes[this.#length++] = tag;
    const lengthAt = this.#length++;
    this.#bytes.set(content, this.#length);
    this.#length += length;
    this.#closeLength(lengthAt);
    return this;
  }

  /** Elements that are DER already. */
  raw(der: Uint8Array): this {
    this.#reserve(der.length);
    this.#bytes.set(der, this.#length);
    this.#length += der.length;
    return this;
  }

  boolean(value: boolean): this {
    return this.primitive(tags.boolean, Uint8Array.of(value ? 0xff : 0));
  }

  /** A non-negative number below 2^47. */
  smallInteger(value: number, tag: number = tags.integer): this {
    const content = Buffer.alloc(6);
    content.writeIntBE(value, 0, 6);
    let start = 0;
    while (start < 5 && content[start] === 0 && content[start + 1]! < 0x80) start++;
    return this.primitive(tag, content.subarray(start));
  }

  /** The integer whose magnitude is `bytes`, unsigned, big-endian. */
  unsignedInteger(bytes: Uint8Array, tag: number = tags.integer): this {
    return this.primitive(tag, unsignedContent(bytes));
  }

  null(): this {
    return this.primitive(tags.null, new Uint8Array());
  }

  oid(dotted: string, tag: number = tags.oid): this {
    return this.primitive(tag, encodeOid(dotted));
  }

  octetString(bytes: Uint8Array): this {
    return this.primitive(tags.octetString, bytes);
  }

  /** A bit string; `unusedBits` low bits of the last byte do not count and must be zero. */
  bitString(bytes: Uint8Array, unusedBits = 0, tag: number = tags.bitString): this {
    const content = Buffer.allocUnsafe(bytes.length + 1);
    content[0] = unusedBits;
    content.set(bytes, 1);
    return this.primitive(tag, content);
  }

  /** Text of a string type, as UTF-8; for the types of one byte a character it must be ASCII. */
  text(tag: number, value: string): this {
    return this.primitive(tag, Buffer.from(value, 'utf8'));
  }

  /**
   * UTCTime for 1950 to 2049 and GeneralizedTime for other years (RFC 5280 section 4.1.2.5).
   *
   * @throws Fault `x509.der.time` for an instant outside of the years 0 to 9999.
   */
  time(timeMs: number): this {
    if (!(timeMs >= earliestTimeMs && timeMs <= latestTimeMs)) {
      throw new Fault('a certificate can hold times from the year 0 to the year 9999 only', {
        code: 'x509.der.time',
        blame: 'caller',
      });
    }
    const { utc, text } = timeText(timeMs);
    return this.text(utc ? tags.utcTime : tags.generalizedTime, text);
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  /** What has been written, as a buffer of its own; the writer is empty then. */
  finish(): Buffer {
    const written = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.clear();
    return written;
  }

  /** Forgets what has been written, which may have been a key. */
  clear(): void {
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
  }

  /** Fills in the length of the element whose content starts after `lengthAt` and ends here. */
  #closeLength(lengthAt: number): void {
    const length = this.#length - lengthAt - 1;
    if (length < 0x80) {
      this.#bytes[lengthAt] = length;
      return;
    }
    const count = length < 0x100 ? 1 : length < 0x1_0000 ? 2 : length < 0x100_0000 ? 3 : 4;
    this.#reserve(count);
    this.#bytes.copyWithin(lengthAt + 1 + count, lengthAt + 1, this.#length);
    this.#bytes[lengthAt] = 0x80 | count;
    this.#bytes.writeUIntBE(length, lengthAt + 1, count);
    this.#length += count;
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + size));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Shortest content octets of the non-negative integer with this magnitude. */
export function unsignedContent(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const magnitude = bytes.subarray(start);
  if (magnitude.length === 0) return Uint8Array.of(0);
  return magnitude[0]! < 0x80 ? magnitude : Buffer.concat([Uint8Array.of(0), magnitude]);
}

/** Writers that are not in use; a document within a document takes another. */
const idle: DerWriter[] = [];
const idleLimit = 4;
/** A long document is no reason to hold on to as much memory. */
const idleCapacity = 16_384;

/** The DER that `write` writes. */
export function writeDer(write: (writer: DerWriter) => void): Buffer {
  const writer = idle.pop() ?? new DerWriter();
  try {
    write(writer);
    return writer.finish();
  } finally {
    writer.clear();
    if (idle.length < idleLimit && writer.capacity <= idleCapacity) idle.push(writer);
  }
}
