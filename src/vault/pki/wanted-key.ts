import type { Authority } from '../../authority/authority.ts';
import type { WantedKey } from '../../authority/ca-issuing.ts';
import { Fault } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import { readKeySpec } from './ca-fields.ts';

/** The parameters that say what key a CA is to have. */
export const keyFields = {
  key_type: 'text',
  key_bits: 'integer',
  key_name: 'text',
  key_ref: 'text',
} as const satisfies FieldTable;

/** @throws Fault `vault.request.invalid` for a `kind` (the end of the path) that is none */
export function checkKeyKind(kind: string): void {
  if (['internal', 'exported', 'existing'].includes(kind)) return;
  throw invalidRequest('the "exported" path parameter must be "internal", "existing" or "exported"');
}

/** @throws Fault `vault.request.invalid` */
export function readWantedKey(
  authority: Authority,
  kind: string,
  { key_type, key_bits, key_ref }: FieldValues<typeof keyFields>,
): WantedKey {
  if (kind !== 'existing') return { generate: readKeySpec(key_type, key_bits) };
  if (key_type !== undefined || key_bits !== undefined) {
    throw invalidRequest(
      'invalid parameter for the kms/existing path parameter, key_type nor key_bits arguments can be set in this mode',
    );
  }
  try {
    return { existing: authority.key(key_ref || 'default').id };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest(`failed to lookup public key from existing key: ${error.message}`, error);
  }
}
