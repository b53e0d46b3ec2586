import { Fault } from '../base/fault.ts';
import type { Certificate } from './certificate.ts';
import {
  contextConstructed,
  type DerReader,
  type DerWriter,
  readDer,
  readEach,
  readInside,
  tags,
  writeDer,
} from './der.ts';
import { type Extension, findExtension, readExtensions, readValue, writeExtensions } from './extension.ts';
import { readGeneralName } from './general-name.ts';
import { type CertId, issuerHashes, readCertId } from './ocsp-cert-id.ts';
import { oids } from './oid.ts';

export interface OcspRequest {
  /** One at least. */
  certificates: readonly CertId[];
  /** To be repeated in the answer, so that it cannot be an old one (RFC 9654). */
  nonce?: Buffer;
}

/** Real ones have some 100 bytes. */
const limits = { sizeBytes: 4_096, depth: 12 };
const mostCertificates = 16;
/** RFC 9654 section 2.1. */
const longestNonce = 128;

/**
 * Reads a request. Who signed it, if anybody did, is not looked at: answers are for everyone.
 *
 * @throws Fault `x509.ocsp.request`, with the fault that says where as its cause
 */
export function readOcspRequest(der: Buffer): OcspRequest {
  try {
    return readDer(der, (reader) => readInside(reader, tags.sequence, readSignable), limits);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw requestFault(`the OCSP request is malformed: ${cause.message}`, cause);
  }
}

function readSignable(reader: DerReader): OcspRequest {
  const request = readInside(reader, tags.sequence, readTbs);
  if (reader.nextTag === contextConstructed(0)) reader.anything();
  return request;
}

function readTbs(reader: DerReader): OcspRequest {
  // Version 1 is the default, and all there is; some spell it out.
  if (reader.nextTag === contextConstructed(0)) {
    readInside(reader, contextConstructed(0), (inner) => inner.smallInteger(0));
  }
  if (reader.nextTag === contextConstructed(1)) readInside(reader, contextConstructed(1), readGeneralName);
  const certificates = readInside(reader, tags.sequence, (inner) =>
    readEach(inner, (each) => readInside(each, tags.sequence, readSingle)),
  );
  if (certificates.length === 0 || certificates.length > mostCertificates) {
    throw requestFault(`it asks about ${certificates.length} certificates; 1 to ${mostCertificates} may be`);
  }
  const extensions = reader.atEnd ? [] : readInside(reader, contextConstructed(2), readExtensions);
  checkCritical(extensions);
  const nonce = findExtension(extensions, oids.ocspNonce);
  return { certificates, ...(nonce ? { nonce: readNonce(nonce.value) } : {}) };
}

function readSingle(reader: DerReader): CertId {
  const id = readCertId(reader);
  if (!reader.atEnd) checkCritical(readInside(reader, contextConstructed(0), readExtensions));
  return id;
}

function checkCritical(extensions: readonly Extension[]): void {
  const unknown = extensions.find(({ oid, critical }) => critical && oid !== oids.ocspNonce);
  if (unknown) throw requestFault(`extension ${unknown.oid} is critical and not known here`);
}

function readNonce(value: Buffer): Buffer {
  const nonce = readValue('nonce', value, (reader) => reader.octetString());
  if (nonce.length >= 1 && nonce.length <= longestNonce) return nonce;
  throw requestFault(`its nonce has ${nonce.length} bytes; 1 to ${longestNonce} may be`);
}

/** DER of a request about one certificate, by SHA-1: every responder knows it. */
export function buildOcspRequest(certificate: Certificate, issuer: Certificate, nonce?: Uint8Array): Buffer {
  const { issuerNameHash, issuerKeyHash } = issuerHashes(issuer, 'sha1');
  const writeId = (writer: DerWriter) =>
    writer.sequence(() => {
      writer.sequence(() => writer.oid(oids.sha1).null());
      writer
        .octetString(issuerNameHash)
        .octetString(issuerKeyHash)
        .primitive(tags.integer, certificate.serial);
    });
  return writeDer((writer) =>
    writer.sequence(() =>
      writer.sequence(() => {
        writer.sequence(() => writer.sequence(() => writeId(writer)));
        if (nonce) writer.wrap(contextConstructed(2), () => writeExtensions(writer, [ocspNonce(nonce)]));
      }),
    ),
  );
}

export function ocspNonce(nonce: Uint8Array): Extension {
  return { oid: oids.ocspNonce, critical: false, value: writeDer((writer) => writer.octetString(nonce)) };
}

function requestFault(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'x509.ocsp.request', blame: 'caller', cause });
}
