import { connect } from 'node:net';
import { systemClock } from '../../src/base/clock.ts';
import { systemEntropy } from '../../src/base/entropy.ts';
import { silentLog } from '../../src/base/log.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import { startVault, type VaultServer } from '../../src/vault/server.ts';
import type { Dialer } from '../../src/wire/dialer.ts';
import { callVault, noSinks, rootToken, type VaultReply } from './vault.ts';

/** A network in which names, records and ports are what a test says they are; what it does not know is not there. */
export interface TestNetwork {
  dialer: Dialer;
  /** Where a port of any host really is, on this machine. */
  readonly ports: Map<number, number>;
  readonly texts: Map<string, string[]>;
  /** Names asked for, with the resolver that was to be asked. */
  readonly asked: string[];
}

export function testNetwork(): TestNetwork {
  const network: Omit<TestNetwork, 'dialer'> = { ports: new Map(), texts: new Map(), asked: [] };
  return {
    ...network,
    dialer: {
      async addresses(host, resolver) {
        network.asked.push(`${host} ${resolver}`.trim());
        return ['127.0.0.1'];
      },
      async texts(name, resolver) {
        network.asked.push(`${name} ${resolver}`.trim());
        const found = network.texts.get(name);
        if (found) return found;
        throw Object.assign(new Error(`no record of ${name}`), { code: 'ENOTFOUND' });
      },
      connect: ({ port, signal }) =>
        new Promise((resolve, reject) => {
          const socket = connect({ host: '127.0.0.1', port: network.ports.get(port) ?? 1, signal });
          socket.once('connect', () => resolve(socket));
          socket.once('error', reject);
        }),
    },
  };
}

export interface AcmeServer {
  network: TestNetwork;
  store: Store;
  server: VaultServer;
  /** `http://127.0.0.1:PORT/v1` */
  api: string;
  /** `…/v1/pki/acme/directory` */
  directoryUrl: string;
  /** With the root token. */
  call(method: string, path: string, body?: unknown): Promise<VaultReply>;
  close(): Promise<void>;
}

/** A server on the machine's own clock, as clients judge certificates by it, with a root at `pki/` and ACME enabled. */
export async function acmeServer(
  options: { store?: Store; network?: TestNetwork; port?: number; settings?: object } = {},
): Promise<AcmeServer> {
  const { store = memoryStore(), network = testNetwork() } = options;
  const fresh = (await store.revision()) === 0;
  const server = await startVault({
    store,
    clock: systemClock,
    entropy: systemEntropy,
    log: silentLog,
    openSink: noSinks,
    dialer: network.dialer,
    listen: { host: '127.0.0.1', port: options.port ?? 0 },
    dev: { rootToken },
  });
  const endpoint = `http://127.0.0.1:${server.address.port}`;
  const call = async (method: string, path: string, body?: unknown) =>
    callVault(endpoint, { method, path, body, token: rootToken });
  const api = `${endpoint}/v1`;
  const set = async (path: string, body: object) => {
    const reply = await call('POST', path, body);
    if (reply.status >= 400) throw new Error(`${path}: ${reply.text}`);
  };
  if (fresh) {
    await set('sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '87600h' } });
    await set('pki/root/generate/internal', { common_name: 'acme root', key_type: 'ec', ttl: '8760h' });
  }
  await set('pki/config/cluster', { path: `${api}/pki` });
  await set('pki/config/acme', { enabled: true, ...options.settings });
  return {
    network,
    store,
    server,
    api,
    directoryUrl: `${api}/pki/acme/directory`,
    call,
    close: () => server.close(),
  };
}
