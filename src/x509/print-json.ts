import { createHash } from 'node:crypto';
import { type Certificate, isSelfSigned } from './certificate.ts';
import { contextConstructed, DerReader, readEach, tags, writeDer } from './der.ts';
import { findExtension } from './extension.ts';
import { formatTime } from './format-time.ts';
import type { GeneralName } from './general-name.ts';
import { parseIp } from './ip-address.ts';
import { ctPoison, extensionsJson, unknownExtensionsJson } from './json-extension.ts';
import { algorithmJson, keyJson } from './json-key.ts';
import { nameInOneLine, nameJson } from './json-name.ts';
import { requestJson } from './json-request.ts';
import { commonName } from './name.ts';
import { oids } from './oid.ts';
import { readPolicies } from './policy.ts';
import type { CertificateRequest } from './request.ts';
import { serialNumber } from './serial-number.ts';

/** A value as JSON text holds it; what is undefined is left out. */
export type Json = unknown;

/**
 * What `step certificate inspect --format json` prints: zcrypto's form, two spaces of indent, ending in a newline.
 * One certificate is an object, several are a list.
 *
 * @throws Fault `x509.extension.malformed`, `x509.key.*` for contents that cannot be read.
 */
export function printCertificateJson(certificates: readonly Certificate[]): string {
  const documents = certificates.map(certificateJson);
  return print(documents.length === 1 ? documents[0] : documents);
}

/** What `step certificate inspect --format json` prints for a certificate request. */
export function printRequestJson(request: CertificateRequest): string {
  return print(requestJson(request));
}

/** As Go's encoder writes: what HTML gives a meaning is escaped, and so are the two separators of lines. */
function print(document: Json): string {
  const escaped = JSON.stringify(document, undefined, 2).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${escaped}\n`;
}

function certificateJson(certificate: Certificate): Json {
  const { version, serial, issuer, subject, notBefore, notAfter, spki, extensions, tbs, der } = certificate;
  const algorithm = algorithmJson(certificate.signatureAlgorithm);
  const unknown = unknownExtensionsJson(extensions);
  const names = namesOf(certificate);
  return {
    version,
    serial_number: serialNumber(serial).decimal,
    signature_algorithm: algorithm,
    issuer: nameJson(issuer),
    issuer_dn: nameInOneLine(issuer) || undefined,
    validity: {
      start: formatTime(notBefore),
      end: formatTime(notAfter),
      length: seconds(notAfter - notBefore),
    },
    subject: nameJson(subject),
    subject_dn: nameInOneLine(subject) || undefined,
    subject_key_info: { ...keyJson(spki), fingerprint_sha256: digest('sha256', spki) },
    extensions: extensionsJson(certificate),
    unknown_extensions: unknown.length > 0 ? unknown : undefined,
    signature: {
      signature_algorithm: algorithm,
      value: certificate.signature.toString('base64'),
      // Whether it is valid depends on the issuer's key, which is not looked for.
      valid: false,
      self_signed: isSelfSigned(certificate),
    },
    fingerprint_md5: digest('md5', der),
    fingerprint_sha1: digest('sha1', der),
    fingerprint_sha256: digest('sha256', der),
    tbs_noct_fingerprint: digest('sha256', withoutTransparency(certificate)),
    spki_subject_fingerprint: digest('sha256', spki, subject.der),
    tbs_fingerprint: digest('sha256', tbs),
    validation_level: validationLevel(certificate),
    names: names.length > 0 ? names : undefined,
    redacted: names.some((name) => name.startsWith('?')),
  };
}

/** Whole seconds of a duration as Go has them, which ends at 292 years. */
function seconds(durationMs: number): number {
  const longest = 9_223_372_036;
  return Math.max(-longest, Math.min(longest, Math.trunc(durationMs / 1_000)));
}

function digest(hash: string, ...parts: readonly Buffer[]): string {
  const state = createHash(hash);
  for (const part of parts) state.update(part);
  return state.digest('hex');
}

const transparency = new Set<string>([oids.signedCertificateTimestamps, ctPoison]);

/** What is signed, as it was before logs were told of it: equal for a certificate and its precertificate. */
function withoutTransparency({ tbs, extensions }: Certificate): Buffer {
  if (!extensions.some(({ oid }) => transparency.has(oid))) return tbs;
  const fields = readEach(new DerReader(tbs).enter(tags.sequence), (each) => ({
    tag: each.nextTag,
    der: each.element(),
  }));
  return writeDer((writer) =>
    writer.sequence(() => {
      for (const { tag, der } of fields) {
        if (tag !== contextConstructed(3)) writer.raw(der);
        else
          writer.wrap(contextConstructed(3), () =>
            writer.sequence(() => {
              for (const kept of keptExtensions(der)) writer.raw(kept);
            }),
          );
      }
    }),
  );
}

function keptExtensions(der: Buffer): Buffer[] {
  const list = new DerReader(der).enter(contextConstructed(3)).enter(tags.sequence);
  return readEach(list, (each) => each.element(tags.sequence)).filter(
    (extension) => !transparency.has(new DerReader(extension).enter(tags.sequence).oid()),
  );
}

/** The CA/Browser Forum's policies; those that single CAs once used instead say nothing here. */
const levels: Readonly<Record<string, string>> = {
  '2.23.140.1.1': 'EV',
  '2.23.140.1.2.2': 'OV',
  '2.23.140.1.2.3': 'OV',
  '2.23.140.1.2.1': 'DV',
};

function validationLevel(certificate: Certificate): string {
  const extension = findExtension(certificate.extensions, oids.certificatePolicies);
  if (!extension || isSelfSigned(certificate)) return 'unknown';
  const found = readPolicies(extension.value).map(({ oid }) => levels[oid]);
  return ['EV', 'OV', 'DV'].find((level) => found.includes(level)) ?? 'unknown';
}

/** What the certificate is for: the common name where it looks like a host, and the other names, each once. */
function namesOf({ subject, subjectAltNames }: Certificate): string[] {
  const own = commonName(subject);
  const texts = (type: GeneralName['type']) =>
    subjectAltNames.flatMap((name) =>
      name.type === type && typeof name.value === 'string' ? [name.value] : [],
    );
  return [
    ...new Set([
      ...(own !== undefined && isHost(own) ? [own] : []),
      ...texts('dns').filter((name) => isHost(name) || !name.includes('.')),
      ...texts('uri').filter((uri) => /^[a-z][a-z\d+.-]*:\/\//i.test(uri)),
      ...texts('ip'),
    ]),
  ];
}

function isHost(name: string): boolean {
  const rest = name.replace(/^(?:[*?]\.)+/, '');
  return (
    parseIp(rest) !== undefined || /^(?:[\p{L}\d_](?:[\p{L}\d_-]*[\p{L}\d_])?\.)+\p{L}{2,}\.?$/u.test(rest)
  );
}
