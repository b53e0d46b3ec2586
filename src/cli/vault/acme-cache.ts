import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, Fault } from '../../base/fault.ts';
import type { FileCache } from '../../vault/acme-client/kept-files.ts';

/** Files for their owner alone, in a folder that is made where it is missing. */
export function fileCache(folder: string): FileCache {
  return {
    read(name) {
      try {
        return readFileSync(join(folder, name), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw cacheFault(error);
      }
    },
    write(name, text) {
      const path = join(folder, name);
      // Of another process that shares the folder, too.
      const fresh = `${path}.${process.pid}`;
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        writeFileSync(fresh, text, { mode: 0o600, flush: true });
        renameSync(fresh, path);
      } catch (error) {
        throw cacheFault(error);
      }
    },
  };
}

function cacheFault(error: unknown): Fault {
  return new Fault(`the cache cannot be used: ${describeError(error)}`, {
    code: 'vault.acme-client.cache',
    blame: 'operator',
    fix: 'give tls_acme_cache_path a folder that this server may write',
    cause: error,
  });
}
