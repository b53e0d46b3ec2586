import { Fault } from '../base/fault.ts';
import { type RevocationReason, reasonNumbers, reasonOfNumber } from './crl.ts';
import {
  context,
  contextConstructed,
  type DerReader,
  type DerWriter,
  readDer,
  readEach,
  readInside,
  readWhole,
  tags,
  writeDer,
} from './der.ts';
import { digitsOf } from './der-time.ts';
import { findExtension, readExtensions, readValue, writeExtensions } from './extension.ts';
import { type CertId, readCertId } from './ocsp-cert-id.ts';
import { ocspNonce } from './ocsp-request.ts';
import { oids } from './oid.ts';
import { readAlgorithmIdentifier, type Signer } from './signature.ts';

/** RFC 6960 section 4.2.1, by its numbers; 4 is not used. */
const statusNumbers = {
  successful: 0,
  'malformed request': 1,
  'internal error': 2,
  'try later': 3,
  'signature required': 5,
  unauthorized: 6,
} as const;

export type OcspResponseStatus = keyof typeof statusNumbers;

export type CertificateStatus =
  | { status: 'good' | 'unknown' }
  | {
      status: 'revoked';
      /** Epoch milliseconds. */
      revokedAt: number;
      reason?: RevocationReason;
    };

export interface SingleResponse {
  certificate: CertId;
  is: CertificateStatus;
  /** Epoch milliseconds. */
  thisUpdate: number;
  /** Where absent, newer word can be had at any time. */
  nextUpdate?: number;
}

export interface OcspTemplate {
  producedAt: number;
  responses: readonly SingleResponse[];
  /** Key identifier of the responder: SHA-1 of the bits of its public key. */
  responderKeyId: Uint8Array;
  nonce?: Uint8Array;
}

/** A basic response (RFC 6960 section 4.2.1). */
export interface OcspResponse {
  status: OcspResponseStatus;
  /** Present where it was successful. */
  basic?: {
    /** What the signature is over. */
    tbs: Buffer;
    producedAt: number;
    responses: readonly SingleResponse[];
    nonce?: Buffer;
    /** AlgorithmIdentifier, DER. */
    signatureAlgorithm: Buffer;
    signature: Buffer;
    /** DER of the certificates that came along. */
    certificates: readonly Buffer[];
  };
}

/** DER of an answer that tells nothing but why there is none; it is not signed. */
export function ocspError(status: Exclude<OcspResponseStatus, 'successful'>): Buffer {
  return writeDer((writer) =>
    writer.sequence(() => writer.smallInteger(statusNumbers[status], tags.enumerated)),
  );
}

/** Signs an answer and tells its DER. The issuer itself signs, so no certificate comes along. */
export async function buildOcspResponse(template: OcspTemplate, signer: Signer): Promise<Buffer> {
  const { producedAt, responses, responderKeyId, nonce } = template;
  const tbs = writeDer((writer) =>
    writer.sequence(() => {
      writer.wrap(contextConstructed(2), () => writer.octetString(responderKeyId));
      writeTime(writer, producedAt);
      writer.sequence(() => {
        for (const response of responses) writeSingle(writer, response);
      });
      if (nonce) writer.wrap(contextConstructed(1), () => writeExtensions(writer, [ocspNonce(nonce)]));
    }),
  );
  const signature = await signer.sign(tbs);
  return writeDer((writer) =>
    writer.sequence(() => {
      writer.smallInteger(statusNumbers.successful, tags.enumerated);
      writer.wrap(contextConstructed(0), () =>
        writer.sequence(() => {
          writer.oid(oids.ocspBasic);
          writer.octetStringOf(() =>
            writer.sequence(() => writer.raw(tbs).raw(signer.algorithm).bitString(signature)),
          );
        }),
      );
    }),
  );
}

function writeSingle(writer: DerWriter, { certificate, is, thisUpdate, nextUpdate }: SingleResponse): void {
  writer.sequence(() => {
    writer.raw(certificate.der);
    if (is.status === 'revoked') {
      writer.wrap(contextConstructed(1), () => {
        writeTime(writer, is.revokedAt);
        const { reason } = is;
        if (reason === undefined || reason === 'unspecified') return;
        writer.wrap(contextConstructed(0), () => writer.smallInteger(reasonNumbers[reason], tags.enumerated));
      });
    } else {
      writer.primitive(context(is.status === 'good' ? 0 : 2), new Uint8Array());
    }
    writeTime(writer, thisUpdate);
    if (nextUpdate !== undefined) {
      writer.wrap(contextConstructed(0), () => writeTime(writer, nextUpdate));
    }
  });
}

/** Times are GeneralizedTime here, whatever the year. */
function writeTime(writer: DerWriter, timeMs: number): void {
  writer.text(tags.generalizedTime, digitsOf(timeMs));
}

const limits = { sizeBytes: 2 ** 20, depth: 32 };
const statusOfNumber = new Map(
  Object.entries(statusNumbers).map(([status, number]) => [number as number, status as OcspResponseStatus]),
);

/** @throws Fault `x509.ocsp.response`, with the fault that says where as its cause */
export function readOcspResponse(der: Buffer): OcspResponse {
  try {
    return readDer(der, (reader) => readInside(reader, tags.sequence, readStatusAndBytes), limits);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw responseFault(`the OCSP response is malformed: ${cause.message}`, cause);
  }
}

function readStatusAndBytes(reader: DerReader): OcspResponse {
  const status = statusOfNumber.get(reader.smallInteger(255, tags.enumerated));
  if (!status) throw responseFault('its status is none that RFC 6960 knows');
  if (status !== 'successful') return { status };
  const bytes = readInside(reader, contextConstructed(0), (inner) =>
    readInside(inner, tags.sequence, (typed) => {
      if (typed.oid() !== oids.ocspBasic) throw responseFault('it is not a basic response');
      return typed.octetString();
    }),
  );
  return { status, basic: readDer(bytes, (inner) => readInside(inner, tags.sequence, readBasic), limits) };
}

function readBasic(reader: DerReader): NonNullable<OcspResponse['basic']> {
  const { der: tbs, value } = readWhole(reader, tags.sequence, readData);
  const signatureAlgorithm = readAlgorithmIdentifier(reader);
  const signature = reader.bitStringBytes();
  const certificates = reader.atEnd
    ? []
    : readInside(reader, contextConstructed(0), (inner) =>
        readInside(inner, tags.sequence, (list) => readEach(list, (each) => each.element(tags.sequence))),
      );
  return { tbs, ...value, signatureAlgorithm, signature, certificates };
}

function readData(reader: DerReader) {
  if (reader.nextTag === contextConstructed(0)) {
    readInside(reader, contextConstructed(0), (inner) => inner.smallInteger(0));
  }
  // By name or by key: whoever it is has to have signed.
  reader.element(reader.nextTag === contextConstructed(1) ? contextConstructed(1) : contextConstructed(2));
  const producedAt = reader.time();
  const responses = readInside(reader, tags.sequence, (inner) =>
    readEach(inner, (each) => readInside(each, tags.sequence, readSingle)),
  );
  const extensions = reader.atEnd ? [] : readInside(reader, contextConstructed(1), readExtensions);
  const nonce = findExtension(extensions, oids.ocspNonce);
  return {
    producedAt,
    responses,
    ...(nonce ? { nonce: readValue('nonce', nonce.value, (inner) => inner.octetString()) } : {}),
  };
}

function readSingle(reader: DerReader): SingleResponse {
  const certificate = readCertId(reader);
  const is = readCertificateStatus(reader);
  const thisUpdate = reader.time();
  const nextUpdate =
    reader.nextTag === contextConstructed(0)
      ? { nextUpdate: readInside(reader, contextConstructed(0), (inner) => inner.time()) }
      : {};
  if (!reader.atEnd) readInside(reader, contextConstructed(1), readExtensions);
  return { certificate, is, thisUpdate, ...nextUpdate };
}

function readCertificateStatus(reader: DerReader): CertificateStatus {
  if (reader.nextTag !== contextConstructed(1)) {
    const good = reader.nextTag === context(0);
    if (reader.content(context(good ? 0 : 2)).length > 0) throw responseFault('a status with content');
    return { status: good ? 'good' : 'unknown' };
  }
  return readInside(reader, contextConstructed(1), (inner) => {
    const revokedAt = inner.time();
    if (inner.atEnd) return { status: 'revoked', revokedAt };
    const number = readInside(inner, contextConstructed(0), (one) => one.smallInteger(10, tags.enumerated));
    const reason = reasonOfNumber.get(number);
    if (!reason) throw responseFault(`reason ${number} is none`);
    return { status: 'revoked', revokedAt, reason };
  });
}

function responseFault(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'x509.ocsp.response', blame: 'caller', cause });
}
