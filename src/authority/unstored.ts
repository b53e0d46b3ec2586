import { createHash } from 'node:crypto';
import type { PublicKey } from '../x509/key.ts';
import type { Ledger } from './ledger.ts';
import { revocationKeysBelow } from './revocation-keys.ts';

/** Marks that are known to be there: none is ever taken away. */
const known = new WeakMap<Ledger, Set<string>>();

/**
 * What keeps in mind that `keys` have signed certificates which are not in the store, or may have: by a role that does
 * not store, or before they were imported. Of their unknown serials nobody can say that they were never issued.
 */
export function unstoredMarks(ledger: Ledger, keys: readonly Pick<PublicKey, 'spki'>[]) {
  const at = revocationKeysBelow(ledger.options.prefix);
  return keys.map((key) => ({ key: at.unstored(keyName(key)), value: Buffer.alloc(0) }));
}

export async function hasUnstored(ledger: Ledger, key: Pick<PublicKey, 'spki'>): Promise<boolean> {
  const marks = known.get(ledger) ?? new Set();
  known.set(ledger, marks);
  const name = keyName(key);
  if (marks.has(name)) return true;
  const { store, prefix } = ledger.options;
  if (!(await store.get(revocationKeysBelow(prefix).unstored(name)))) return false;
  marks.add(name);
  return true;
}

function keyName({ spki }: Pick<PublicKey, 'spki'>): string {
  return createHash('sha256').update(spki).digest('hex').slice(0, 32);
}
