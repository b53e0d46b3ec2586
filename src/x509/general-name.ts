import { Fault } from '../base/fault.ts';
import {
  context,
  contextConstructed,
  type DerReader,
  type DerWriter,
  readEach,
  readInside,
  tags,
} from './der.ts';
import { formatIp, parseIp } from './ip-address.ts';
import { formatName, type Name, readNameFrom } from './name.ts';
import { isAscii } from './text.ts';

/** RFC 5280 section 4.2.1.6. */
export type GeneralName =
  | { type: 'dns' | 'email' | 'uri'; value: string }
  /** An address in text: dotted IPv4, or IPv6 after RFC 5952. */
  | { type: 'ip'; value: string }
  /** A registered object identifier. */
  | { type: 'rid'; value: string }
  | { type: 'directory'; value: Name }
  /** `value` is the DER of what stands inside the explicit tag. */
  | { type: 'other'; oid: string; value: Buffer }
  /** The two types that nobody uses; `value` is the whole element. */
  | { type: 'x400' | 'edi'; value: Buffer };

const textTypes = { email: 1, dns: 2, uri: 6 } as const;
const typeOfTag = new Map<number, keyof typeof textTypes>(
  Object.entries(textTypes).map(([type, number]) => [context(number), type as keyof typeof textTypes]),
);

/**
 * Reads the general name that comes next.
 *
 * @throws Fault `x509.der.*` or `x509.general-name` where it is none, or its text or address is malformed.
 */
export function readGeneralName(reader: DerReader): GeneralName {
  const tag = reader.nextTag ?? 0;
  const textType = typeOfTag.get(tag);
  if (textType) return { type: textType, value: ia5(textType, reader.content(tag)) };
  switch (tag) {
    case contextConstructed(0):
      return readInside(reader, tag, (inner) => ({
        type: 'other',
        oid: inner.oid(),
        value: readInside(inner, contextConstructed(0), (value) => value.anything()),
      }));
    case contextConstructed(3):
      return { type: 'x400', value: reader.anything() };
    case contextConstructed(4):
      return { type: 'directory', value: readInside(reader, tag, readNameFrom) };
    case contextConstructed(5):
      return { type: 'edi', value: reader.anything() };
    case context(7):
      return { type: 'ip', value: address(reader.content(tag)) };
    case context(8):
      return { type: 'rid', value: reader.oid(tag) };
    default:
      throw nameFault(`tag 0x${tag.toString(16)} is none of a general name`);
  }
}

function ia5(type: string, content: Buffer): string {
  const text = content.toString('latin1');
  if (!isAscii(text)) throw nameFault(`the ${type} name holds characters that are not ASCII`);
  return text;
}

function address(content: Buffer): string {
  if (content.length === 4 || content.length === 16) return formatIp(content);
  throw nameFault(`an IP address of ${content.length} bytes; it takes 4 or 16`);
}

/**
 * Writes a general name.
 *
 * @throws Fault `x509.general-name` for a text that is not ASCII, an address that is none.
 */
export function writeGeneralName(writer: DerWriter, name: GeneralName): void {
  switch (name.type) {
    case 'dns':
    case 'email':
    case 'uri':
      if (!isAscii(name.value)) {
        throw nameFault(`${JSON.stringify(name.value)} holds characters that are not ASCII`);
      }
      writer.text(context(textTypes[name.type]), name.value);
      return;
    case 'ip': {
      const bytes = parseIp(name.value);
      if (!bytes) throw nameFault(`${JSON.stringify(name.value)} is not an IP address`);
      writer.primitive(context(7), bytes);
      return;
    }
    case 'rid':
      writer.oid(name.value, context(8));
      return;
    case 'directory':
      writer.wrap(contextConstructed(4), () => writer.raw(name.value.der));
      return;
    case 'other':
      writer.wrap(contextConstructed(0), () =>
        writer.oid(name.oid).wrap(contextConstructed(0), () => writer.raw(name.value)),
      );
      return;
    default:
      writer.raw(name.value);
  }
}

/** Reads a SEQUENCE OF GeneralName, of at least one. */
export function readGeneralNames(reader: DerReader, tag: number = tags.sequence): GeneralName[] {
  return readInside(reader, tag, (inner) => {
    if (inner.atEnd) throw nameFault('a list of names that is empty');
    return readEach(inner, readGeneralName);
  });
}

/** The name in words, for messages: `dns:web.linkerd.cluster.local`. */
export function formatGeneralName(name: GeneralName): string {
  switch (name.type) {
    case 'directory':
      return `directory:${formatName(name.value)}`;
    case 'other':
      return `other:${name.oid}`;
    case 'x400':
    case 'edi':
      return `${name.type}:${name.value.toString('hex')}`;
    default:
      return `${name.type}:${name.value}`;
  }
}

function nameFault(message: string): Fault {
  return new Fault(message, { code: 'x509.general-name', blame: 'caller' });
}
