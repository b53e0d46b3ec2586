import { seededEntropy } from '../../src/base/entropy.ts';
import { silentLog } from '../../src/base/log.ts';
import { ManualClock } from '../../src/base/manual-clock.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import type { OpenSink } from '../../src/vault/audit/sink.ts';
import type { PodFile } from '../../src/vault/auth/kubernetes/pod-file.ts';
import { startVault, type VaultServer } from '../../src/vault/server.ts';
import type { Diagnostics } from '../../src/vault/sys/diagnostics.ts';
import { type Dialer, systemDialer } from '../../src/wire/dialer.ts';

export interface VaultReply {
  status: number;
  headers: Headers;
  /** The body as text, for raw answers. */
  text: string;
  /** The body as JSON; empty where there is none. */
  body: Record<string, unknown>;
  data: Record<string, unknown>;
  auth: Record<string, unknown>;
  warnings: readonly string[];
  errors: readonly string[];
}

export interface TestVault {
  clock: ManualClock;
  store: Store;
  server: VaultServer;
  /** `http://127.0.0.1:PORT` */
  endpoint: string;
  /** With the root token where `token` is not given; with none where it is empty. */
  call(method: string, path: string, body?: unknown, token?: string): Promise<VaultReply>;
  close(): Promise<void>;
}

/** For servers that enable no audit device. */
export const noSinks: OpenSink = () => {
  throw new Error('no audit device was expected');
};

export const rootToken = 'test-root';

/** A server on 127.0.0.1 over a memory store and a clock that stands still. */
export async function testVault(
  options: {
    store?: Store;
    clock?: ManualClock;
    seed?: string;
    rootToken?: string;
    openSink?: OpenSink;
    diagnostics?: Diagnostics;
    podFile?: PodFile;
    dialer?: Dialer;
  } = {},
): Promise<TestVault> {
  const { store = memoryStore(), clock = new ManualClock() } = options;
  const server = await startVault({
    store,
    clock,
    entropy: seededEntropy(options.seed ?? 'vault'),
    log: silentLog,
    openSink: options.openSink ?? noSinks,
    ...(options.diagnostics ? { diagnostics: options.diagnostics } : {}),
    ...(options.podFile ? { podFile: options.podFile } : {}),
    dialer: options.dialer ?? systemDialer,
    listen: { host: '127.0.0.1', port: 0 },
    dev: { rootToken: options.rootToken ?? rootToken },
  });
  const endpoint = `http://127.0.0.1:${server.address.port}`;
  return {
    clock,
    store,
    server,
    endpoint,
    call: (method, path, body, token = options.rootToken ?? rootToken) =>
      callVault(endpoint, { method, path, body, token }),
    close: () => server.close(),
  };
}

export interface VaultCall {
  method: string;
  /** Below `/v1/`, query included. */
  path: string;
  body?: unknown;
  token: string;
}

export async function callVault(
  endpoint: string,
  { method, path, body, token }: VaultCall,
): Promise<VaultReply> {
  const response = await fetch(`${endpoint}/v1/${path}`, {
    method,
    headers: token === '' ? {} : { 'x-vault-token': token },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') && text !== '';
  const parsed = (isJson ? JSON.parse(text) : {}) as Record<string, unknown>;
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: parsed,
    data: (parsed.data ?? {}) as Record<string, unknown>,
    auth: (parsed.auth ?? {}) as Record<string, unknown>,
    warnings: (parsed.warnings ?? []) as string[],
    errors: (parsed.errors ?? []) as string[],
  };
}
