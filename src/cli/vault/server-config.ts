import type { LogFormat } from '../../base/log.ts';
import { configFault, mustBe, readBlocks, refuseRest, stanza, stanzas, text } from './config-blocks.ts';
import { type KmsLibraryConfig, readKmsLibraries } from './kms-libraries.ts';
import { type ListenerConfig, listenerTypes, readListener } from './listener-config.ts';
import { readSeals, type Seals } from './seal-config.ts';
import { readStorage, type StorageConfig, storageTypes } from './storage.ts';

/** What a server's configuration file says. */
export interface ServerConfig extends Seals {
  /** At least one. */
  listeners: readonly ListenerConfig[];
  storage: StorageConfig;
  kmsLibraries: readonly KmsLibraryConfig[];
  apiAddress: string | undefined;
  logLevel: string | undefined;
  logFormat: LogFormat;
  /** Where the log goes besides stderr. */
  logFile: string | undefined;
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
  const listeners = stanzas(top, 'listener', listenerTypes);
  const storage = stanza(top, 'storage', storageTypes);
  mustBe(top, 'disable_mlock', true, 'memory is not locked here');
  mustBe(top, 'ui', false, 'there is no user interface here');
  const config: ServerConfig = {
    listeners: listeners.map(readListener),
    storage: readStorage(storage, env),
    ...readSeals(top, env),
    kmsLibraries: readKmsLibraries(top),
    apiAddress: text(top, 'api_addr'),
    logLevel: text(top, 'log_level'),
    logFormat: logFormat(text(top, 'log_format')),
    logFile: text(top, 'log_file'),
  };
  for (const read of [top, ...listeners, storage]) refuseRest(read);
  return config;
}

function logFormat(name = 'json'): LogFormat {
  if (name === 'json' || name === 'standard') return name;
  throw configFault(`log_format ${JSON.stringify(name)} is not known; use "json" or "standard"`);
}
