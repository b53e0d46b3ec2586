import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import type { Log } from '../../base/log.ts';
import { SecretText } from '../../base/secret.ts';
import type { AutoSeal } from '../../vault/seal/auto-seal.ts';
import type { StaticKey } from '../../vault/seal/static-seal.ts';
import {
  configFault,
  flag,
  refuseRest,
  required,
  type Settings,
  stanzas,
  text,
  unreadable,
} from './config-blocks.ts';
import { variable } from './environment.ts';
import { type Pkcs11Config, readPkcs11 } from './pkcs11-config.ts';
import type { Pkcs11Libraries } from './pkcs11-libraries.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** A key as the file has it: 32 bytes in hex or base64, or where they are (`file://` or `env://`). */
interface NamedKey {
  id: string;
  source: SecretText;
}

/** What unseals in people's place. */
export type SealConfig =
  | { type: 'static'; current: NamedKey; previous: NamedKey | undefined }
  | ({ type: 'transit' } & TransitConfig)
  | ({ type: 'pkcs11' } & Pkcs11Config);

interface TransitConfig {
  address: string;
  token: SecretText;
  mountPath: string;
  keyName: string;
  renews: boolean;
  /** Paths of PEM files. */
  tls: { ca?: string; certificate?: string; key?: string; serverName?: string; insecure: boolean };
}

export const sealTypes: readonly string[] = ['shamir', 'static', 'transit', 'pkcs11'];

/** What unseals, and what did before it. Where one is absent, or "shamir", shares of an unseal key do. */
export interface Seals {
  seal: SealConfig | undefined;
  /** With `disabled = true`: what a store is still sealed by, to be left. */
  formerSeal: SealConfig | undefined;
}

/** The `seal` blocks: at most one of each sort. @throws Fault `cli.config` */
export function readSeals(top: Settings, env: Env): Seals {
  const seals: Seals = { seal: undefined, formerSeal: undefined };
  const seen = new Set<keyof Seals>();
  for (const block of top.items.has('seal') ? stanzas(top, 'seal', sealTypes) : []) {
    const sort = (flag(block, 'disabled') ?? false) ? 'formerSeal' : 'seal';
    if (seen.has(sort)) {
      throw configFault(
        'of several seals all but one must be disabled, and one of those may be left at a time',
      );
    }
    seen.add(sort);
    seals[sort] = configOf(block, env);
    refuseRest(block);
  }
  return seals;
}

function configOf(seal: Settings, env: Env): SealConfig | undefined {
  if (seal.type === 'static') return staticConfig(seal);
  if (seal.type === 'transit') return { type: 'transit', ...transitConfig(seal, env) };
  if (seal.type === 'pkcs11') return { type: 'pkcs11', ...readPkcs11(seal, env) };
  return undefined;
}

function staticConfig(seal: Settings): SealConfig {
  const previousId = text(seal, 'previous_key_id');
  const previous = text(seal, 'previous_key');
  if (Boolean(previousId) !== Boolean(previous)) {
    throw configFault(`${seal.where}previous_key and previous_key_id go together`);
  }
  return {
    type: 'static',
    current: { id: required(seal, 'current_key_id'), source: new SecretText(required(seal, 'current_key')) },
    previous: previousId && previous ? { id: previousId, source: new SecretText(previous) } : undefined,
  };
}

/** Of what Vault takes from the environment too, that wins, so that a token can be kept out of the file. */
function transitConfig(seal: Settings, env: Env): TransitConfig {
  const either = (name: string, environment: string) => {
    const written = text(seal, name);
    return variable(env, environment) || written;
  };
  const needed = (name: string, environment: string) => {
    const value = either(name, environment);
    if (value) return value;
    throw configFault(`${seal.where}${name} is missing, and VAULT_${environment} is not set`);
  };
  const namespace = either('namespace', 'NAMESPACE') ?? '';
  if (!['', 'root', '/'].includes(namespace.replace(/\/$/, ''))) {
    throw configFault(`${seal.where}namespace: there is no other than the root here; leave it out`);
  }
  const address = text(seal, 'address') ?? variable(env, 'ADDR');
  if (!address || !/^https?:\/\//.test(address)) {
    throw configFault(`${seal.where}address is missing, or no http or https address`);
  }
  const files = {
    ca: text(seal, 'tls_ca_cert'),
    certificate: text(seal, 'tls_client_cert'),
    key: text(seal, 'tls_client_key'),
    serverName: text(seal, 'tls_server_name'),
  };
  if (Boolean(files.certificate) !== Boolean(files.key)) {
    throw configFault(`${seal.where}tls_client_cert and tls_client_key go together`);
  }
  const set = Object.fromEntries(Object.entries(files).filter(([, value]) => value));
  return {
    address,
    token: new SecretText(needed('token', 'TOKEN')),
    mountPath: needed('mount_path', 'TRANSIT_SEAL_MOUNT_PATH'),
    keyName: needed('key_name', 'TRANSIT_SEAL_KEY_NAME'),
    renews: !(flag(seal, 'disable_renewal') ?? false),
    tls: { ...set, insecure: flag(seal, 'tls_skip_verify') ?? false },
  };
}

export interface SealSurroundings {
  /** What paths are relative to. */
  folder: string;
  env: Env;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  libraries: Pkcs11Libraries;
}

/** The seal itself. @throws Fault `cli.config`, `vault.seal.config` */
export async function openSeal(config: SealConfig, at: SealSurroundings): Promise<AutoSeal> {
  if (config.type === 'static') {
    const { staticSeal } = await import('../../vault/seal/static-seal.ts');
    const { current, previous } = config;
    const keys = { current: staticKey(current, at), previous: previous && staticKey(previous, at) };
    return staticSeal(keys, at.entropy);
  }
  if (config.type === 'pkcs11') {
    const { openPkcs11 } = await import('./pkcs11-config.ts');
    return openPkcs11(config, at);
  }
  const { transitSeal } = await import('../../vault/seal/transit-seal.ts');
  const { httpClient } = await import('../../wire/http-client.ts');
  const { ca, certificate, key, serverName, insecure } = config.tls;
  const pem = (path: string) => read(path, at.folder).toString();
  const http = httpClient({
    timeoutMs: 10_000,
    insecure,
    ...(ca ? { ca: pem(ca) } : {}),
    ...(certificate && key ? { clientCertificate: pem(certificate), clientKey: pem(key) } : {}),
    ...(serverName ? { serverName } : {}),
  });
  return transitSeal({ ...config, ...at, http });
}

function staticKey({ id, source }: NamedKey, { folder, env }: SealSurroundings): StaticKey {
  const written = source.reveal();
  if (written.startsWith('file://')) return { id, key: keyOf(read(written.slice('file://'.length), folder)) };
  if (!written.startsWith('env://')) return { id, key: keyOf(Buffer.from(written)) };
  const name = written.slice('env://'.length);
  const value = env[name];
  if (!value) throw configFault(`seal "static": the variable ${name}, which holds the key, is not set`);
  return { id, key: keyOf(Buffer.from(value)) };
}

/** The bytes themselves, or their text in hex or base64. */
function keyOf(bytes: Buffer): Buffer {
  if (bytes.length === 32) return bytes;
  const written = bytes.toString().trim();
  if (/^[0-9a-fA-F]{64}$/.test(written)) return Buffer.from(written, 'hex');
  if (/^[A-Za-z0-9+/]{43}=$/.test(written)) return Buffer.from(written, 'base64');
  return bytes;
}

function read(path: string, folder: string): Buffer {
  try {
    return readFileSync(resolve(folder, path));
  } catch (error) {
    throw unreadable('a file of the seal', error);
  }
}
