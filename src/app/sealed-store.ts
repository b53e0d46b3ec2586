import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Entropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import { embeddedStore } from '../store/embedded.ts';
import { encryptedStore } from '../store/encrypted.ts';
import { memoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { makePrivateFolder } from './private-folder.ts';

const keyBytes = 32;

/**
 * The embedded store in `folder`, encrypted with the key file beside it; in memory where no folder is given. The
 * key file keeps values unreadable in copies of the database alone (backups, snapshots); whoever holds both files
 * holds the values.
 *
 * @throws Fault `app.folder.unwritable`; `app.seal.key` where the key file is missing beside a database or damaged; the store's own faults.
 */
export function openSealedStore(folder: string | undefined, entropy: Entropy): Store {
  if (folder === undefined) return memoryStore();
  makePrivateFolder(folder);
  const database = join(folder, 'store.db');
  const key = sealKey(join(folder, 'seal.key'), existsSync(database), entropy);
  return encryptedStore(embeddedStore({ path: database }), key, entropy);
}

function sealKey(path: string, hasDatabase: boolean, entropy: Entropy): Buffer {
  if (existsSync(path)) {
    const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
    if (key.length === keyBytes) return key;
    throw new Fault(`the key file ${path} is damaged`, {
      code: 'app.seal.key',
      blame: 'operator',
      fix: 'restore it from a backup; without it the database beside it cannot be read',
    });
  }
  if (hasDatabase) {
    throw new Fault(`the key file ${path} is missing, and the database beside it cannot be read without it`, {
      code: 'app.seal.key',
      blame: 'operator',
      fix: 'restore it from a backup, or start afresh in another folder',
    });
  }
  const key = entropy.bytes(keyBytes);
  // Whole or not at all, and on the disk before the first value is encrypted with it.
  const file = openSync(`${path}.new`, 'w', 0o600);
  writeSync(file, `${key.toString('base64')}\n`);
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.new`, path);
  return key;
}
