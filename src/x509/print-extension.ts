import { tags } from './der.ts';
import {
  type Extension,
  type KeyUsage,
  readAuthorityInfoAccess,
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readCrlDistributionPoints,
  readExtendedKeyUsage,
  readKeyUsage,
  readSubjectKeyIdentifier,
  readValue,
} from './extension.ts';
import { formatRange, readNameConstraints, type Subtree } from './name-constraints.ts';
import { oids } from './oid.ts';
import { readPolicies } from './policy.ts';
import { altNameLines } from './print-alt-name.ts';
import { vendorExtensions } from './print-vendor-extension.ts';
import { runes, upperHex } from './text-layout.ts';

/** `current` is what step prints since August 2025, `classic` what it printed before and linkerd prints still. */
export type Layout = 'current' | 'classic';

/** How one extension is printed. */
export interface ExtensionPrinter {
  title: string;
  /** Lines under the title, indented. */
  lines(value: Buffer, layout: Layout): string[];
}

const indent = ' '.repeat(16);
const deeper = ' '.repeat(18);

const usageNames: Readonly<Record<KeyUsage, string>> = {
  'digital signature': 'Digital Signature',
  'content commitment': 'Content Commitment',
  'key encipherment': 'Key Encipherment',
  'data encipherment': 'Data Encipherment',
  'key agreement': 'Key Agreement',
  'cert sign': 'Certificate Sign',
  'crl sign': 'CRL Sign',
  'encipher only': 'Encipher Only',
  'decipher only': 'Decipher Only',
};

const purposeNames: Readonly<Record<string, string>> = {
  [oids.anyExtendedKeyUsage]: 'Any Usage',
  [oids.serverAuth]: 'Server Authentication',
  [oids.clientAuth]: 'Client Authentication',
  [oids.codeSigning]: 'Code Signing',
  [oids.emailProtection]: 'E-mail Protection',
  [oids.ipsecEndSystem]: 'IPSec End System',
  [oids.ipsecTunnel]: 'IPSec Tunnel',
  [oids.ipsecUser]: 'IPSec User',
  [oids.timeStamping]: 'Time Stamping',
  [oids.ocspSigning]: 'OCSP Signing',
};

/** Purposes that Go knows and step has no name for in a certificate, though it has in a request. */
const gatedPurposes: Readonly<Record<string, string>> = {
  '1.3.6.1.4.1.311.10.3.3': 'Microsoft Server Gated Crypto',
  '2.16.840.1.113730.4.1': 'Netscape Server Gated Crypto',
  '1.3.6.1.4.1.311.2.1.22': 'Microsoft Commercial Code Signing',
  '1.3.6.1.4.1.311.61.1.1': 'Microsoft Kernel Code Signing',
};

const endorsementKey: Readonly<Record<string, string>> = { '2.23.133.8.1': 'EK Certificate' };

const subjectKeyId: ExtensionPrinter = {
  title: 'X509v3 Subject Key Identifier',
  lines: (value) => [indent + upperHex(readSubjectKeyIdentifier(value))],
};

const subjectAltName: ExtensionPrinter = {
  title: 'X509v3 Subject Alternative Name',
  lines: altNameLines,
};

const keyUsage: ExtensionPrinter = {
  title: 'X509v3 Key Usage',
  lines(value) {
    const usages = readKeyUsage(value).map((usage) => usageNames[usage]);
    return [indent + (usages.join(', ') || 'None')];
  },
};

const basicConstraints: ExtensionPrinter = {
  title: 'X509v3 Basic Constraints',
  lines(value) {
    const { ca, pathLength } = readBasicConstraints(value);
    const length = pathLength === undefined ? '' : `, pathlen:${pathLength}`;
    return [`${indent}CA:${ca ? 'TRUE' : 'FALSE'}${length}`];
  },
};

const extendedKeyUsage: ExtensionPrinter = {
  title: 'X509v3 Extended Key Usage',
  lines(value) {
    const purposes = readExtendedKeyUsage(value);
    const inGo = (oid: string) => oid in purposeNames || oid in gatedPurposes;
    const list = [
      ...purposes.filter(inGo).map((oid) => purposeNames[oid] ?? 'UNKNOWN'),
      ...purposes.filter((oid) => !inGo(oid)).map((oid) => endorsementKey[oid] ?? oid),
    ];
    return list.length > 0 ? [indent + list.join(', ')] : [];
  },
};

const standard: Readonly<Record<string, ExtensionPrinter>> = {
  [oids.subjectKeyIdentifier]: subjectKeyId,
  [oids.keyUsage]: keyUsage,
  [oids.subjectAltName]: subjectAltName,
  [oids.basicConstraints]: basicConstraints,
  [oids.extendedKeyUsage]: extendedKeyUsage,
  [oids.nameConstraints]: {
    title: 'X509v3 Name Constraints',
    lines(value) {
      const { permitted, excluded } = readNameConstraints(value);
      return [...subtreeLines('Permitted', permitted), ...subtreeLines('Excluded', excluded)];
    },
  },
  [oids.crlDistributionPoints]: {
    title: 'X509v3 CRL Distribution Points',
    lines(value) {
      const urls = readCrlDistributionPoints(value).map((url) => `URI:${url}`);
      return urls.length > 0 ? [`${indent}Full Name:`, deeper + urls.join(', ')] : [];
    },
  },
  [oids.certificatePolicies]: {
    title: 'X509v3 Certificate Policies',
    lines: (value) => readPolicies(value).map(({ oid }) => `${indent}Policy: ${oid}`),
  },
  [oids.authorityKeyIdentifier]: {
    title: 'X509v3 Authority Key Identifier',
    lines(value, layout) {
      const { keyId } = readAuthorityKeyIdentifier(value);
      if (!keyId) return [''];
      return [`${indent}${layout === 'classic' ? 'keyid:' : ''}${upperHex(keyId)}`];
    },
  },
  [oids.authorityInfoAccess]: {
    title: 'Authority Information Access',
    lines(value) {
      const { ocsp, caIssuers } = readAuthorityInfoAccess(value);
      const line = (method: string, urls: readonly string[]) =>
        urls.length > 0 ? [`${indent}${method} - ${urls.map((url) => `URI:${url}`).join(',')}`] : [];
      return [...line('OCSP', ocsp), ...line('CA Issuers', caIssuers)];
    },
  },
  [oids.netscapeComment]: {
    title: 'Netscape Comment',
    lines: (value) => [
      indent +
        readValue('Netscape comment', value, (reader) => reader.content(tags.ia5String).toString('latin1')),
    ],
  },
};

function subtreeLines(heading: string, subtrees: readonly Subtree[]): string[] {
  const of = (title: string, texts: readonly string[]) =>
    texts.length > 0 ? [`${deeper}${title}: ${texts.join(', ')}`] : [];
  const textsOf = (wanted: 'dns' | 'email' | 'uri') =>
    subtrees.flatMap((subtree) => (subtree.type === wanted ? [subtree.value] : []));
  const lines = [
    ...of('DNS', textsOf('dns')),
    ...of('Email', textsOf('email')),
    ...of('URI', textsOf('uri')),
    ...of(
      'IP Range',
      subtrees.flatMap((subtree) => (subtree.type === 'ip' ? [formatRange(subtree)] : [])),
    ),
  ];
  return lines.length > 0 ? [`${indent}${heading}:`, ...lines] : [];
}

/** The lines of one extension of a certificate, title first. @throws Fault `x509.extension.malformed` */
export function extensionLines(extension: Extension, layout: Layout): string[] {
  const { oid, value } = extension;
  const printer = standard[oid] ?? vendorExtensions[oid];
  if (printer) return [titleLine(printer.title, extension), ...printer.lines(value, layout)];
  // As step has it: at the margin, and without what is in it.
  if (/^2\.5\.29\.\d+$/.test(oid)) return [`Unknown extension ${oid}`];
  return [titleLine(oid, extension), indent + runes(value).text];
}

export function titleLine(title: string, { critical }: Extension): string {
  return `            ${title}:${critical ? ' critical' : ''}`;
}

/** Printers of a request's extensions, which differ from those of a certificate in what step knows. */
export const requestExtensions: Readonly<Record<string, ExtensionPrinter>> = {
  [oids.subjectKeyIdentifier]: subjectKeyId,
  [oids.subjectAltName]: subjectAltName,
  [oids.keyUsage]: keyUsage,
  [oids.basicConstraints]: basicConstraints,
  [oids.nameConstraints]: {
    title: 'X509v3 Name Constraints',
    lines(value) {
      const domains = readNameConstraints(value).permitted.flatMap((subtree) =>
        subtree.type === 'dns' ? [subtree.value] : [],
      );
      return domains.length > 0 ? [`${indent}Permitted:`, deeper + domains.join(', ')] : [];
    },
  },
  [oids.extendedKeyUsage]: {
    title: 'X509v3 Extended Key Usage',
    lines(value) {
      const names = { ...purposeNames, ...gatedPurposes, ...endorsementKey };
      const list = readExtendedKeyUsage(value).map((oid) => names[oid] ?? `UNKNOWN(${oid})`);
      return list.length > 0 ? [indent + list.join(', ')] : [];
    },
  },
};
