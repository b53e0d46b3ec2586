import { Fault } from '../base/fault.ts';
import type { Certificate } from './certificate.ts';
import { findExtension } from './extension.ts';
import { formatTime } from './format-time.ts';
import type { GeneralName } from './general-name.ts';
import { commonName, type Name } from './name.ts';
import { keyInWords } from './print-key.ts';
import { readStepProvisioner } from './print-vendor-extension.ts';
import type { CertificateRequest } from './request.ts';
import { serialNumber } from './serial-number.ts';
import { verifySignature } from './signature.ts';

/** What `step certificate inspect --short` prints for a certificate, ending in a newline. */
export function printCertificateShort(certificate: Certificate): string {
  const { subject, issuer, subjectAltNames, notBefore, notAfter, spki } = certificate;
  const serial = abbreviated(serialNumber(certificate.serial).decimal);
  return [
    `X.509v3 ${kind(certificate)} Certificate (${keyInWords(spki)}) [Serial: ${serial}]`,
    ...subjectLines(subject, subjectAltNames),
    `  Issuer:      ${commonName(issuer) ?? ''}`,
    ...provisionerLines(certificate),
    `  Valid from:  ${formatTime(notBefore)}`,
    `          to:  ${formatTime(notAfter)}`,
    '',
  ].join('\n');
}

/** What `step certificate inspect --short` prints for a certificate request, ending in a newline. */
export function printRequestShort({ subject, subjectAltNames, spki }: CertificateRequest): string {
  return [
    `X.509v3 Certificate Signing Request (${keyInWords(spki)})`,
    ...subjectLines(subject, subjectAltNames),
    '',
  ].join('\n');
}

/** A root is what its own key signed, with an algorithm that still proves something. */
function kind(certificate: Certificate): string {
  if (!certificate.isCa) return 'TLS';
  const { signatureAlgorithm: algorithm, tbs: bytes, signature, publicKey } = certificate;
  return verifySignature({ algorithm, bytes, signature, publicKey }) ? 'Root CA' : 'Intermediate CA';
}

/** The common name, then the other names by type, each once. */
function subjectLines(subject: Name, altNames: readonly GeneralName[]): string[] {
  const own = commonName(subject) ?? '';
  const others = (['dns', 'ip', 'email', 'uri'] as const).flatMap((type) =>
    altNames.flatMap((name) => (name.type === type && name.value !== own ? [name.value] : [])),
  );
  const [first, ...rest] = own ? [own, ...others] : others;
  if (first === undefined) return ['  Subject: '];
  return [`  Subject:     ${first}`, ...rest.map((name) => `               ${name}`)];
}

function provisionerLines({ extensions }: Certificate): string[] {
  const extension = findExtension(extensions, '1.3.6.1.4.1.37476.9000.64.1');
  if (!extension) return [];
  try {
    const { name, credentialId } = readStepProvisioner(extension.value);
    return [`  Provisioner: ${name}${credentialId && ` [ID: ${abbreviated(credentialId)}]`}`];
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}

/** The ends of what is longer than eight characters. */
function abbreviated(text: string): string {
  return text.length <= 8 ? text : `${text.slice(0, 4)}...${text.slice(-4)}`;
}
