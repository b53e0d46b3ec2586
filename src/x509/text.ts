import { tags } from './der.ts';

const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

/** PrintableString as it is found: with the two characters that many a CA puts in though they do not belong. */
const printableAsFound = /^[A-Za-z0-9 '()+,\-./:=?*&]*$/;

const ascii = /^\p{ASCII}*$/u;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Identifier octet of the string type that Go writes `value` in: PrintableString where it can, else UTF8String. */
export function directoryStringTag(value: string): number {
  return printable.test(value) ? tags.printableString : tags.utf8String;
}

/** Whether every character of `value` is ASCII, as IA5String asks. */
export function isAscii(value: string): boolean {
  return ascii.test(value);
}

/**
 * Text of a string type's content octets; undefined where the type is not one of text, or where the octets are
 * not what the type allows.
 */
export function decodeText(tag: number, content: Buffer): string | undefined {
  switch (tag) {
    case tags.utf8String:
      return decodeUtf8(content);
    case tags.printableString:
      return matching(printableAsFound, content);
    case tags.ia5String:
    case tags.visibleString:
      return matching(ascii, content);
    case tags.numericString:
      return matching(/^[0-9 ]*$/, content);
    case tags.teletexString:
      // T.61 in name only: what is found in it is Latin-1.
      return content.toString('latin1');
    case tags.bmpString:
      return content.length % 2 === 0 ? Buffer.from(content).swap16().toString('utf16le') : undefined;
    case tags.universalString:
      return decodeUtf32(content);
    default:
      return undefined;
  }
}

function matching(pattern: RegExp, content: Buffer): string | undefined {
  const text = content.toString('latin1');
  return pattern.test(text) ? text : undefined;
}

function decodeUtf8(content: Buffer): string | undefined {
  try {
    return utf8.decode(content);
  } catch {
    return undefined;
  }
}

function decodeUtf32(content: Buffer): string | undefined {
  if (content.length % 4 !== 0) return undefined;
  let text = '';
  for (let at = 0; at < content.length; at += 4) {
    const point = content.readUInt32BE(at);
    if (point > 0x10ffff) return undefined;
    text += String.fromCodePoint(point);
  }
  return text;
}
