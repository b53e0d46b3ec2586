import { createHash } from 'node:crypto';
import type { Entropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import {
  type BitString,
  context,
  contextConstructed,
  type DerReader,
  readDer,
  readInside,
  readWhole,
  tags,
  writeDer,
} from './der.ts';
import {
  type BasicConstraints,
  type Extension,
  findExtension,
  type KeyUsage,
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  readSubjectAltName,
  readSubjectKeyIdentifier,
  writeExtensions,
} from './extension.ts';
import type { GeneralName } from './general-name.ts';
import { type PublicKey, readPublicKey } from './key.ts';
import { type Name, readNameFrom, sameName } from './name.ts';
import { oids } from './oid.ts';
import { decodePem, encodePem } from './pem.ts';
import { matchesSignature, readAlgorithmIdentifier, type Signer } from './signature.ts';

/**
 * An X.509 certificate (RFC 5280 section 4.1). Its own fields are read when it is; the key and the extensions'
 * contents when they are asked for, which throws `x509.key.*` or `x509.extension.malformed` where they are wrong.
 */
export interface Certificate {
  readonly der: Buffer;
  /** What the signature is over. */
  readonly tbs: Buffer;
  /** 1, 2 or 3. */
  readonly version: number;
  /** Content octets of the serial number. */
  readonly serial: Buffer;
  readonly issuer: Name;
  readonly subject: Name;
  /** First and last instant of validity, both included; epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER, of a supported algorithm or not. */
  readonly spki: Buffer;
  readonly publicKey: PublicKey;
  readonly issuerUniqueId?: BitString;
  readonly subjectUniqueId?: BitString;
  readonly extensions: readonly Extension[];
  /** AlgorithmIdentifier, DER. */
  readonly signatureAlgorithm: Buffer;
  readonly signature: Buffer;
  /** Whether it has basic constraints that say so. */
  readonly isCa: boolean;
  readonly pathLength?: number;
  /** Absent where the extension is: every use is then allowed. */
  readonly keyUsage?: readonly KeyUsage[];
  /** Purposes by object identifier; absent where the extension is. */
  readonly extendedKeyUsage?: readonly string[];
  readonly subjectAltNames: readonly GeneralName[];
  readonly subjectKeyId?: Buffer;
  readonly authorityKeyId?: Buffer;
}

interface Fields {
  tbs: Buffer;
  version: number;
  serial: Buffer;
  issuer: Name;
  subject: Name;
  notBefore: number;
  notAfter: number;
  spki: Buffer;
  issuerUniqueId: BitString | undefined;
  subjectUniqueId: BitString | undefined;
  extensions: readonly Extension[];
  signatureAlgorithm: Buffer;
  signature: Buffer;
}

/** The longest serial number that RFC 5280 section 4.1.2.2 allows, in content octets, and one to spare. */
const longestSerial = 21;

class ParsedCertificate {
  readonly der: Buffer;
  readonly #fields: Fields;
  readonly #read = new Map<string, unknown>();

  constructor(der: Buffer, fields: Fields) {
    this.der = der;
    this.#fields = fields;
  }

  get tbs() {
    return this.#fields.tbs;
  }
  get version() {
    return this.#fields.version;
  }
  get serial() {
    return this.#fields.serial;
  }
  get issuer() {
    return this.#fields.issuer;
  }
  get subject() {
    return this.#fields.subject;
  }
  get notBefore() {
    return this.#fields.notBefore;
  }
  get notAfter() {
    return this.#fields.notAfter;
  }
  get spki() {
    return this.#fields.spki;
  }
  get issuerUniqueId() {
    return this.#fields.issuerUniqueId;
  }
  get subjectUniqueId() {
    return this.#fields.subjectUniqueId;
  }
  get extensions() {
    return this.#fields.extensions;
  }
  get signatureAlgorithm() {
    return this.#fields.signatureAlgorithm;
  }
  get signature() {
    return this.#fields.signature;
  }
  get publicKey(): PublicKey {
    return this.#once('key', () => readPublicKey(this.#fields.spki));
  }
  get isCa() {
    return this.#basicConstraints?.ca ?? false;
  }
  get pathLength() {
    return this.#basicConstraints?.pathLength;
  }
  get keyUsage() {
    return this.#extension(oids.keyUsage, readKeyUsage);
  }
  get extendedKeyUsage() {
    return this.#extension(oids.extendedKeyUsage, readExtendedKeyUsage);
  }
  get subjectAltNames() {
    return this.#extension(oids.subjectAltName, readSubjectAltName) ?? [];
  }
  get subjectKeyId() {
    return this.#extension(oids.subjectKeyIdentifier, readSubjectKeyIdentifier);
  }
  get authorityKeyId() {
    return this.#extension(oids.authorityKeyIdentifier, readAuthorityKeyIdentifier)?.keyId;
  }
  get #basicConstraints(): BasicConstraints | undefined {
    return this.#extension(oids.basicConstraints, readBasicConstraints);
  }

  #extension<T>(oid: string, read: (value: Buffer) => T): T | undefined {
    return this.#once(oid, () => {
      const extension = findExtension(this.#fields.extensions, oid);
      return extension && read(extension.value);
    });
  }

  #once<T>(what: string, read: () => T): T {
    if (!this.#read.has(what)) this.#read.set(what, read());
    return this.#read.get(what) as T;
  }
}

/**
 * Reads a certificate, strictly (DER, the structure of RFC 5280 section 4.1).
 *
 * @throws Fault `x509.certificate.malformed`, with the fault that says where as its cause.
 */
export function readCertificate(der: Buffer): Certificate {
  try {
    const fields = readDer(der, (reader) => readInside(reader, tags.sequence, readFields));
    return new ParsedCertificate(der, fields) as Certificate;
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw new Fault(`the certificate is malformed: ${cause.message}`, {
      code: 'x509.certificate.malformed',
      blame: 'caller',
      cause,
    });
  }
}

function readFields(reader: DerReader): Fields {
  const { der: tbs, value } = readWhole(reader, tags.sequence, readTbs);
  const signatureAlgorithm = readAlgorithmIdentifier(reader);
  const signature = reader.bitStringBytes();
  if (!value.algorithm.equals(signatureAlgorithm)) {
    throw structureFault('it names one signature algorithm inside and another outside');
  }
  return { tbs, signatureAlgorithm, signature, ...value };
}

function readTbs(
  reader: DerReader,
): Omit<Fields, 'tbs' | 'signatureAlgorithm' | 'signature'> & { algorithm: Buffer } {
  const version = readVersion(reader);
  const serial = reader.integer();
  if (serial.length > longestSerial) throw structureFault(`its serial number takes ${serial.length} bytes`);
  const algorithm = readAlgorithmIdentifier(reader);
  const issuer = readNameFrom(reader);
  const [notBefore, notAfter] = readInside(reader, tags.sequence, (validity) => [
    validity.time(),
    validity.time(),
  ]);
  const subject = readNameFrom(reader);
  const spki = readSpkiForm(reader);
  const issuerUniqueId = reader.nextTag === context(1) ? reader.bitString(context(1)) : undefined;
  const subjectUniqueId = reader.nextTag === context(2) ? reader.bitString(context(2)) : undefined;
  if ((issuerUniqueId || subjectUniqueId) && version === 1)
    throw structureFault('version 1 has no unique identifiers');
  const extensions = reader.atEnd ? [] : readInside(reader, contextConstructed(3), readExtensions);
  if (extensions.length > 0 && version !== 3) throw structureFault(`version ${version} has no extensions`);
  return {
    version,
    serial,
    algorithm,
    issuer,
    notBefore,
    notAfter,
    subject,
    spki,
    issuerUniqueId,
    subjectUniqueId,
    extensions,
  };
}

function readVersion(reader: DerReader): number {
  if (reader.nextTag !== contextConstructed(0)) return 1;
  const version = 1 + readInside(reader, contextConstructed(0), (inner) => inner.smallInteger(2));
  // The default is not encoded in DER.
  if (version === 1) throw structureFault('it spells out version 1, which DER leaves out');
  return version;
}

/** Checks the form of a SubjectPublicKeyInfo; what the key is gets read when it is needed. */
export function readSpkiForm(reader: DerReader): Buffer {
  return readWhole(reader, tags.sequence, (inner) => {
    readAlgorithmIdentifier(inner);
    inner.bitString();
  }).der;
}

function structureFault(message: string): Fault {
  return new Fault(message, { code: 'x509.certificate.structure', blame: 'caller' });
}

/** Every CERTIFICATE block of PEM text, in order; other blocks are passed over. */
export function readCertificates(pem: string): Certificate[] {
  return decodePem(pem)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map(({ bytes }) => readCertificate(bytes));
}

/** PEM, ending in a newline. */
export function certificatePem(certificate: Pick<Certificate, 'der'>): string {
  return encodePem('CERTIFICATE', certificate.der);
}

/**
 * A serial number as Vault writes it: lower-case hex, colons between, without the zero octet that keeps a number positive
 * in DER.
 */
export function serialText(serial: Uint8Array): string {
  return octetText(serial[0] === 0 && serial.length > 1 ? serial.subarray(1) : serial);
}

/** Octets in lower-case hex, colons between. */
export function octetText(octets: Uint8Array): string {
  let text = '';
  for (const byte of octets) text += `${text === '' ? '' : ':'}${hexOfByte[byte]}`;
  return text;
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** SHA-256 of the DER in lower-case hex. */
export function fingerprint(certificate: Pick<Certificate, 'der'>): string {
  return createHash('sha256').update(certificate.der).digest('hex');
}

/** Whether subject and issuer are one, and its own key made the signature (by SHA-1 even: a root's age is no lie). */
export function isSelfSigned(certificate: Certificate): boolean {
  return sameName(certificate.subject, certificate.issuer) && isSignedBy(certificate, certificate);
}

/** Whether the key of `issuer` made the signature of `certificate`; says nothing of whether it may. */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  const { signatureAlgorithm: algorithm, tbs: bytes, signature } = certificate;
  try {
    return matchesSignature({ algorithm, bytes, signature, publicKey: issuer.publicKey });
  } catch (error) {
    // An issuer's key of a kind that nobody here can verify with has not been shown to have made it.
    if (error instanceof Fault) return false;
    throw error;
  }
}

export interface CertificateTemplate {
  /** Content octets, such as `newSerial` makes them. */
  serial: Buffer;
  issuer: Name;
  subject: Name;
  /** Epoch milliseconds; fractions of a second are cut off. */
  notBefore: number;
  notAfter: number;
  publicKey: PublicKey;
  /** In the order that they are to stand in. */
  extensions: readonly Extension[];
}

/**
 * Signs a version 3 certificate.
 *
 * @throws Fault `x509.certificate.*` where the template makes no certificate; whatever the signer throws.
 */
export async function buildCertificate(template: CertificateTemplate, signer: Signer): Promise<Certificate> {
  checkSerial(template.serial);
  const tbs = writeDer((writer) =>
    writer.sequence(() => {
      writer.wrap(contextConstructed(0), () => writer.smallInteger(2));
      writer.primitive(tags.integer, template.serial);
      writer.raw(signer.algorithm);
      writer.raw(template.issuer.der);
      writer.sequence(() => writer.time(template.notBefore).time(template.notAfter));
      writer.raw(template.subject.der);
      writer.raw(template.publicKey.spki);
      if (template.extensions.length > 0) {
        writer.wrap(contextConstructed(3), () => writeExtensions(writer, template.extensions));
      }
    }),
  );
  const signature = await signer.sign(tbs);
  const { serial, issuer, subject, publicKey, extensions } = template;
  const wholeSeconds = (ms: number) => Math.floor(ms / 1_000) * 1_000;
  // What was just written need not be read.
  return new ParsedCertificate(signedDocument(tbs, signer.algorithm, signature), {
    tbs,
    version: 3,
    serial,
    issuer,
    subject,
    notBefore: wholeSeconds(template.notBefore),
    notAfter: wholeSeconds(template.notAfter),
    spki: publicKey.spki,
    issuerUniqueId: undefined,
    subjectUniqueId: undefined,
    extensions,
    signatureAlgorithm: signer.algorithm,
    signature,
  }) as Certificate;
}

/** RFC 5280 section 4.1.2.2. Others' certificates are read all the same. */
function checkSerial(serial: Buffer): void {
  if (!serial.some((byte) => byte > 0) || serial[0]! >= 0x80) {
    throw structureFault('a serial number must be positive');
  }
  const padded = serial[0] === 0 && serial[1]! < 0x80;
  if (padded || serial.length > longestSerial) {
    throw structureFault('a serial number takes as few octets as it can, and 21 at most');
  }
}

/** The frame that certificates, requests and CRLs share: what is signed, how, and the signature. */
export function signedDocument(tbs: Buffer, algorithm: Buffer, signature: Buffer): Buffer {
  return writeDer((writer) => writer.sequence(() => writer.raw(tbs).raw(algorithm).bitString(signature)));
}

/** A serial number as Vault draws them: positive, random, below 2^159, at most 20 octets (RFC 5280 section 4.1.2.2). */
export function newSerial(entropy: Entropy): Buffer {
  for (;;) {
    const bytes = entropy.bytes(20);
    bytes[0]! &= 0x7f;
    const start = bytes.findIndex((byte) => byte !== 0);
    if (start === -1) continue;
    // Where the highest bit of what is left is set, the zero byte before it keeps the number positive.
    return bytes.subarray(bytes[start]! >= 0x80 ? start - 1 : start);
  }
}
