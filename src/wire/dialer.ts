import { lookup, Resolver } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';

/** The network as an argument, for what asks machines that a client has named. */
export interface Dialer {
  /** A host's addresses, best first. `resolver`: ADDRESS:PORT of a DNS server; empty for the machine's own way. */
  addresses(host: string, resolver: string): Promise<string[]>;
  /** The TXT records of a name, the parts of each joined. */
  texts(name: string, resolver: string): Promise<string[]>;
  /** A TCP connection, once it stands; `signal` ends the waiting. */
  connect(target: { address: string; port: number; signal: AbortSignal }): Promise<Socket>;
}

/** One question of DNS, in real milliseconds, and how often it is put. */
const dnsLimits = { timeout: 5_000, tries: 2 };

/** The machine's own network. */
export const systemDialer: Dialer = {
  async addresses(host, resolver) {
    if (isIP(host) !== 0) return [host];
    if (resolver === '') return (await lookup(host, { all: true })).map(({ address }) => address);
    const dns = resolverAt(resolver);
    const found = await Promise.allSettled([dns.resolve4(host), dns.resolve6(host)]);
    const addresses = found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    if (addresses.length > 0) return addresses;
    throw found.find((one) => one.status === 'rejected')?.reason ?? new Error(`${host} has no address`);
  },
  async texts(name, resolver) {
    return (await resolverAt(resolver).resolveTxt(name)).map((parts) => parts.join(''));
  },
  connect({ address, port, signal }) {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: address, port, signal });
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(socket);
      });
      socket.once('error', reject);
    });
  },
};

function resolverAt(resolver: string): Resolver {
  const dns = new Resolver(dnsLimits);
  if (resolver !== '') dns.setServers([resolver]);
  return dns;
}
