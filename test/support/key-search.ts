/**
 * Looks for a secret number in bytes of any origin: as it is, reversed, in hex of either case with or without colons,
 * in decimal, and in base64 or base64url at each of the three alignments that it can have inside a longer encoded
 * document (a PEM block, a JSON string), line breaks and their escapes left out.
 */
export function keySearch(secret: Buffer): (haystack: Buffer) => string | undefined {
  const hex = secret.toString('hex');
  const colons = hex.match(/../g)!.join(':');
  const bytes: [string, Buffer][] = [
    ['raw', secret],
    ['reversed', Buffer.from(secret.toReversed())],
  ];
  const text: [string, string][] = [
    ['hex', hex],
    ['hex', hex.toUpperCase()],
    ['hex with colons', colons],
    ['hex with colons', colons.toUpperCase()],
    ['decimal', BigInt(`0x${hex}`).toString()],
    ...[0, 1, 2].flatMap((offset): [string, string][] => {
      const inner = innerBase64(secret, offset);
      return [
        [`base64, offset ${offset}`, inner],
        [`base64url, offset ${offset}`, inner.replaceAll('+', '-').replaceAll('/', '_')],
      ];
    }),
  ];
  return (haystack) => {
    const raw = bytes.find(([, needle]) => haystack.includes(needle));
    if (raw) return raw[0];
    const joined = haystack.toString('latin1').replaceAll(/\\[nr]|\s/g, '');
    return text.find(([, needle]) => joined.includes(needle))?.[0];
  };
}

/** The base64 characters that depend on `secret` alone when `offset` bytes (mod 3) stand before it. */
function innerBase64(secret: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), secret]).toString('base64');
  return encoded.slice(Math.ceil((8 * offset) / 6), Math.floor((8 * (offset + secret.length)) / 6));
}
