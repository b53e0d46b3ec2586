import { BlockList, isIP } from 'node:net';
import { invalidRequest } from '../faults.ts';
import type { Token } from './token.ts';

/**
 * Networks and single addresses, checked: `10.0.0.0/8`, `192.0.2.1`, `2001:db8::/32`. A network of one address is
 * written as the address.
 *
 * @throws Fault `vault.request.invalid`
 */
export function readCidrs(texts: readonly string[]): string[] {
  return texts.map((text) => {
    const { address, bits, family } = parts(text);
    if (!family || !Number.isInteger(bits) || bits > longest[family]) {
      throw invalidRequest(`error parsing address ${JSON.stringify(text)}: it is no address and no network`);
    }
    return bits === longest[family] ? address : `${address}/${bits}`;
  });
}

/** Whether `address` lies in one of `cidrs`; nothing lies in none of them. */
export function isWithin(cidrs: readonly string[], address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  const networks = new BlockList();
  for (const text of cidrs) {
    const { address: network, bits, family } = parts(text);
    networks.addSubnet(network, bits, family);
  }
  // An IPv4 client of a socket for both is shown as ::ffff:192.0.2.1, which lies in IPv4's networks.
  return networks.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

/** Whether `token` is good for a request from `address`. */
export function isUsableFrom({ boundCidrs = [] }: Pick<Token, 'boundCidrs'>, address: string): boolean {
  return boundCidrs.length === 0 || isWithin(boundCidrs, address);
}

const longest = { ipv4: 32, ipv6: 128 } as const;

function parts(text: string) {
  const [, address = '', written] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
  const family = ({ 4: 'ipv4', 6: 'ipv6' } as const)[isIP(address)];
  const bits = written === undefined ? longest[family ?? 'ipv4'] : Number(written);
  return { address, bits, family };
}
