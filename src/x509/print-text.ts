import { Fault } from '../base/fault.ts';
import { signatureAlgorithmName } from './algorithm-name.ts';
import type { Certificate } from './certificate.ts';
import type { BitString } from './der.ts';
import type { Extension } from './extension.ts';
import { formatName, type Name } from './name.ts';
import { readNameConstraints } from './name-constraints.ts';
import { oids } from './oid.ts';
import { extensionLines, type Layout, requestExtensions, titleLine } from './print-extension.ts';
import { keyLines } from './print-key.ts';
import type { CertificateRequest } from './request.ts';
import { serialNumber } from './serial-number.ts';
import { hexLines, longTime, magnitude, runes } from './text-layout.ts';

export type { Layout } from './print-extension.ts';

/**
 * What `step certificate inspect` prints for a certificate, ending in a newline. Layout `classic` is what step
 * printed up to August 2025 and what `linkerd identity` prints: the first signature algorithm further left, and
 * `keyid:` before the authority's key identifier.
 *
 * @throws Fault `x509.extension.malformed`, `x509.key.*` for contents that cannot be read.
 */
export function printCertificate(
  certificate: Certificate,
  { layout = 'current' }: { layout?: Layout } = {},
): string {
  const { version, serial, issuer, subject, notBefore, notAfter, spki, extensions } = certificate;
  const algorithm = signatureAlgorithmName(certificate.signatureAlgorithm);
  const number = serialNumber(serial);
  const hex = magnitude(number.magnitude).toString('hex');
  return joined([
    'Certificate:',
    '    Data:',
    `        Version: ${version} (0x${version - 1})`,
    `        Serial Number: ${number.decimal} (${hex && `0x${hex}`})`,
    `${layout === 'classic' ? '    ' : '        '}Signature Algorithm: ${algorithm}`,
    nameLine('Issuer', issuer),
    '        Validity',
    `            Not Before: ${longTime(notBefore)}`,
    `            Not After : ${longTime(notAfter)}`,
    ...subjectLines(subject, spki),
    ...uniqueIdLines('Issuer', certificate.issuerUniqueId),
    ...uniqueIdLines('Subject', certificate.subjectUniqueId),
    ...(extensions.length > 0 ? ['        X509v3 extensions:'] : []),
    ...extensions.flatMap((extension) => extensionLines(extension, layout)),
    ...signatureLines(certificate),
  ]);
}

/** What `step certificate inspect` prints for a certificate request, ending in a newline. */
export function printRequest(request: CertificateRequest): string {
  const { subject, spki, extensions } = request;
  const known = extensions.filter(({ oid }) => requestExtensions[oid]);
  const unknown = extensions.filter(({ oid }) => !requestExtensions[oid]);
  return joined([
    'Certificate Request:',
    '    Data:',
    '        Version: 0 (0x0)',
    ...subjectLines(subject, spki),
    ...(extensions.length > 0 ? ['        Requested Extensions:'] : []),
    ...known.flatMap(requestedLines),
    ...(unknown.length > 0 ? ['        Attributes:'] : []),
    ...unknown.flatMap(attributeLines),
    ...signatureLines(request),
  ]);
}

function joined(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

function nameLine(title: string, name: Name): string {
  const text = formatName(name);
  return `        ${title}:${text && ` ${text}`}`;
}

function subjectLines(subject: Name, spki: Buffer): string[] {
  return [nameLine('Subject', subject), '        Subject Public Key Info:', ...keyLines(spki)];
}

function uniqueIdLines(whose: string, id: BitString | undefined): string[] {
  if (!id || id.bytes.length === 0) return [];
  return [`        ${whose} Unique ID: ${hexLines(rightAligned(id), id.bytes.length, 0)[0]}`];
}

/** The bits shifted so that the last one that counts is the last byte's lowest. */
function rightAligned({ bytes, unusedBits }: BitString): Uint8Array {
  return bytes.map(
    (byte, index) => ((byte >> unusedBits) | ((bytes[index - 1] ?? 0) << (8 - unusedBits))) & 0xff,
  );
}

function signatureLines({
  signatureAlgorithm,
  signature,
}: Pick<Certificate, 'signatureAlgorithm' | 'signature'>) {
  return [
    `    Signature Algorithm: ${signatureAlgorithmName(signatureAlgorithm)}`,
    ...hexLines(signature, 18, 9),
  ];
}

/** A request is printed as far as it can be read: whoever inspects it may be looking for what is wrong. */
function requestedLines(extension: Extension): string[] {
  const printer = requestExtensions[extension.oid]!;
  try {
    if (extension.critical && extension.oid === oids.nameConstraints && excludes(extension)) {
      return [`            ${printer.title}: failed to decode: unexpected excluded name constraints`];
    }
    return [titleLine(printer.title, extension), ...printer.lines(extension.value, 'current')];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [`            ${printer.title}: failed to decode`];
  }
}

function excludes({ value }: Extension): boolean {
  return readNameConstraints(value).excluded.length > 0;
}

function attributeLines(extension: Extension): string[] {
  const { text, dots } = runes(extension.value);
  const { value } = extension;
  return [
    titleLine(extension.oid, extension),
    `                ${text}`,
    ...(dots ? [`                ${hexLines(value, value.length, 0)[0]}`] : []),
  ];
}
