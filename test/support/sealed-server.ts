import { type Entropy, seededEntropy } from '../../src/base/entropy.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { ManualClock } from '../../src/base/manual-clock.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import type { OpenSink } from '../../src/vault/audit/sink.ts';
import type { AutoSeal } from '../../src/vault/seal/auto-seal.ts';
import { startSealedVault } from '../../src/vault/seal/sealed-server.ts';
import { systemDialer } from '../../src/wire/dialer.ts';
import { formatAddress } from '../../src/wire/http-server.ts';
import { callVault, noSinks, type VaultReply } from './vault.ts';

export interface SealedServer {
  address: string;
  store: Store;
  clock: ManualClock;
  call: (method: string, path: string, body?: unknown, token?: string) => Promise<VaultReply>;
  close: () => Promise<void>;
}

export interface SealedServerSettings {
  store?: Store;
  clock?: ManualClock;
  entropy?: Entropy;
  log?: Log;
  autoSeal?: AutoSeal;
  formerSeal?: AutoSeal;
  openSink?: OpenSink;
}

/** A server that starts sealed, on a memory store and a clock that stands still. */
export async function sealedServer(settings: SealedServerSettings = {}): Promise<SealedServer> {
  const { store = memoryStore(), clock = new ManualClock(), log = silentLog } = settings;
  const { entropy = seededEntropy('sealed'), autoSeal, formerSeal } = settings;
  const server = await startSealedVault({
    ...{ store, clock, entropy, log, autoSeal, formerSeal },
    openSink: settings.openSink ?? noSinks,
    dialer: systemDialer,
    listeners: [{ at: { host: '127.0.0.1', port: 0 } }],
  });
  const address = `http://${formatAddress(server.addresses[0]!)}`;
  return {
    address,
    store,
    clock,
    call: (method, path, body, token = '') => callVault(address, { method, path, body, token }),
    close: () => server.close(),
  };
}

export interface Initialised {
  /** Of the unseal key, or of the recovery key where there is one. */
  keys: string[];
  root: string;
}

/** Initialises `server`, and unseals it where it does not do that itself. */
export async function unsealed(server: SealedServer, shares = 3, threshold = 2): Promise<Initialised> {
  const { recovery_seal: recovers } = (await server.call('GET', 'sys/seal-status')).body;
  const kind = recovers === true ? 'recovery' : 'secret';
  const { status, body } = await server.call('PUT', 'sys/init', {
    [`${kind}_shares`]: shares,
    [`${kind}_threshold`]: threshold,
  });
  if (status !== 200) throw new Error(JSON.stringify(body));
  const keys = (recovers === true ? body.recovery_keys : body.keys) as string[];
  if (recovers !== true) await unseal(server, keys.slice(0, threshold));
  return { keys, root: body.root_token as string };
}

export async function unseal(server: SealedServer, keys: readonly string[]): Promise<VaultReply> {
  let reply = await server.call('GET', 'sys/seal-status');
  for (const key of keys) reply = await server.call('PUT', 'sys/unseal', { key });
  return reply;
}

/** A share of the same length that is not one. */
export function alteredShare(share: string): string {
  return `${share.startsWith('00') ? '01' : '00'}${share.slice(2)}`;
}
