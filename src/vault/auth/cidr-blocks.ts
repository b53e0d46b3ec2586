import { BlockList, isIP } from 'node:net';
import { failed } from '../faults.ts';

/** Networks as Go's net.ParseCIDR takes them: `10.0.0.0/8`, and no address without a length. */
export function checkCidrBlocks(texts: readonly string[]): readonly string[] {
  const wrong = texts.find((text) => !parts(text));
  if (wrong !== undefined) throw failed(`failed to validate CIDR blocks: invalid CIDR address: ${wrong}`);
  return texts;
}

/** Whether each of `inner` lies in one of `outer`; single addresses count as networks of one. */
export function areWithin(inner: readonly string[], outer: readonly string[]): boolean {
  const blocks = outer.map((text) => parts(withLength(text)));
  return inner.every((text) => {
    const block = parts(withLength(text));
    return block && blocks.some((wider) => wider && isWithin(block, wider));
  });
}

interface Block {
  address: string;
  bits: number;
  family: 'ipv4' | 'ipv6';
}

function isWithin(block: Block, wider: Block): boolean {
  if (block.family !== wider.family || block.bits < wider.bits) return false;
  const list = new BlockList();
  list.addSubnet(wider.address, wider.bits, wider.family);
  return list.check(block.address, block.family);
}

function withLength(text: string): string {
  return text.includes('/') ? text : `${text}/${isIP(text) === 6 ? 128 : 32}`;
}

function parts(text: string): Block | undefined {
  const [, address = '', length] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const version = isIP(address);
  const bits = Number(length);
  if (version === 0 || bits > (version === 4 ? 32 : 128)) return undefined;
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
}
