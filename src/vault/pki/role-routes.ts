import type { Authority } from '../../authority/authority.ts';
import type { Role } from '../../authority/role.ts';
import { Fault } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const roleFields = {
  allow_any_name: 'boolean',
  allow_bare_domains: 'boolean',
  allow_glob_domains: 'boolean',
  allow_globs_in_identity_templates: 'boolean',
  allow_ip_sans: 'boolean',
  allow_localhost: 'boolean',
  allow_subdomains: 'boolean',
  allow_wildcard_certificates: 'boolean',
  allowed_domains: 'commaList',
  allowed_domains_template: 'boolean',
  allowed_ip_sans_cidr: 'commaList',
  allowed_other_sans: 'commaList',
  allowed_serial_numbers: 'commaList',
  allowed_uri_sans: 'commaList',
  allowed_uri_sans_template: 'boolean',
  allowed_user_ids: 'commaList',
  basic_constraints_valid_for_non_ca: 'boolean',
  client_flag: 'boolean',
  cn_validations: 'commaList',
  code_signing_flag: 'boolean',
  country: 'commaList',
  email_protection_flag: 'boolean',
  enforce_hostnames: 'boolean',
  ext_key_usage: 'commaList',
  ext_key_usage_oids: 'commaList',
  generate_lease: 'boolean',
  issuer_ref: 'text',
  key_bits: 'integer',
  key_type: 'text',
  key_usage: 'commaList',
  locality: 'commaList',
  max_ttl: 'duration',
  no_store: 'boolean',
  not_after: 'text',
  not_after_bound: 'text',
  not_before: 'text',
  not_before_bound: 'text',
  not_before_duration: 'duration',
  organization: 'commaList',
  ou: 'commaList',
  policy_identifiers: 'documentList',
  postal_code: 'commaList',
  province: 'commaList',
  require_cn: 'boolean',
  server_flag: 'boolean',
  signature_bits: 'integer',
  street_address: 'commaList',
  ttl: 'duration',
  use_csr_common_name: 'boolean',
  use_csr_sans: 'boolean',
  use_pss: 'boolean',
} as const satisfies Record<keyof Role, FieldTable[string]>;

export const roleRoutes: readonly Route<Authority>[] = [
  defineRoute('roles', {
    fields: { after: 'text', limit: 'integer' },
    on: {
      list: async ({ roles }, { fields }) => {
        const keys = await roles.names(fields);
        return keys.length === 0 ? undefined : { data: { keys } };
      },
    },
  }),
  defineRoute('roles/:name', {
    fields: roleFields,
    on: {
      read: async ({ roles }, { captures }) => {
        const role = await roles.get(captures.name!);
        return role && { data: describe(role) };
      },
      update: async (authority, { captures, fields }) =>
        written(authority, await authority.roles.put(captures.name!, fields), fields),
      patch: async (authority, { captures, fields }) => {
        const role = await authority.roles.patch(captures.name!, fields);
        if (!role) throw invalidRequest('Unable to fetch role entry to patch');
        return written(authority, role, fields);
      },
      delete: async ({ roles }, { captures }) => {
        await roles.delete(captures.name!);
        return undefined;
      },
    },
  }),
];

/** An issuer is looked up when a role is used: what it refers to may come later, but is worth a warning. */
function written(authority: Authority, role: Role, fields: { generate_lease?: boolean }): Answer {
  const data = describe(role);
  const leased = leaseWarnings(role, fields.generate_lease ?? false);
  if (issuerExists(authority, role.issuer_ref)) return { data, warnings: leased };
  const warning =
    role.issuer_ref === 'default'
      ? 'Issuing Certificate was set to default, but no default issuing certificate (configurable at /config/issuers) is currently set'
      : `Issuing Certificate was set to ${role.issuer_ref} but no issuing certificate currently has that name`;
  return { data, warnings: [...leased, warning] };
}

function leaseWarnings({ generate_lease: leased, no_store: unkept }: Role, asked: boolean): string[] {
  if (unkept && asked) {
    return [
      'mutually exclusive values no_store=true and generate_lease=true were both specified; no_store=true takes priority',
    ];
  }
  if (!leased) return [];
  return [
    "it is encouraged to disable generate_lease and rely on PKI's native capabilities when possible; this option can " +
      'cause instance-wide issues with large numbers of issued certificates',
  ];
}

function issuerExists(authority: Authority, reference: string): boolean {
  try {
    authority.issuer(reference);
    return true;
  } catch (error) {
    if (error instanceof Fault && error.code === 'authority.issuer.absent') return false;
    throw error;
  }
}

function describe(role: Role): Record<string, unknown> {
  return {
    ...role,
    // Of no effect; Vault still tells it.
    allow_token_displayname: false,
    max_ttl: role.max_ttl / 1_000,
    not_before_duration: role.not_before_duration / 1_000,
    ttl: role.ttl / 1_000,
  };
}
