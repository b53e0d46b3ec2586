import { type ListenAddress, parseListenAddress } from '../../wire/http-server.ts';
import {
  configFault,
  flag,
  mustBe,
  readBlocks,
  refuseRest,
  type Settings,
  stanza,
  text,
} from './config-blocks.ts';
import { readSeal, type SealConfig } from './seal-config.ts';
import { readStorage, type StorageConfig, storageTypes } from './storage.ts';

/** What a server's configuration file says. */
export interface ServerConfig {
  listen: ListenAddress;
  /** Paths of PEM files; plain HTTP where absent. */
  tls: { certFile: string; keyFile: string } | undefined;
  storage: StorageConfig;
  /** Where absent, shares of an unseal key unseal. */
  seal: SealConfig | undefined;
  apiAddress: string | undefined;
  logLevel: string | undefined;
}

/**
 * Reads a server's configuration in Vault's own language (HCL, or the same as JSON). What has no meaning here is
 * refused by its name rather than passed over: nobody should believe in a setting that does nothing.
 *
 * @param env may hold the address of the database, which then wins over the file's
 * @throws Fault `cli.config` naming the setting and the place
 */
export function readServerConfig(
  source: string,
  env: Readonly<Record<string, string | undefined>>,
): ServerConfig {
  const top = readBlocks(source);
  const listener = stanza(top, 'listener', ['tcp']);
  const storage = stanza(top, 'storage', storageTypes);
  mustBe(top, 'disable_mlock', true, 'memory is not locked here');
  mustBe(top, 'ui', false, 'there is no user interface here');
  const config: ServerConfig = {
    listen: listenAddress(text(listener, 'address') ?? '127.0.0.1:8200'),
    tls: tlsFiles(listener),
    storage: readStorage(storage, env),
    seal: readSeal(top, env),
    apiAddress: text(top, 'api_addr'),
    logLevel: text(top, 'log_level'),
  };
  for (const read of [top, listener, storage]) refuseRest(read);
  return config;
}

function listenAddress(address: string): ListenAddress {
  // The port may be left out, and is Vault's then.
  return parseListenAddress(/:\d+$/.test(address) ? address : `${address}:8200`);
}

function tlsFiles(listener: Settings): ServerConfig['tls'] {
  const disabled = flag(listener, 'tls_disable') ?? false;
  const certFile = text(listener, 'tls_cert_file');
  const keyFile = text(listener, 'tls_key_file');
  if (disabled) return undefined;
  if (certFile && keyFile) return { certFile, keyFile };
  throw configFault(
    `${listener.where}${certFile ? 'tls_key_file' : 'tls_cert_file'} is missing; give it, or set tls_disable = true`,
  );
}
