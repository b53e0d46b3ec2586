/** Lines of hex pairs with colons between, all but the last ending in one; none for no bytes. */
export function hexLines(bytes: Uint8Array, perLine: number, indent: number): string[] {
  const pairs = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  const lines: string[] = [];
  for (let at = 0; at < pairs.length; at += perLine) {
    const last = at + perLine >= pairs.length;
    lines.push(`${' '.repeat(indent)}${pairs.slice(at, at + perLine).join(':')}${last ? '' : ':'}`);
  }
  return lines;
}

/** Upper-case hex pairs with colons between. */
export function upperHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(':');
}

/** The bytes without leading zeros, as Go's big numbers give them. */
export function magnitude(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  return start === -1 ? Buffer.alloc(0) : bytes.subarray(start);
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Feb 7 23:09:21 2024 UTC`, the day not padded; with milliseconds where asked for. */
export function longTime(timeMs: number, milliseconds = false): string {
  const date = new Date(timeMs);
  const time = date.toISOString().slice(-13, milliseconds ? -1 : -5);
  return `${months[date.getUTCMonth()]} ${date.getUTCDate()} ${time} ${String(date.getUTCFullYear()).padStart(4, '0')} UTC`;
}

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Bytes as text on a terminal: what is printable UTF-8 as itself, each other character or byte as a dot. */
export function runes(bytes: Buffer): { text: string; dots: boolean } {
  let text = '';
  let dots = false;
  for (let at = 0; at < bytes.length; ) {
    const size = sequenceSize(bytes[at]!);
    const rune = size === 1 || at + size <= bytes.length ? bytes.toString('utf8', at, at + size) : '\ufffd';
    // Anything that is not one whole character decodes to replacement characters: one byte of it is passed over.
    const whole = rune !== '\ufffd' && rune.length === (size === 4 ? 2 : 1);
    const shown = whole && printable.test(rune);
    text += shown ? rune : '.';
    dots ||= !shown;
    at += whole ? size : 1;
  }
  return { text, dots };
}

function sequenceSize(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}
