import type { LeafRequest, VerbatimTerms } from '../../authority/leaf-request.ts';
import { instantMs } from '../routing/coerce.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';

const leafFields = {
  common_name: 'text',
  alt_names: 'commaList',
  ip_sans: 'commaList',
  uri_sans: 'commaList',
  other_sans: 'commaList',
  exclude_cn_from_sans: 'boolean',
  serial_number: 'text',
  user_ids: 'commaList',
  ttl: 'duration',
  not_before: 'text',
  not_after: 'text',
  format: 'text',
  private_key_format: 'text',
  remove_roots_from_chain: 'boolean',
  // Known everywhere; of effect only where neither path nor role says.
  issuer_ref: 'text',
} as const satisfies FieldTable;

export const signFields = { ...leafFields, csr: 'text' } as const satisfies FieldTable;

export const issueFields = {
  ...leafFields,
  key_type: 'text',
  key_bits: 'integer',
} as const satisfies FieldTable;

export const verbatimFields = {
  ...signFields,
  key_usage: 'commaList',
  ext_key_usage: 'commaList',
  ext_key_usage_oids: 'commaList',
  signature_bits: 'integer',
  use_pss: 'boolean',
  basic_constraints_valid_for_non_ca: 'boolean',
} as const satisfies FieldTable;

/** The parameters that all ways to a leaf share. */
export type LeafFields = FieldValues<typeof leafFields>;

/** @throws Fault `vault.field` for a time that is none */
export function readLeafRequest(fields: LeafFields): LeafRequest {
  const { not_before: notBefore, not_after: notAfter } = fields;
  return {
    commonName: fields.common_name ?? '',
    excludeCommonName: fields.exclude_cn_from_sans ?? false,
    altNames: fields.alt_names ?? [],
    ipSans: fields.ip_sans ?? [],
    uriSans: fields.uri_sans ?? [],
    otherSans: fields.other_sans ?? [],
    subjectSerial: fields.serial_number ?? '',
    userIds: fields.user_ids ?? [],
    ttlMs: fields.ttl ?? 0,
    ...(notBefore ? { notBeforeMs: instantMs(notBefore) } : {}),
    ...(notAfter ? { notAfterMs: instantMs(notAfter) } : {}),
  };
}

export function readVerbatimTerms(fields: FieldValues<typeof verbatimFields>): Partial<VerbatimTerms> {
  const { key_usage, ext_key_usage, ext_key_usage_oids, signature_bits, use_pss } = fields;
  const { basic_constraints_valid_for_non_ca: constraints } = fields;
  return {
    ...(key_usage && { key_usage }),
    ...(ext_key_usage && { ext_key_usage }),
    ...(ext_key_usage_oids && { ext_key_usage_oids }),
    ...(signature_bits !== undefined && { signature_bits }),
    ...(use_pss !== undefined && { use_pss }),
    ...(constraints !== undefined && { basic_constraints_valid_for_non_ca: constraints }),
  };
}
