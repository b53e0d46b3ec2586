import type { KmsLibraries } from '../../vault/managed-keys/managed-keys.ts';
import { configFault, refuseRest, required, type Settings, stanzas } from './config-blocks.ts';
import type { Pkcs11Libraries } from './pkcs11-libraries.ts';

/** A `kms_library "pkcs11"` block: what managed keys call a library, and its path. */
export interface KmsLibraryConfig {
  name: string;
  path: string;
}

/** @throws Fault `cli.config` */
export function readKmsLibraries(top: Settings): KmsLibraryConfig[] {
  const blocks = top.items.has('kms_library') ? stanzas(top, 'kms_library', ['pkcs11']) : [];
  const seen = new Set<string>();
  return blocks.map((block) => {
    const name = required(block, 'name').toLowerCase();
    const path = required(block, 'library');
    refuseRest(block);
    if (seen.has(name))
      throw configFault(`${block.where}there are several of the name ${JSON.stringify(name)}`);
    seen.add(name);
    return { name, path };
  });
}

export function openKmsLibraries(
  config: readonly KmsLibraryConfig[],
  libraries: Pkcs11Libraries,
): KmsLibraries {
  return new Map(config.map(({ name, path }) => [name, libraries.at(path)]));
}
