import { formatIp, parseIp } from '../x509/ip-address.ts';
import { isOid } from '../x509/oid.ts';
import { settlePolicyIdentifier } from './policy-identifiers.ts';
import { refused } from './refused.ts';

/**
 * What a role says of the certificates that may be asked of it, under Vault's names, with what stands where an
 * operator says nothing (OpenBao, builtin/logical/pki/path_roles.go). Times are in milliseconds.
 */
export const roleDefaults = {
  allow_any_name: false,
  allow_bare_domains: false,
  allow_glob_domains: false,
  allow_globs_in_identity_templates: false,
  allow_ip_sans: true,
  allow_localhost: true,
  allow_subdomains: false,
  allow_wildcard_certificates: true,
  allowed_domains: [] as readonly string[],
  allowed_domains_template: false,
  allowed_ip_sans_cidr: [] as readonly string[],
  allowed_other_sans: [] as readonly string[],
  allowed_serial_numbers: [] as readonly string[],
  allowed_uri_sans: [] as readonly string[],
  allowed_uri_sans_template: false,
  allowed_user_ids: [] as readonly string[],
  basic_constraints_valid_for_non_ca: false,
  client_flag: true,
  cn_validations: ['email', 'hostname'] as readonly string[],
  code_signing_flag: false,
  country: [] as readonly string[],
  email_protection_flag: false,
  enforce_hostnames: true,
  ext_key_usage: [] as readonly string[],
  ext_key_usage_oids: [] as readonly string[],
  generate_lease: false,
  issuer_ref: 'default',
  key_bits: 0,
  key_type: 'rsa',
  key_usage: ['DigitalSignature', 'KeyAgreement', 'KeyEncipherment'] as readonly string[],
  locality: [] as readonly string[],
  max_ttl: 0,
  no_store: false,
  not_after: '',
  not_after_bound: 'permit',
  not_before: '',
  not_before_bound: 'permit',
  not_before_duration: 30_000,
  organization: [] as readonly string[],
  ou: [] as readonly string[],
  policy_identifiers: [] as readonly string[],
  postal_code: [] as readonly string[],
  province: [] as readonly string[],
  require_cn: true,
  server_flag: true,
  signature_bits: 0,
  street_address: [] as readonly string[],
  ttl: 0,
  use_csr_common_name: true,
  use_csr_sans: true,
  use_pss: false,
};

export type Role = Readonly<typeof roleDefaults>;

/** What is not served yet is refused when it is asked for, rather than passed over when it would matter. */
const unserved = [
  'allow_globs_in_identity_templates',
  'allowed_domains_template',
  'allowed_uri_sans_template',
] as const satisfies readonly (keyof Role)[];

/**
 * The role that `wanted` comes to: what it leaves open settled, what it says in the form that is kept.
 *
 * @throws Fault `authority.role`
 */
export function settleRole(wanted: Role): Role {
  for (const name of unserved) if (wanted[name]) throw problem(`${name} is not supported`);
  if (wanted.max_ttl > 0 && wanted.ttl > wanted.max_ttl)
    throw problem('"ttl" value must be less than "max_ttl" value');
  checkOtherNames(wanted.allowed_other_sans);
  checkBounds(wanted);
  for (const oid of wanted.ext_key_usage_oids) {
    if (!isOid(oid))
      throw problem(`${JSON.stringify(oid)} could not be parsed as a valid oid for an extended key usage`);
  }
  return {
    ...wanted,
    // There is nothing to revoke of what is not kept.
    generate_lease: wanted.generate_lease && !wanted.no_store,
    ...settleKey(wanted),
    allowed_ip_sans_cidr: wanted.allowed_ip_sans_cidr.map(settleRange),
    cn_validations: settleValidations(wanted.cn_validations),
    issuer_ref: wanted.issuer_ref === '' ? 'default' : wanted.issuer_ref,
    policy_identifiers: wanted.policy_identifiers.map(settlePolicyIdentifier),
  };
}

const problem = (message: string) => refused('role', message);

const keyBits: Readonly<Record<string, { usual: number; known?: readonly number[]; label?: string }>> = {
  rsa: { usual: 2048, known: [2048, 3072, 4096, 8192], label: 'RSA' },
  ec: { usual: 256, known: [224, 256, 384, 521], label: 'EC' },
  ed25519: { usual: 0 },
  mldsa: { usual: 65, known: [44, 65, 87], label: 'ML-DSA' },
  any: { usual: 0 },
};

/** The sizes that go with a kind of key, where they are left open. @throws Fault `authority.role` */
export function settleKey({
  key_type,
  key_bits,
  signature_bits,
}: Pick<Role, 'key_type' | 'key_bits' | 'signature_bits'>) {
  const kind = Object.hasOwn(keyBits, key_type) ? keyBits[key_type] : undefined;
  if (!kind) throw problem(`unknown key type ${key_type}`);
  const bits = key_bits === 0 ? kind.usual : key_bits;
  if (key_type === 'rsa' && bits < 2048)
    throw problem(`RSA keys < 2048 bits are unsafe and not supported: got ${bits}`);
  if (kind.known && !kind.known.includes(bits))
    throw problem(`unsupported bit length for ${kind.label} key: ${bits}`);
  // Only RSA leaves the hash open: a curve brings its own, and of `any` nothing is known yet.
  if (key_type === 'ec') return { key_bits: bits, signature_bits };
  if (key_type !== 'rsa') return { key_bits: bits, signature_bits: 0 };
  const hashBits = signature_bits === 0 ? 256 : signature_bits;
  if (![256, 384, 512].includes(hashBits)) throw problem(`unsupported hash signature algorithm: ${hashBits}`);
  return { key_bits: bits, signature_bits: hashBits };
}

function checkOtherNames(names: readonly string[]): void {
  if (names.length === 1 && names[0] === '*') return;
  for (const name of names) {
    const quoted = JSON.stringify(name);
    const fail = (why: string) => problem(`error parsing allowed_other_sans: ${why} in other SAN ${quoted}`);
    const [, kind] = /^[^;]*;(.*)$/s.exec(name) ?? [];
    if (kind === undefined) throw fail('expected a semicolon');
    if (!kind.includes(':')) throw fail('expected a colon');
    if (!/^utf-?8:/i.test(kind)) throw fail('only utf8 other SANs are supported; found non-supported type');
  }
}

function checkBounds({ not_after_bound: after, not_before_bound: before }: Role): void {
  const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(after);
  const dated = instant && Number.isFinite(Date.parse(after));
  if (!['permit', 'ttl-limited', 'forbid'].includes(after) && !dated) {
    throw problem(
      'Unknown value for field `not_after_bound`. Possible values are `permit`, `ttl-limited`, `forbid`, or an explicit timestamp.',
    );
  }
  if (!['permit', 'duration', 'forbid'].includes(before)) {
    throw problem(
      'Unknown value for field `not_before_bound`. Possible values are `permit` `duration` or `forbid`',
    );
  }
}

function settleValidations(given: readonly string[]): readonly string[] {
  if (given.length === 0) return roleDefaults.cn_validations;
  const fail = (why: string) => problem(`cn_validations value incorrect: ${why}`);
  const settled = given.map((validation) => validation.toLowerCase());
  for (const [index, validation] of settled.entries()) {
    if (!['disabled', 'email', 'hostname'].includes(validation))
      throw fail(`unknown type: \`${given[index]}\``);
    if (settled.indexOf(validation) < index) throw fail(`\`${validation}\` specified multiple times`);
  }
  if (settled.includes('disabled') && settled.length > 1)
    throw fail('cannot specify `disabled` along with `email` or `hostname`');
  return settled;
}

/** The range with the bits below its mask cleared, as Go keeps it. */
function settleRange(text: string): string {
  const [, address = '', prefix = ''] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const bytes = parseIp(address);
  const length = Number(prefix);
  if (!bytes || prefix === '' || length > bytes.length * 8)
    throw problem(`error parsing allowed_ip_sans_cidr: invalid CIDR address: ${text}`);
  const masked = bytes.map(
    (byte, index) => byte & (0xff << Math.min(8, Math.max(0, 8 * (index + 1) - length))),
  );
  return `${formatIp(Buffer.from(masked))}/${length}`;
}
