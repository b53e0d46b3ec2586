const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const isDigit = new Set(Buffer.from(alphabet));
const [newLine, carriageReturn, padding] = Buffer.from('\n\r=');
const isBreak = (octet: number | undefined) => octet === newLine || octet === carriageReturn;

/** As Go writes it. */
const plain = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Go's complaint about text that it would not read into a `[]byte`, with the place that Go gives; undefined where it
 * would. Line breaks may stand anywhere (encoding/base64, StdEncoding).
 */
export function base64Problem(text: string): string | undefined {
  if (plain.test(text)) return undefined;
  const at = corruptByte(Buffer.from(text));
  return at === undefined ? undefined : `illegal base64 data at input byte ${at}`;
}

function corruptByte(bytes: Buffer): number | undefined {
  let digits = 0;
  for (let at = 0; at < bytes.length; at++) {
    const octet = bytes[at]!;
    if (isBreak(octet)) continue;
    if (octet === padding) return corruptPadding(bytes, at, digits % 4);
    if (!isDigit.has(octet)) return at;
    digits++;
  }
  // Breaks inside the last group count as its part.
  return digits % 4 === 0 ? undefined : bytes.length - (digits % 4);
}

/** What is wrong from the first `=` on, with `digits` of its group of four before it. */
function corruptPadding(bytes: Buffer, first: number, digits: number): number | undefined {
  if (digits < 2) return first;
  const skipBreaks = (from: number) => {
    let at = from;
    while (isBreak(bytes[at])) at++;
    return at;
  };
  let next = skipBreaks(first + 1);
  if (digits === 2) {
    if (next === bytes.length) return bytes.length;
    if (bytes[next] !== padding) return next - 1;
    next = skipBreaks(next + 1);
  }
  return next < bytes.length ? next : undefined;
}

/** The same bytes as Go writes them: no breaks, no stray bits. */
export function canonicalBase64(text: string): string {
  return Buffer.from(text, 'base64').toString('base64');
}
