const openBrace = 0x7b;
const openBracket = 0x5b;
const closeBrace = 0x7d;
const closeBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
/** Which JSON may begin with as many of as it likes. */
const blanks: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n'));

/**
 * Whether JSON in `body` nests objects and arrays deeper than `limit`: told from its bytes, before anything is built of
 * them. What is no JSON is judged by the same brackets, and is refused later for being none.
 */
export function isDeeperThan(body: Buffer, limit: number): boolean {
  // Too short to hold as many brackets, as nearly all are.
  if (body.length <= limit) return false;
  const first = body.find((byte) => !blanks.has(byte));
  if (first !== openBrace && first !== openBracket) return false;
  let depth = 0;
  let inText = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (inText) {
      if (byte === backslash) at += 1;
      else if (byte === quote) inText = false;
    } else if (byte === quote) inText = true;
    else if (byte === openBrace || byte === openBracket) {
      depth += 1;
      if (depth > limit) return true;
    } else if (byte === closeBrace || byte === closeBracket) depth -= 1;
  }
  return false;
}
