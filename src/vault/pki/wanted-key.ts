import type { Authority } from '../../authority/authority.ts';
import type { WantedKey } from '../../authority/ca-issuing.ts';
import { Fault } from '../../base/fault.ts';
import type { RemoteKey } from '../../x509/signature.ts';
import { invalidRequest } from '../faults.ts';
import type { MountKeys } from '../managed-keys/managed-keys.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import { readKeySpec } from './ca-fields.ts';

/** An authority, and the keys in HSMs that its mount may use. */
export interface PkiContext extends Authority {
  managedKeys: MountKeys;
}

/** The parameters that name a key in an HSM. */
export const managedKeyNames = {
  managed_key_name: 'text',
  managed_key_id: 'text',
} as const satisfies FieldTable;

/** The parameters that say what key a CA is to have. */
export const keyFields = {
  key_type: 'text',
  key_bits: 'integer',
  key_name: 'text',
  key_ref: 'text',
  ...managedKeyNames,
} as const satisfies FieldTable;

/** @throws Fault `vault.request.invalid` for a `kind` (the end of the path) that is none */
export function checkKeyKind(kind: string): void {
  if (['internal', 'exported', 'existing', 'kms'].includes(kind)) return;
  throw invalidRequest('the "exported" path parameter must be "internal", "existing", "exported" or "kms"');
}

/** A `kms` key has signed by then, made where its settings let it be. @throws Fault `vault.request.invalid`, `vault.managed-key.away` */
export async function readWantedKey(
  authority: PkiContext,
  kind: string,
  { key_type, key_bits, key_ref, ...managed }: FieldValues<typeof keyFields>,
): Promise<WantedKey> {
  if (kind !== 'existing' && kind !== 'kms') return { generate: readKeySpec(key_type, key_bits) };
  if (key_type !== undefined || key_bits !== undefined) {
    throw invalidRequest(
      'invalid parameter for the kms/existing path parameter, key_type nor key_bits arguments can be set in this mode',
    );
  }
  if (kind === 'kms') return { remote: await obtainKey(authority, managed) };
  try {
    return { existing: authority.key(key_ref || 'default').id };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest(`failed to lookup public key from existing key: ${error.message}`, error);
  }
}

/** @throws Fault `vault.request.invalid`, `vault.denied`, `vault.managed-key.away` */
export function obtainKey(
  { managedKeys }: PkiContext,
  { managed_key_name, managed_key_id }: FieldValues<typeof managedKeyNames>,
): Promise<RemoteKey> {
  const [name, id] = [managed_key_name?.trim() ?? '', managed_key_id?.trim() ?? ''];
  if (name !== '' && id !== '') {
    throw invalidRequest('only one argument of managed_key_name or managed_key_id should be specified');
  }
  if (name === '' && id === '') throw invalidRequest('missing argument managed_key_name or managed_key_id');
  return managedKeys.obtain(id === '' ? { name } : { id });
}
