import { isIPv4, isIPv6 } from 'node:net';

/** The 4 or 16 bytes of an IP address in text, or undefined where it is none (zones such as %eth0 included). */
export function parseIp(text: string): Buffer | undefined {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head, tail] = text.split('::') as [string, string?];
  const front = groups(head);
  const back = groups(tail ?? '');
  const zeros = Array<number>(8 - front.length - back.length).fill(0);
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...front, ...zeros, ...back].entries()) bytes.writeUInt16BE(group, 2 * index);
  return bytes;
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a, b, c, d] = group.split('.').map(Number);
    return [a! * 256 + b!, c! * 256 + d!];
  });
}

/** An address of 4 or 16 bytes in text as Go prints it: RFC 5952 for IPv6, IPv4 for mapped IPv4. */
export function formatIp(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff) {
    return bytes.subarray(12).join('.');
  }
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  const gap = longestRunOfZeros(words);
  if (!gap) return words.join(':');
  return `${words.slice(0, gap.start).join(':')}::${words.slice(gap.start + gap.length).join(':')}`;
}

/** The first of the longest runs of zero groups, two or more. */
function longestRunOfZeros(words: readonly string[]): { start: number; length: number } | undefined {
  let best: { start: number; length: number } | undefined;
  for (let start = 0; start < words.length; start++) {
    let length = 0;
    while (words[start + length] === '0') length++;
    if (length > Math.max(1, best?.length ?? 0)) best = { start, length };
    start += length;
  }
  return best;
}
