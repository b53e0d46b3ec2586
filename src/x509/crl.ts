import { Fault } from '../base/fault.ts';
import { signedDocument } from './certificate.ts';
import {
  contextConstructed,
  type DerReader,
  readDer,
  readEach,
  readInside,
  readWhole,
  tags,
  writeDer,
} from './der.ts';
import {
  authorityKeyIdentifier,
  crlDistributionPoints,
  type Extension,
  findExtension,
  readAuthorityKeyIdentifier,
  readExtensions,
  readValue,
  writeExtensions,
} from './extension.ts';
import { type GeneralName, readGeneralNames } from './general-name.ts';
import { type Name, readNameFrom } from './name.ts';
import { oids } from './oid.ts';
import { encodePem } from './pem.ts';
import { readAlgorithmIdentifier, type Signer } from './signature.ts';

/** RFC 5280 section 5.3.1, by its numbers; 7 is not used. */
export const reasonNumbers = {
  unspecified: 0,
  'key compromise': 1,
  'ca compromise': 2,
  'affiliation changed': 3,
  superseded: 4,
  'cessation of operation': 5,
  'certificate hold': 6,
  'remove from crl': 8,
  'privilege withdrawn': 9,
  'aa compromise': 10,
} as const;

export type RevocationReason = keyof typeof reasonNumbers;

export const reasonOfNumber: ReadonlyMap<number, RevocationReason> = new Map(
  Object.entries(reasonNumbers).map(([reason, number]) => [number as number, reason as RevocationReason]),
);

export interface RevokedCertificate {
  /** Content octets of the serial number. */
  serial: Buffer;
  /** Epoch milliseconds. */
  revokedAt: number;
  reason?: RevocationReason;
  /** Who issued it and those that follow, where that is not the list's issuer (RFC 5280 section 5.3.3). */
  certificateIssuer?: readonly GeneralName[];
  /** A critical extension of the entry that is not understood here, by object identifier. */
  unknownCritical?: string;
}

/** A list as it is to be, but for its entries. */
export interface CrlFrame {
  issuer: Name;
  /** Rises with each list of an issuer (RFC 5280 section 5.2.3). */
  number: number | bigint;
  /** Epoch milliseconds. */
  thisUpdate: number;
  nextUpdate: number;
  /** Key identifier of the issuer's certificate. */
  authorityKeyId: Uint8Array;
  /** The number of the complete list that this one, a delta, tells changes since (RFC 5280 section 5.2.4). */
  deltaOf?: number | bigint;
  /** Where deltas on this list are found (RFC 5280 section 5.2.6). */
  freshest?: readonly string[];
}

export interface CrlTemplate extends CrlFrame {
  revoked: readonly RevokedCertificate[];
}

/** A signed list, and where in it its entries stand: from `start` to `end`, one after another. */
export interface FramedCrl {
  der: Buffer;
  entries: { start: number; end: number };
}

/** A certificate revocation list (RFC 5280 section 5). */
export interface CertificateList {
  readonly der: Buffer;
  /** What the signature is over. */
  readonly tbs: Buffer;
  readonly issuer: Name;
  /** Epoch milliseconds. */
  readonly thisUpdate: number;
  readonly nextUpdate?: number;
  readonly revoked: readonly RevokedCertificate[];
  readonly number?: bigint;
  readonly authorityKeyId?: Buffer;
  readonly extensions: readonly Extension[];
  /** AlgorithmIdentifier, DER. */
  readonly signatureAlgorithm: Buffer;
  readonly signature: Buffer;
}

/** A list of a million entries stays below it. */
const limits = { sizeBytes: 64 * 2 ** 20, depth: 16 };

/** Signs a version 2 list and answers its DER. */
export async function buildCrl({ revoked, ...frame }: CrlTemplate, signer: Signer): Promise<Buffer> {
  return (await frameCrl(frame, revoked.map(writeRevoked), signer)).der;
}

/**
 * Signs a version 2 list of `entries`: DER of any number of them each, as `writeRevoked` writes one. Without any the
 * list of them is left out, as RFC 5280 section 5.1.2.6 asks.
 */
export async function frameCrl(
  frame: CrlFrame,
  entries: readonly Uint8Array[],
  signer: Signer,
): Promise<FramedCrl> {
  const { issuer, thisUpdate, nextUpdate } = frame;
  const extensions = writeDer((writer) =>
    writer.wrap(contextConstructed(0), () => writeExtensions(writer, extensionsOf(frame))),
  );
  const length = entries.reduce((sum, piece) => sum + piece.length, 0);
  const tbs = writeDer((writer) =>
    writer.sequence(() => {
      writer.smallInteger(1).raw(signer.algorithm).raw(issuer.der).time(thisUpdate).time(nextUpdate);
      if (length > 0) {
        writer.sequence(() => {
          for (const piece of entries) writer.raw(piece);
        });
      }
      writer.raw(extensions);
    }),
  );
  const signature = await signer.sign(tbs);
  const der = signedDocument(tbs, signer.algorithm, signature);
  const after = writeDer((writer) => writer.raw(extensions).raw(signer.algorithm).bitString(signature));
  const end = der.length - after.length;
  return { der, entries: { start: end - length, end } };
}

function extensionsOf({ authorityKeyId, number, deltaOf, freshest = [] }: CrlFrame): Extension[] {
  return [
    authorityKeyIdentifier(authorityKeyId),
    { oid: oids.crlNumber, critical: false, value: numberValue(number) },
    ...(deltaOf === undefined
      ? []
      : [{ oid: oids.deltaCrlIndicator, critical: true, value: numberValue(deltaOf) }]),
    ...(freshest.length === 0 ? [] : [{ ...crlDistributionPoints(freshest), oid: oids.freshestCrl }]),
  ];
}

/** DER of one entry. */
export function writeRevoked({ serial, revokedAt, reason }: RevokedCertificate): Buffer {
  return writeDer((writer) =>
    writer.sequence(() => {
      writer.primitive(tags.integer, serial).time(revokedAt);
      // Unspecified is said by saying nothing (RFC 5280 section 5.3.1).
      if (reason === undefined || reason === 'unspecified') return;
      const value = writeDer((inner) => inner.smallInteger(reasonNumbers[reason], tags.enumerated));
      writeExtensions(writer, [{ oid: oids.crlReason, critical: false, value }]);
    }),
  );
}

function numberValue(number: number | bigint): Buffer {
  const hex = BigInt(number).toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return writeDer((writer) => writer.unsignedInteger(bytes));
}

/**
 * Reads a list, strictly, version 1 included.
 *
 * @throws Fault `x509.crl.malformed`, with the fault that says where as its cause.
 */
export function readCrl(der: Buffer): CertificateList {
  try {
    return readDer(der, (reader) => ({ der, ...readInside(reader, tags.sequence, readFields) }), limits);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw crlFault('malformed', `the revocation list is malformed: ${cause.message}`, cause);
  }
}

function readFields(reader: DerReader): Omit<CertificateList, 'der'> {
  const { der: tbs, value } = readWhole(reader, tags.sequence, readTbs);
  const { algorithm, ...fields } = value;
  const signatureAlgorithm = readAlgorithmIdentifier(reader);
  if (!algorithm.equals(signatureAlgorithm)) {
    throw crlFault('structure', 'it names one signature algorithm inside and another outside');
  }
  return { tbs, ...fields, signatureAlgorithm, signature: reader.bitStringBytes() };
}

function readTbs(reader: DerReader) {
  const version = reader.nextTag === tags.integer ? reader.smallInteger(1) : 0;
  const algorithm = readAlgorithmIdentifier(reader);
  const issuer = readNameFrom(reader);
  const thisUpdate = reader.time();
  const timed = reader.nextTag === tags.utcTime || reader.nextTag === tags.generalizedTime;
  const nextUpdate = timed ? { nextUpdate: reader.time() } : {};
  const revoked =
    reader.nextTag === tags.sequence
      ? readInside(reader, tags.sequence, (inner) =>
          readEach(inner, (each) => readInside(each, tags.sequence, readEntry)),
        )
      : [];
  const extensions = reader.atEnd ? [] : readInside(reader, contextConstructed(0), readExtensions);
  if (extensions.length > 0 && version === 0) throw crlFault('structure', 'version 1 has no extensions');
  return {
    algorithm,
    issuer,
    thisUpdate,
    ...nextUpdate,
    revoked,
    extensions,
    ...readOwnExtensions(extensions),
  };
}

const knownOfEntries = new Set<string>([oids.crlReason, oids.certificateIssuer, oids.invalidityDate]);

function readEntry(reader: DerReader): RevokedCertificate {
  const serial = reader.integer();
  const revokedAt = reader.time();
  if (reader.atEnd) return { serial, revokedAt };
  const extensions = readExtensions(reader);
  const reason = findExtension(extensions, oids.crlReason);
  const issuer = findExtension(extensions, oids.certificateIssuer);
  const unknown = extensions.find(({ oid, critical }) => critical && !knownOfEntries.has(oid));
  return {
    serial,
    revokedAt,
    ...(reason ? { reason: readReason(reason.value) } : {}),
    ...(issuer
      ? {
          certificateIssuer: readValue('certificate issuer', issuer.value, (inner) =>
            readGeneralNames(inner),
          ),
        }
      : {}),
    ...(unknown ? { unknownCritical: unknown.oid } : {}),
  };
}

function readReason(value: Buffer): RevocationReason {
  const number = readValue('CRL reason', value, (inner) => inner.smallInteger(10, tags.enumerated));
  const reason = reasonOfNumber.get(number);
  if (!reason) throw crlFault('structure', `reason ${number} is none`);
  return reason;
}

function readOwnExtensions(
  extensions: readonly Extension[],
): Pick<CertificateList, 'number' | 'authorityKeyId'> {
  const number = findExtension(extensions, oids.crlNumber);
  const authority = findExtension(extensions, oids.authorityKeyIdentifier);
  const keyId = authority && readAuthorityKeyIdentifier(authority.value).keyId;
  return {
    ...(number ? { number: readCrlNumber(number.value) } : {}),
    ...(keyId ? { authorityKeyId: keyId } : {}),
  };
}

/** The number of a list: its own, or that of the list a delta builds on. */
export function readCrlNumber(value: Buffer): bigint {
  const content = readValue('CRL number', value, (reader) => reader.integer());
  if (content[0]! >= 0x80 || content.length > 21)
    throw crlFault('structure', 'its number is negative or too large');
  return BigInt(`0x${content.toString('hex')}`);
}

/** PEM, ending in a newline. */
export function crlPem(der: Uint8Array): string {
  return encodePem('X509 CRL', der);
}

function crlFault(kind: string, message: string, cause?: unknown): Fault {
  return new Fault(message, { code: `x509.crl.${kind}`, blame: 'caller', cause });
}
