import {
  basicConstraints,
  type Extension,
  extendedKeyUsage,
  type KeyUsage,
  keyUsage,
} from '../x509/extension.ts';
import type { KeySpec } from '../x509/key.ts';
import { oids } from '../x509/oid.ts';
import type { Role } from './role.ts';

/** Go's names of key usages, in lower case. */
const usageOfName: Readonly<Record<string, KeyUsage>> = {
  digitalsignature: 'digital signature',
  contentcommitment: 'content commitment',
  keyencipherment: 'key encipherment',
  dataencipherment: 'data encipherment',
  keyagreement: 'key agreement',
  certsign: 'cert sign',
  crlsign: 'crl sign',
  encipheronly: 'encipher only',
  decipheronly: 'decipher only',
};

const netscapeServerGatedCrypto = '2.16.840.1.113730.4.1';
const microsoftServerGatedCrypto = '1.3.6.1.4.1.311.10.3.3';

/** Go's names of purposes, in lower case and in the order in which OpenBao writes them. */
const purposeOfName = new Map<string, string>([
  ['any', oids.anyExtendedKeyUsage],
  ['serverauth', oids.serverAuth],
  ['clientauth', oids.clientAuth],
  ['codesigning', oids.codeSigning],
  ['emailprotection', oids.emailProtection],
  ['ipsecendsystem', oids.ipsecEndSystem],
  ['ipsectunnel', oids.ipsecTunnel],
  ['ipsecuser', oids.ipsecUser],
  ['timestamping', oids.timeStamping],
  ['ocspsigning', oids.ocspSigning],
  ['microsoftservergatedcrypto', microsoftServerGatedCrypto],
  ['netscapeservergatedcrypto', netscapeServerGatedCrypto],
]);

/**
 * What keys of a kind cannot be used for: RSA for agreeing on keys (RFC 3279 section 2.3.1), curves for enciphering
 * (RFC 8813 section 3), and Ed25519 and ML-DSA for anything but signatures (RFC 9295, RFC 9881).
 */
const impossible: Readonly<Record<KeySpec['type'], readonly KeyUsage[]>> = {
  rsa: ['key agreement', 'encipher only', 'decipher only'],
  ec: ['key encipherment', 'data encipherment'],
  ed25519: ['key encipherment', 'data encipherment', 'key agreement', 'encipher only', 'decipher only'],
  mldsa: ['key encipherment', 'data encipherment', 'key agreement', 'encipher only', 'decipher only'],
};

const known = new WeakMap<Role, Map<KeySpec['type'], readonly Extension[]>>();

/** What the role says that the key may be used for, and what of it a key of its kind can be. */
export function usageExtensions(role: Role, kind: KeySpec): readonly Extension[] {
  const ofRole = known.get(role) ?? new Map<KeySpec['type'], readonly Extension[]>();
  const extensions = ofRole.get(kind.type) ?? decideUsages(role, kind);
  ofRole.set(kind.type, extensions);
  known.set(role, ofRole);
  return extensions;
}

function decideUsages(role: Role, kind: KeySpec): Extension[] {
  const usages = named(role.key_usage).flatMap((name) => usageOfName[name] ?? []);
  const possible = usages.filter((usage) => !impossible[kind.type].includes(usage));
  const purposes = decidePurposes(role);
  return [
    ...(possible.length > 0 ? [keyUsage(possible)] : []),
    ...(purposes.length > 0 ? [extendedKeyUsage(purposes)] : []),
    ...(role.basic_constraints_valid_for_non_ca ? [basicConstraints({ ca: false })] : []),
  ];
}

/** Names that mean nothing are passed over, as Vault does. */
function decidePurposes(role: Role): string[] {
  const asked = new Set([
    ...(role.server_flag ? ['serverauth'] : []),
    ...(role.client_flag ? ['clientauth'] : []),
    ...(role.code_signing_flag ? ['codesigning'] : []),
    ...(role.email_protection_flag ? ['emailprotection'] : []),
    ...named(role.ext_key_usage),
  ]);
  const known = [...purposeOfName].flatMap(([name, oid]) => (asked.has(name) ? [oid] : []));
  return [...new Set([...known, ...role.ext_key_usage_oids])];
}

function named(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.trim().toLowerCase()))];
}
