import { Fault } from '../base/fault.ts';
import {
  context,
  contextConstructed,
  type DerReader,
  type DerWriter,
  readDer,
  readEach,
  readInside,
  tags,
  writeDer,
} from './der.ts';
import { type GeneralName, readGeneralName, readGeneralNames, writeGeneralName } from './general-name.ts';
import { oids } from './oid.ts';

/** An extension of a certificate, request or CRL (RFC 5280 section 4.1.2.9). */
export interface Extension {
  oid: string;
  critical: boolean;
  /** Contents of the OCTET STRING. */
  value: Buffer;
}

/** In the order of their bits (RFC 5280 section 4.2.1.3). */
export const keyUsages = [
  'digital signature',
  'content commitment',
  'key encipherment',
  'data encipherment',
  'key agreement',
  'cert sign',
  'crl sign',
  'encipher only',
  'decipher only',
] as const;

export type KeyUsage = (typeof keyUsages)[number];

/** The extension with this identifier, if there is one. */
export function findExtension(extensions: readonly Extension[], oid: string): Extension | undefined {
  return extensions.find((extension) => extension.oid === oid);
}

/** A SEQUENCE OF Extension; each identifier once, as RFC 5280 section 4.2 asks. */
export function readExtensions(reader: DerReader): Extension[] {
  const extensions = readInside(reader, tags.sequence, (inner) =>
    readEach(inner, (each) => readInside(each, tags.sequence, readExtension)),
  );
  const seen = new Set<string>();
  for (const { oid } of extensions) {
    if (seen.has(oid)) throw extensionFault('twice', `extension ${oid} stands there twice`);
    seen.add(oid);
  }
  return extensions;
}

function readExtension(reader: DerReader): Extension {
  const oid = reader.oid();
  const marked = reader.nextTag === tags.boolean;
  if (marked && !reader.boolean()) {
    throw extensionFault(
      'critical',
      `extension ${oid} spells out that it is not critical, which DER leaves out`,
    );
  }
  return { oid, critical: marked, value: reader.octetString() };
}

export function writeExtensions(writer: DerWriter, extensions: readonly Extension[]): void {
  writer.sequence(() => {
    for (const { oid, critical, value } of extensions) {
      writer.sequence(() => {
        writer.oid(oid);
        if (critical) writer.boolean(true);
        writer.octetString(value);
      });
    }
  });
}

function extension(oid: string, critical: boolean, write: (writer: DerWriter) => void): Extension {
  return { oid, critical, value: writeDer(write) };
}

/** Reads an extension's value whole. @throws Fault `x509.extension.malformed` naming it, around the reason. */
export function readValue<T>(name: string, value: Buffer, read: (reader: DerReader) => T): T {
  try {
    return readDer(value, read);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw extensionFault('malformed', `extension ${name}: ${cause.message}`, cause);
  }
}

function extensionFault(kind: string, message: string, cause?: unknown): Fault {
  return new Fault(message, { code: `x509.extension.${kind}`, blame: 'caller', cause });
}

export interface BasicConstraints {
  ca: boolean;
  /** How many intermediates may follow below; only with `ca`. */
  pathLength?: number;
}

/** Always critical (RFC 5280 section 4.2.1.9). */
export function basicConstraints({ ca, pathLength }: BasicConstraints): Extension {
  return extension(oids.basicConstraints, true, (writer) =>
    writer.sequence(() => {
      if (ca) writer.boolean(true);
      if (pathLength !== undefined) writer.smallInteger(pathLength);
    }),
  );
}

export function readBasicConstraints(value: Buffer): BasicConstraints {
  return readValue('basic constraints', value, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      const ca = inner.nextTag === tags.boolean && inner.boolean();
      return inner.atEnd ? { ca } : { ca, pathLength: inner.smallInteger() };
    }),
  );
}

/** Always critical (RFC 5280 section 4.2.1.3). */
export function keyUsage(usages: readonly KeyUsage[]): Extension {
  const bits = usages.map((usage) => keyUsages.indexOf(usage));
  const bytes = Buffer.alloc(bits.includes(8) ? 2 : bits.length > 0 ? 1 : 0);
  for (const bit of bits) bytes[bit >> 3]! |= 0x80 >> (bit & 7);
  // A list of named bits ends in its last one (ITU-T X.690 section 11.2.2).
  const unusedBits = bits.length === 0 ? 0 : 7 - (Math.max(...bits) & 7);
  return extension(oids.keyUsage, true, (writer) => writer.bitString(bytes, unusedBits));
}

/** Bits beyond the nine known ones are passed over. */
export function readKeyUsage(value: Buffer): KeyUsage[] {
  const { bytes } = readValue('key usage', value, (reader) => reader.bitString());
  return keyUsages.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}

/** Purposes by object identifier (RFC 5280 section 4.2.1.12); not critical. */
export function extendedKeyUsage(purposes: readonly string[]): Extension {
  return extension(oids.extendedKeyUsage, false, (writer) =>
    writer.sequence(() => {
      for (const purpose of purposes) writer.oid(purpose);
    }),
  );
}

export function readExtendedKeyUsage(value: Buffer): string[] {
  return readValue('extended key usage', value, (reader) =>
    readInside(reader, tags.sequence, (inner) => readEach(inner, (each) => each.oid())),
  );
}

/** Not critical (RFC 5280 section 4.2.1.2). */
export function subjectKeyIdentifier(id: Uint8Array): Extension {
  return extension(oids.subjectKeyIdentifier, false, (writer) => writer.octetString(id));
}

export function readSubjectKeyIdentifier(value: Buffer): Buffer {
  return readValue('subject key identifier', value, (reader) => reader.octetString());
}

/** Key identifier form, not critical (RFC 5280 section 4.2.1.1). */
export function authorityKeyIdentifier(id: Uint8Array): Extension {
  return extension(oids.authorityKeyIdentifier, false, (writer) =>
    writer.sequence(() => writer.primitive(context(0), id)),
  );
}

export interface AuthorityKeyIdentifier {
  keyId?: Buffer;
  issuer?: readonly GeneralName[];
  /** Content octets. */
  serial?: Buffer;
}

export function readAuthorityKeyIdentifier(value: Buffer): AuthorityKeyIdentifier {
  return readValue('authority key identifier', value, (reader) =>
    readInside(reader, tags.sequence, (inner) => ({
      ...(inner.nextTag === context(0) ? { keyId: inner.content(context(0)) } : {}),
      ...(inner.nextTag === contextConstructed(1)
        ? { issuer: readGeneralNames(inner, contextConstructed(1)) }
        : {}),
      ...(inner.nextTag === context(2) ? { serial: inner.integer(context(2)) } : {}),
    })),
  );
}

/** Critical only where the subject is empty (RFC 5280 section 4.2.1.6): say so. */
export function subjectAltName(names: readonly GeneralName[], critical = false): Extension {
  return extension(oids.subjectAltName, critical, (writer) =>
    writer.sequence(() => {
      for (const name of names) writeGeneralName(writer, name);
    }),
  );
}

export function readSubjectAltName(value: Buffer): GeneralName[] {
  return readValue('subject alternative name', value, (reader) => readGeneralNames(reader));
}

export interface AuthorityInfoAccess {
  /** URLs of OCSP responders. */
  ocsp?: readonly string[];
  /** URLs of the issuer's certificate. */
  caIssuers?: readonly string[];
}

/** Not critical (RFC 5280 section 4.2.2.1). */
export function authorityInfoAccess({ ocsp = [], caIssuers = [] }: AuthorityInfoAccess): Extension {
  return extension(oids.authorityInfoAccess, false, (writer) =>
    writer.sequence(() => {
      for (const value of ocsp) writeAccess(writer, oids.ocsp, value);
      for (const value of caIssuers) writeAccess(writer, oids.caIssuers, value);
    }),
  );
}

function writeAccess(writer: DerWriter, method: string, value: string): void {
  writer.sequence(() => writeGeneralName(writer.oid(method), { type: 'uri', value }));
}

/** The URLs of the two methods; other methods and other names than URLs are passed over. */
export function readAuthorityInfoAccess(value: Buffer): Required<AuthorityInfoAccess> {
  const entries = readValue('authority information access', value, (reader) =>
    readInside(reader, tags.sequence, (inner) =>
      readEach(inner, (each) =>
        readInside(each, tags.sequence, (one) => ({ method: one.oid(), location: readGeneralName(one) })),
      ),
    ),
  );
  const urls = (wanted: string) =>
    entries.flatMap(({ method, location }) =>
      method === wanted && location.type === 'uri' ? [location.value] : [],
    );
  return { ocsp: urls(oids.ocsp), caIssuers: urls(oids.caIssuers) };
}

/** One distribution point for each URL, not critical (RFC 5280 section 4.2.1.13). */
export function crlDistributionPoints(urls: readonly string[]): Extension {
  return extension(oids.crlDistributionPoints, false, (writer) =>
    writer.sequence(() => {
      for (const value of urls) {
        writer.sequence(() =>
          writer.wrap(contextConstructed(0), () =>
            writer.wrap(contextConstructed(0), () => writeGeneralName(writer, { type: 'uri', value })),
          ),
        );
      }
    }),
  );
}

export interface DistributionPoint {
  /** Full names; empty where the point is named relative to the CRL issuer, or not at all. */
  fullName: readonly GeneralName[];
  /** Whether some reasons only, or another issuer, make this point other than a plain list of everything. */
  partial: boolean;
}

export function readDistributionPoints(value: Buffer): DistributionPoint[] {
  return readValue('CRL distribution points', value, (reader) =>
    readInside(reader, tags.sequence, (inner) =>
      readEach(inner, (each) => readInside(each, tags.sequence, readDistributionPoint)),
    ),
  );
}

function readDistributionPoint(reader: DerReader): DistributionPoint {
  let fullName: GeneralName[] = [];
  const name = reader.enterIf(contextConstructed(0));
  if (name?.nextTag === contextConstructed(0)) fullName = readGeneralNames(name, contextConstructed(0));
  else if (name) name.anything();
  name?.finish();
  const partial = !reader.atEnd;
  if (reader.nextTag === context(1)) reader.bitString(context(1));
  if (reader.nextTag === contextConstructed(2)) readGeneralNames(reader, contextConstructed(2));
  return { fullName, partial };
}

/** The URLs of every distribution point. */
export function readCrlDistributionPoints(value: Buffer): string[] {
  return readDistributionPoints(value).flatMap(({ fullName }) =>
    fullName.flatMap((name) => (name.type === 'uri' ? [name.value] : [])),
  );
}
