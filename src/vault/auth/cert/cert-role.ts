import { describeError, Fault } from '../../../base/fault.ts';
import { type Certificate, readCertificates } from '../../../x509/certificate.ts';
import { oids } from '../../../x509/oid.ts';
import { invalidRequest } from '../../faults.ts';
import { leaseLimits } from '../../mount/mount.ts';
import type { FieldTable } from '../../routing/fields.ts';
import type { RoleKind } from '../named-roles.ts';
import {
  defaultTokenSettings,
  mergeTokenSettings,
  oldTokenFields,
  type TokenSettings,
  tokenFields,
} from '../token-settings.ts';

/** Who may log in by which certificates; the lists but for the extensions hold globs. */
export interface CertRole extends TokenSettings {
  name: string;
  /** PEM: CAs that vouch for clients, or certificates of clients themselves. */
  certificate: string;
  display_name: string;
  allowed_names: readonly string[];
  allowed_common_names: readonly string[];
  allowed_dns_sans: readonly string[];
  allowed_email_sans: readonly string[];
  allowed_uri_sans: readonly string[];
  allowed_organizational_units: readonly string[];
  /** `OID:value`, the value with globs, or `hex:OID:value` for what is no text. */
  required_extensions: readonly string[];
  /** Object identifiers of the extensions that are shown among the token's metadata. */
  allowed_metadata_extensions: readonly string[];
}

const lists = [
  'allowed_names',
  'allowed_common_names',
  'allowed_dns_sans',
  'allowed_email_sans',
  'allowed_uri_sans',
  'allowed_organizational_units',
  'required_extensions',
  'allowed_metadata_extensions',
] as const;

const { num_uses: _, ...oldFields } = oldTokenFields;

const fields = {
  ...tokenFields,
  ...oldFields,
  allowed_common_names: 'commaList',
  allowed_dns_sans: 'commaList',
  allowed_email_sans: 'commaList',
  allowed_metadata_extensions: 'commaList',
  allowed_names: 'commaList',
  allowed_organizational_units: 'commaList',
  allowed_uri_sans: 'commaList',
  certificate: 'text',
  display_name: 'text',
  ocsp_enabled: 'boolean',
  required_extensions: 'commaList',
} as const satisfies FieldTable;

export const certRole: RoleKind<CertRole, typeof fields> = {
  path: 'certs',
  fields,
  merge(before, given, { name, mount }) {
    if (given.ocsp_enabled) {
      throw invalidRequest('ocsp_enabled is not supported: give revocation lists to crls/ instead');
    }
    const role = {
      ...mergeTokenSettings(before ?? defaultTokenSettings, given),
      name,
      certificate: given.certificate ?? before?.certificate ?? '',
      display_name: given.display_name || before?.display_name || name,
      ...Object.fromEntries(lists.map((list) => [list, given[list] ?? before?.[list] ?? []])),
    } as CertRole;
    checkTrust(role);
    checkExtensions(role);
    return { role, warnings: warningsOf(role, leaseLimits(mount)) };
  },
  describe: (role) => ({
    certificate: role.certificate,
    display_name: role.display_name,
    ...Object.fromEntries(lists.map((list) => [list, role[list]])),
    ocsp_enabled: false,
  }),
};

/** The certificates of a role, the first of which says what it is. @throws Fault `vault.request.invalid` */
export function trustOf({ certificate }: Pick<CertRole, 'certificate'>): readonly Certificate[] {
  let found: Certificate[];
  try {
    found = readCertificates(certificate);
    // Read now what would otherwise fail at a login.
    for (const each of found) void [each.publicKey, each.isCa, each.extendedKeyUsage];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest(`failed to parse certificate: ${describeError(error)}`, error);
  }
  if (found.length === 0) throw invalidRequest('failed to parse certificate');
  return found;
}

function checkTrust(role: CertRole): void {
  const [first] = trustOf(role);
  const purposes = first!.extendedKeyUsage;
  const forClients = purposes?.some((oid) => oid === oids.clientAuth || oid === oids.anyExtendedKeyUsage);
  if (!first!.isCa && purposes && !forClients) {
    throw invalidRequest(
      'nonCA certificates should have TLS client authentication set as an extended key usage',
    );
  }
}

function checkExtensions({ required_extensions: required }: CertRole): void {
  const wrong = required.find((each) => !/^(hex:)?[0-9]+(\.[0-9]+)+:/.test(each));
  if (wrong !== undefined) {
    throw invalidRequest(`required_extensions: ${JSON.stringify(wrong)} is not like OID:value`);
  }
}

function warningsOf(
  role: CertRole,
  { defaultTtlMs, maxTtlMs }: { defaultTtlMs: number; maxTtlMs: number },
): string[] {
  const warning = (what: string, ms: number, limit: string, limitMs: number) =>
    ms > limitMs
      ? [`Given ${what} of ${ms / 1_000} seconds is greater than ${limit} of ${limitMs / 1_000} seconds`]
      : [];
  return [
    ...warning('ttl', role.token_ttl, 'current mount/system default', defaultTtlMs),
    ...warning('max_ttl', role.token_max_ttl, 'current mount/system default', maxTtlMs),
    ...warning('period', role.token_period, "the backend's maximum TTL", maxTtlMs),
  ];
}
