import type { WantedLeafKey } from './leaf-keys.ts';
import { type Role, roleDefaults } from './role.ts';

/** What is asked of a role for one leaf certificate. Whether it is given is for the role to say. */
export interface LeafRequest {
  commonName: string;
  excludeCommonName: boolean;
  /** DNS names and mail addresses. */
  altNames: readonly string[];
  ipSans: readonly string[];
  uriSans: readonly string[];
  /** `OID;UTF8:text` each. */
  otherSans: readonly string[];
  /** Of the subject, not of the certificate. */
  subjectSerial: string;
  userIds: readonly string[];
  /** 0 for the role's, else the default. */
  ttlMs: number;
  /** Instants instead, epoch milliseconds. */
  notBeforeMs?: number;
  notAfterMs?: number;
  /** Of a key that is made here. */
  key?: WantedLeafKey;
}

/** A request in which nothing is asked for. */
export const plainRequest: LeafRequest = {
  commonName: '',
  excludeCommonName: false,
  altNames: [],
  ipSans: [],
  uriSans: [],
  otherSans: [],
  subjectSerial: '',
  userIds: [],
  ttlMs: 0,
};

export interface LeafOrder {
  /** `default`, an id or a name. */
  issuer: string;
  role: Role;
  request: LeafRequest;
}

/** What a request to sign verbatim may itself say of the certificate. */
export type VerbatimTerms = Pick<
  Role,
  | 'key_usage'
  | 'ext_key_usage'
  | 'ext_key_usage_oids'
  | 'signature_bits'
  | 'use_pss'
  | 'basic_constraints_valid_for_non_ca'
>;

/**
 * The role of signing verbatim: it lets every name and key pass. Of a role that is named beside it hold the times,
 * the issuer and whether certificates are stored (OpenBao, builtin/logical/pki/ca_util.go, buildSignVerbatimRole).
 */
export function verbatimRole(base: Role | undefined, terms: Partial<VerbatimTerms> = {}): Role {
  return {
    ...roleDefaults,
    allow_any_name: true,
    enforce_hostnames: false,
    cn_validations: ['disabled'],
    key_type: 'any',
    allowed_other_sans: ['*'],
    allowed_serial_numbers: ['*'],
    allowed_uri_sans: ['*'],
    allowed_user_ids: ['*'],
    client_flag: false,
    server_flag: false,
    require_cn: false,
    ...(base && {
      ttl: base.ttl,
      max_ttl: base.max_ttl,
      not_before_duration: base.not_before_duration,
      no_store: base.no_store,
      generate_lease: base.generate_lease,
      issuer_ref: base.issuer_ref,
      basic_constraints_valid_for_non_ca: base.basic_constraints_valid_for_non_ca,
    }),
    ...terms,
  };
}
