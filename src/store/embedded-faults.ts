import { dirname } from 'node:path';
import { Fault } from '../base/fault.ts';

/** SQLite's primary result codes that a user can do something about (sqlite.org/rescode.html). */
const result = { busy: 5, readOnly: 8, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: number }).errcode;
  // Extended codes carry the primary one in their low byte.
  return code === undefined ? undefined : code & 0xff;
}

/** What went wrong when the file was opened, as a fault that says how to mend it. */
export function openFault(error: unknown, path: string): Fault {
  if (error instanceof Fault) return error;
  const code = resultCode(error);
  if (code === result.busy) {
    return new Fault(`${path} is in use by another process`, {
      code: 'store.open.locked',
      blame: 'operator',
      fix: 'stop that process, or give this one another folder',
      cause: error,
    });
  }
  const system = (error as NodeJS.ErrnoException).code ?? '';
  const denied = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST'].includes(system);
  if (denied || code === result.readOnly || code === result.cannotOpen) {
    return new Fault(`${path} cannot be opened for writing: ${(error as Error).message}`, {
      code: 'store.open.denied',
      blame: 'operator',
      fix: `make ${dirname(path)} a folder that this user may write to`,
      cause: error,
    });
  }
  return sqliteFault(error, path);
}

/** What went wrong while the file was read or written. */
export function sqliteFault(error: unknown, path: string): Fault {
  if (error instanceof Fault) return error;
  const code = resultCode(error);
  if (code === result.corrupt || code === result.notADatabase) {
    return new Fault(`${path} is not a database, or is damaged`, {
      code: 'store.open.corrupt',
      blame: 'operator',
      fix: 'restore it from a backup, or move it away to start afresh',
      cause: error,
    });
  }
  return new Fault(`${path} cannot be read or written: ${(error as Error).message}`, {
    code: 'store.unavailable',
    blame: 'operator',
    ...(code === result.full ? { fix: 'free some space on its disk' } : {}),
    cause: error,
  });
}

export function versionFault(path: string, what: string): Fault {
  return new Fault(`${path} ${what}`, {
    code: 'store.open.version',
    blame: 'operator',
    fix: 'give another folder, or run the version that wrote it',
  });
}
