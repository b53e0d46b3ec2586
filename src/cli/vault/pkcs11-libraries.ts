import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Cryptoki } from '../../vault/pkcs11/cryptoki.ts';
import { type Pkcs11Library, pkcs11Library } from '../../vault/pkcs11/library.ts';

/** The PKCS#11 libraries of this process: one that is named twice is one, and its calls still follow one another. */
export interface Pkcs11Libraries {
  /** Loads it at once. @throws Fault `vault.seal.config` */
  load(path: string): Promise<Pkcs11Library>;
  /** Loads it when it is first needed. */
  at(path: string): Pkcs11Library;
}

/** `folder`: what paths are relative to. */
export function pkcs11Libraries(folder: string): Pkcs11Libraries {
  const known = new Map<string, { open: () => Promise<Cryptoki>; library: Pkcs11Library }>();
  const entry = (path: string) => {
    const real = realPath(resolve(folder, path));
    const found = known.get(real) ?? opened(real);
    known.set(real, found);
    return found;
  };
  return {
    async load(path) {
      const { open, library } = entry(path);
      await open();
      return library;
    },
    at: (path) => entry(path).library,
  };
}

function opened(path: string) {
  let opening: Promise<Cryptoki> | undefined;
  const open = () => {
    opening ??= import('../../vault/pkcs11/cryptoki.ts')
      .then(({ openCryptoki }) => openCryptoki(path))
      .catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
    return opening;
  };
  return { open, library: pkcs11Library(open) };
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
