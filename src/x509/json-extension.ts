import type { Certificate } from './certificate.ts';
import {
  type Extension,
  type KeyUsage,
  keyUsages,
  readAuthorityInfoAccess,
  readCrlDistributionPoints,
  readExtendedKeyUsage,
  readSubjectAltName,
} from './extension.ts';
import type { GeneralName } from './general-name.ts';
import { formatIp } from './ip-address.ts';
import { nameJson } from './json-name.ts';
import { formatRange, readNameConstraints, type Subtree } from './name-constraints.ts';
import { oids } from './oid.ts';
import { type Policy, readPolicies } from './policy.ts';
import { readStepProvisioner } from './print-vendor-extension.ts';
import { purposeKeys } from './purpose-key.ts';
import { readTimestamps, type SignedTimestamp } from './signed-timestamp.ts';

/** Marks a precertificate (RFC 6962 section 3.1). */
export const ctPoison = '1.3.6.1.4.1.11129.2.4.3';

const stepProvisioner = '1.3.6.1.4.1.37476.9000.64.1';

/** zcrypto's key and form for each extension that it knows, in the order in which it writes them. */
const known: readonly (readonly [
  key: string,
  oid: string,
  json: (value: Buffer, of: Certificate) => unknown,
])[] = [
  ['key_usage', oids.keyUsage, (_, { keyUsage }) => keyUsageJson(keyUsage ?? [])],
  [
    'basic_constraints',
    oids.basicConstraints,
    (_, { isCa, pathLength }) => ({ is_ca: isCa, max_path_len: pathLength }),
  ],
  ['subject_alt_name', oids.subjectAltName, (value) => generalNamesJson(readSubjectAltName(value))],
  ['issuer_alt_name', oids.issuerAltName, (value) => generalNamesJson(readSubjectAltName(value))],
  ['name_constraints', oids.nameConstraints, nameConstraintsJson],
  [
    'crl_distribution_points',
    oids.crlDistributionPoints,
    (value) => listOrNothing(readCrlDistributionPoints(value)),
  ],
  ['authority_key_id', oids.authorityKeyIdentifier, (_, of) => of.authorityKeyId?.toString('hex')],
  ['subject_key_id', oids.subjectKeyIdentifier, (_, of) => of.subjectKeyId?.toString('hex')],
  ['extended_key_usage', oids.extendedKeyUsage, (value) => purposesJson(readExtendedKeyUsage(value))],
  ['certificate_policies', oids.certificatePolicies, (value) => readPolicies(value).map(policyJson)],
  ['authority_info_access', oids.authorityInfoAccess, accessJson],
  ['ct_poison', ctPoison, () => true],
  [
    'signed_certificate_timestamps',
    oids.signedCertificateTimestamps,
    (value) => listOrNothing(readTimestamps(value).map(timestampJson)),
  ],
  ['step_provisioner', stepProvisioner, provisionerJson],
];

/** What zcrypto writes under `extensions`: an object, empty where none is known. */
export function extensionsJson(certificate: Certificate): Record<string, unknown> {
  return Object.fromEntries(
    known.flatMap(([key, oid, json]) => {
      const extension = certificate.extensions.find((one) => one.oid === oid);
      return extension ? [[key, json(extension.value, certificate)]] : [];
    }),
  );
}

/** What zcrypto writes under `unknown_extensions`. */
export function unknownExtensionsJson(extensions: readonly Extension[]) {
  return extensions.filter(({ oid }) => !known.some(([, one]) => one === oid)).map(extensionJson);
}

/** An extension as it stands. */
export function extensionJson({ oid, critical, value }: Extension) {
  return { id: oid, critical, value: value.toString('base64') || undefined };
}

const usageKeys: Readonly<Record<KeyUsage, string>> = {
  'digital signature': 'digital_signature',
  'content commitment': 'content_commitment',
  'key encipherment': 'key_encipherment',
  'data encipherment': 'data_encipherment',
  'key agreement': 'key_agreement',
  'cert sign': 'certificate_sign',
  'crl sign': 'crl_sign',
  'encipher only': 'encipher_only',
  'decipher only': 'decipher_only',
};

/** Go's bits, the first usage the lowest; no usage at all counts as no extension. */
function keyUsageJson(usages: readonly KeyUsage[]) {
  if (usages.length === 0) return undefined;
  const value = usages.reduce((sum, usage) => sum | (1 << keyUsages.indexOf(usage)), 0);
  return { ...Object.fromEntries(usages.map((usage) => [usageKeys[usage], true])), value };
}

function listOrNothing<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}

/** The values of the names of one type, or nothing. */
function valuesOf<T extends GeneralName['type'], V>(
  names: readonly GeneralName[],
  type: T,
  json: (name: Extract<GeneralName, { type: T }>) => V,
): readonly V[] | undefined {
  const isOfType = (name: GeneralName): name is Extract<GeneralName, { type: T }> => name.type === type;
  return listOrNothing(names.filter(isOfType).map(json));
}

function generalNamesJson(names: readonly GeneralName[]) {
  return {
    directory_names: valuesOf(names, 'directory', ({ value }) => nameJson(value)),
    dns_names: valuesOf(names, 'dns', ({ value }) => value),
    email_addresses: valuesOf(names, 'email', ({ value }) => value),
    ip_addresses: valuesOf(names, 'ip', ({ value }) => value),
    other_names: valuesOf(names, 'other', otherNameJson),
    registered_ids: valuesOf(names, 'rid', ({ value }) => value),
    uniform_resource_identifiers: valuesOf(names, 'uri', ({ value }) => value),
  };
}

function otherNameJson({ oid, value }: { oid: string; value: Buffer }) {
  return { id: oid, value: value.toString('base64') };
}

function nameConstraintsJson(value: Buffer) {
  const { permitted, excluded } = readNameConstraints(value);
  return {
    // Never filled in by zcrypto.
    critical: false,
    permitted_names: texts(permitted, 'dns'),
    permitted_email_addresses: texts(permitted, 'email'),
    permitted_ip_addresses: ranges(permitted),
    permitted_directory_names: directories(permitted),
    excluded_names: texts(excluded, 'dns'),
    excluded_email_addresses: texts(excluded, 'email'),
    excluded_ip_addresses: ranges(excluded),
    excluded_directory_names: directories(excluded),
  };
}

function texts(subtrees: readonly Subtree[], wanted: 'dns' | 'email') {
  return listOrNothing(subtrees.flatMap((subtree) => (subtree.type === wanted ? [subtree.value] : [])));
}

function directories(subtrees: readonly Subtree[]) {
  return listOrNothing(
    subtrees.flatMap((subtree) => (subtree.type === 'directory' ? [nameJson(subtree.value)] : [])),
  );
}

function ranges(subtrees: readonly Subtree[]) {
  return listOrNothing(
    subtrees.flatMap((subtree) => {
      if (subtree.type !== 'ip') return [];
      const { address, mask } = subtree;
      const first = address.map((byte, index) => byte & mask[index]!);
      const last = address.map((byte, index) => byte | (~mask[index]! & 0xff));
      const cidr = formatRange(subtree);
      return [
        { cidr, begin: formatIp(Buffer.from(first)), end: formatIp(Buffer.from(last)), mask: formatIp(mask) },
      ];
    }),
  );
}

function purposesJson(purposes: readonly string[]) {
  const named = purposeKeys.filter(([, oid]) => purposes.includes(oid)).map(([key]) => [key, true]);
  const unknown = purposes.filter((purpose) => !purposeKeys.some(([, oid]) => oid === purpose));
  return { ...Object.fromEntries(named), unknown: listOrNothing(unknown) };
}

function policyJson({ oid, statements, notices }: Policy) {
  return {
    id: oid,
    cps: listOrNothing(statements),
    user_notice: listOrNothing(
      notices
        .filter(({ text }) => text !== undefined)
        .map(({ text, organization, numbers }) => ({
          explicit_text: text || undefined,
          notice_reference:
            organization === undefined
              ? undefined
              : [{ organization, notice_numbers: listOrNothing(numbers ?? []) }],
        })),
    ),
  };
}

function accessJson(value: Buffer) {
  const { ocsp, caIssuers } = readAuthorityInfoAccess(value);
  return { ocsp_urls: listOrNothing(ocsp), issuer_urls: listOrNothing(caIssuers) };
}

/** Seconds, and the signature with its algorithm's and its length's bytes before it. */
function timestampJson({ version, logId, timestampMs, extensions, signed }: SignedTimestamp) {
  return {
    version,
    log_id: logId.toString('base64'),
    timestamp: Math.floor(timestampMs / 1_000) || undefined,
    extensions: extensions.toString('base64') || undefined,
    signature: signed.toString('base64'),
  };
}

/** Keys of one object, sorted; the details' names begin in lower case there. */
function provisionerJson(value: Buffer) {
  const { type, name, credentialId, details } = readStepProvisioner(value);
  const pairs = [
    ['type', type],
    ['name', name],
    ...(credentialId ? [['credentialID', credentialId]] : []),
    ...details.map(([key, text]) => [key.replace(/^[A-Z]/, (letter) => letter.toLowerCase()), text]),
  ] as [string, string][];
  return Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
