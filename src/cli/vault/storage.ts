import { join, resolve } from 'node:path';
import { SecretText } from '../../base/secret.ts';
import { embeddedStore } from '../../store/embedded.ts';
import type { Store } from '../../store/store.ts';
import { configFault, mustBe, refuseRest, required, type Settings, text } from './config-blocks.ts';

/** Where everything durable is kept: in a folder of this machine's, or in a PostgreSQL database. */
export type StorageConfig = { path: string } | { url: SecretText };

export const storageTypes: readonly string[] = ['file', 'capstan', 'postgresql'];
/** Vault's own name for it; it wins over the file, so that a password can be kept out of that. */
const urlVariable = 'VAULT_PG_CONNECTION_URL';

/** Reads a block of one of `storageTypes`. @throws Fault `cli.config` */
export function readStorage(
  storage: Settings,
  env: Readonly<Record<string, string | undefined>>,
): StorageConfig {
  const config = storage.type === 'postgresql' ? database(storage, env) : { path: required(storage, 'path') };
  refuseRest(storage);
  return config;
}

function database(storage: Settings, env: Readonly<Record<string, string | undefined>>): StorageConfig {
  const written = text(storage, 'connection_url');
  mustBe(storage, 'ha_enabled', true, 'any number of nodes serve the database at once');
  const url = env[urlVariable] || written;
  if (!url) throw configFault(`${storage.where}connection_url is missing, and ${urlVariable} is not set`);
  return { url: new SecretText(url) };
}

/** @param folder what a path is relative to. @throws the store's own faults */
export async function openStorage(config: StorageConfig, folder: string): Promise<Store> {
  if ('path' in config) return embeddedStore({ path: join(resolve(folder, config.path), 'store.db') });
  // Loaded only where it is wanted: it takes longer than all the rest.
  const { postgresStore } = await import('../../store/postgres.ts');
  return postgresStore({ url: config.url });
}

/** For people; no secret. */
export function describeStorage(config: StorageConfig): string {
  return 'path' in config ? `embedded (${config.path})` : 'postgresql';
}
