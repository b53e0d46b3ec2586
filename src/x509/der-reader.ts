import { Fault } from '../base/fault.ts';
import { tags } from './der-tag.ts';
import { readGeneralizedTime, readUtcTime } from './der-time.ts';
import { decodeOid } from './oid.ts';

/** What a reader accepts at most. Real certificates stay far below; what is beyond is an attack or a mistake. */
export interface DerLimits {
  /** Size of the whole document in bytes. */
  sizeBytes: number;
  /** How many constructed elements may stand inside each other. */
  depth: number;
}

export const defaultDerLimits: DerLimits = { sizeBytes: 2 ** 20, depth: 32 };

export interface BitString {
  /** How many of the last byte's low bits do not count, 0 to 7; they are zero. */
  unusedBits: number;
  bytes: Buffer;
}

interface Header {
  tag: number;
  contentStart: number;
  end: number;
}

/**
 * Reads DER (ITU-T X.690 section 10) front to back and accepts nothing else: definite lengths in their shortest
 * form, shortest integers, booleans of 00 or FF, canonical object identifiers, no bytes left over. What it
 * accepts has exactly one encoding, so that a signature over the bytes is a signature over the meaning.
 *
 * Every failure is a Fault `x509.der.*` that names the offset from the document's first byte. Buffers that it
 * answers are views of the document, not copies.
 */
export class DerReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #depthLeft: number;
  #at: number;

  /** A reader of the whole of `bytes`. */
  constructor(bytes: Buffer, limits: DerLimits = defaultDerLimits, within?: readonly [number, number]) {
    if (bytes.length > limits.sizeBytes) {
      throw derFault('size', 0, `${bytes.length} bytes; ${limits.sizeBytes} at most`);
    }
    this.#bytes = bytes;
    this.#depthLeft = limits.depth;
    [this.#at, this.#end] = within ?? [0, bytes.length];
  }

  /** Offset of the next element from the document's first byte. */
  get offset(): number {
    return this.#at;
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** Identifier octet of the next element; undefined at the end. */
  get nextTag(): number | undefined {
    return this.atEnd ? undefined : this.#bytes[this.#at];
  }

  /** The bytes from `offset` up to here. */
  since(offset: number): Buffer {
    return this.#bytes.subarray(offset, this.#at);
  }

  /** Insists that everything has been read. */
  finish(): void {
    const left = this.#end - this.#at;
    if (left > 0)
      throw derFault('trailing', this.#at, `${left === 1 ? 'a byte' : `${left} bytes`} left over`);
  }

  /** Goes into a constructed element and past it here. Call `finish` on the answer when done with it. */
  enter(tag: number): DerReader {
    const header = this.#header(tag);
    if (this.#depthLeft === 0) throw derFault('depth', this.#at, 'elements nested too deep');
    this.#at = header.end;
    const limits = { sizeBytes: this.#bytes.length, depth: this.#depthLeft - 1 };
    return new DerReader(this.#bytes, limits, [header.contentStart, header.end]);
  }

  /** Goes into the next element if it has this tag. */
  enterIf(tag: number): DerReader | undefined {
    return this.nextTag === tag ? this.enter(tag) : undefined;
  }

  /** The content octets of a primitive element. */
  content(tag: number): Buffer {
    const header = this.#header(tag);
    this.#at = header.end;
    return this.#bytes.subarray(header.contentStart, header.end);
  }

  /** The next element whole, header included, its content unchecked; of any tag where none is asked for. */
  element(tag?: number): Buffer {
    const start = this.#at;
    const header = this.#header(tag);
    this.#at = header.end;
    return this.#bytes.subarray(start, header.end);
  }

  /** Like `element`, after checking all of it, for values whose meaning does not matter here (ANY). */
  anything(): Buffer {
    const start = this.#at;
    this.#check();
    return this.#bytes.subarray(start, this.#at);
  }

  boolean(): boolean {
    const at = this.#at;
    const content = this.content(tags.boolean);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) {
      throw derFault('boolean', at, 'a boolean must be one byte, 00 or FF');
    }
    return content[0] === 0xff;
  }

  /** Content octets of an integer: two's complement, shortest form. */
  integer(tag: number = tags.integer): Buffer {
    const at = this.#at;
    const content = this.content(tag);
    if (content.length === 0) throw derFault('integer', at, 'an integer without a byte');
    const [first, second] = content;
    if (content.length > 1 && ((first === 0 && second! < 0x80) || (first === 0xff && second! >= 0x80))) {
      throw derFault('integer', at, 'an integer not in its shortest form');
    }
    return content;
  }

  /** An integer from 0 to `most` (2^47 at most). */
  smallInteger(most = 2 ** 31 - 1, tag: number = tags.integer): number {
    const at = this.#at;
    const content = this.integer(tag);
    const value = content.length > 6 ? Number.NaN : content.readIntBE(0, content.length);
    if (!(value >= 0 && value <= most)) throw derFault('integer', at, `an integer outside of 0 to ${most}`);
    return value;
  }

  null(): void {
    const at = this.#at;
    if (this.content(tags.null).length !== 0) throw derFault('null', at, 'a NULL with content');
  }

  /** An object identifier in dotted form. */
  oid(tag: number = tags.oid): string {
    const at = this.#at;
    const dotted = decodeOid(this.content(tag));
    if (dotted === undefined) throw derFault('oid', at, 'an object identifier not in its canonical form');
    return dotted;
  }

  octetString(): Buffer {
    return this.content(tags.octetString);
  }

  bitString(tag: number = tags.bitString): BitString {
    const at = this.#at;
    const content = this.content(tag);
    const unusedBits = content[0] ?? 8;
    const bytes = content.subarray(1);
    const last = bytes.at(-1);
    if (unusedBits > 7 || (last === undefined ? unusedBits > 0 : (last & ((1 << unusedBits) - 1)) !== 0)) {
      throw derFault(
        'bit-string',
        at,
        'a bit string with a wrong count of unused bits, or with one of them set',
      );
    }
    return { unusedBits, bytes };
  }

  /** The bytes of a bit string that is a whole number of bytes, as keys and signatures are. */
  bitStringBytes(): Buffer {
    const at = this.#at;
    const { unusedBits, bytes } = this.bitString();
    if (unusedBits !== 0)
      throw derFault('bit-string', at, 'a bit string that is not a whole number of bytes');
    return bytes;
  }

  /** UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 allows them (seconds, Z, no fraction), in epoch ms. */
  time(): number {
    const at = this.#at;
    const utc = this.nextTag === tags.utcTime;
    const content = this.content(utc ? tags.utcTime : tags.generalizedTime);
    const time = utc ? readUtcTime(content) : readGeneralizedTime(content);
    if (time === undefined)
      throw derFault('time', at, 'a time that is not in the form that RFC 5280 asks for');
    return time;
  }

  #header(expected?: number): Header {
    const bytes = this.#bytes;
    const at = this.#at;
    const left = this.#end - at;
    if (left === 0) {
      const wanted = expected === undefined ? 'an element' : tagName(expected);
      throw derFault('truncated', at, `${wanted} expected, found the end`);
    }
    const tag = bytes[at]!;
    if (expected !== undefined && tag !== expected) {
      throw derFault('tag', at, `${tagName(expected)} expected, found ${tagName(tag)}`);
    }
    if ((tag & 0x1f) === 0x1f) throw derFault('tag', at, 'a tag number above 30');
    if (left === 1) throw derFault('truncated', at, 'the end inside a header');
    let length = bytes[at + 1]!;
    let contentStart = at + 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 4) throw derFault('length', at, 'a length of indefinite or oversized form');
      if (left < 2 + count) throw derFault('truncated', at, 'the end inside a header');
      length = bytes.readUIntBE(at + 2, count);
      contentStart += count;
      if (length < 0x80 || length < 2 ** (8 * (count - 1))) {
        throw derFault('length', at, 'a length not in its shortest form');
      }
    }
    if (length > this.#end - contentStart) {
      throw derFault('truncated', at, `${length} bytes promised, ${this.#end - contentStart} there`);
    }
    return { tag, contentStart, end: contentStart + length };
  }

  /** Checks one element of unknown meaning as far as its tag tells. */
  #check(): void {
    const tag = this.nextTag;
    if (tag !== undefined && tag & 0x20) {
      const inner = this.enter(tag);
      while (!inner.atEnd) inner.#check();
      return;
    }
    const check = tag === undefined ? undefined : primitiveChecks[tag];
    if (check) check(this);
    else this.element();
  }
}

const primitiveChecks: Readonly<Record<number, (reader: DerReader) => unknown>> = {
  [tags.boolean]: (reader) => reader.boolean(),
  [tags.integer]: (reader) => reader.integer(),
  [tags.enumerated]: (reader) => reader.integer(tags.enumerated),
  [tags.bitString]: (reader) => reader.bitString(),
  [tags.null]: (reader) => reader.null(),
  [tags.oid]: (reader) => reader.oid(),
};

function derFault(kind: string, offset: number, message: string): Fault {
  return new Fault(`not valid DER: at byte ${offset}: ${message}`, {
    code: `x509.der.${kind}`,
    blame: 'caller',
  });
}

function tagName(tag: number): string {
  const known = Object.entries(tags).find(([, number]) => number === tag)?.[0];
  if (known) return known.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  if ((tag & 0xc0) === 0x80) return `[${tag & 0x1f}]`;
  return `tag 0x${tag.toString(16).padStart(2, '0')}`;
}

/**
 * Reads one whole document: `read` is handed a reader of it, and nothing may be left when it is done.
 *
 * @throws Fault `x509.der.*` with the offset.
 */
export function readDer<T>(bytes: Buffer, read: (reader: DerReader) => T, limits?: DerLimits): T {
  const reader = new DerReader(bytes, limits);
  const value = read(reader);
  reader.finish();
  return value;
}

/** Goes into a constructed element, reads all of it with `read`, and insists that nothing is left in it. */
export function readInside<T>(reader: DerReader, tag: number, read: (inner: DerReader) => T): T {
  const inner = reader.enter(tag);
  const value = read(inner);
  inner.finish();
  return value;
}

/** Like `readInside`, with the element's own bytes beside what `read` made of them. */
export function readWhole<T>(
  reader: DerReader,
  tag: number,
  read: (inner: DerReader) => T,
): { der: Buffer; value: T } {
  const start = reader.offset;
  const value = readInside(reader, tag, read);
  return { der: reader.since(start), value };
}

/** What `read` makes of each element, to the end. */
export function readEach<T>(reader: DerReader, read: (reader: DerReader) => T): T[] {
  const values: T[] = [];
  while (!reader.atEnd) values.push(read(reader));
  return values;
}
