import { Fault } from '../base/fault.ts';
import { bytesField, bytesOf, integerField, integerOf, readFields, textOf } from './grpc-protobuf.ts';

/**
 * Linkerd's identity protocol (linkerd2-proxy-api, proto/identity.proto):
 *
 * ```proto
 * package io.linkerd.proxy.identity;
 * service Identity { rpc Certify(CertifyRequest) returns (CertifyResponse) {} }
 * message CertifyRequest  { string identity = 1; bytes token = 2; bytes certificate_signing_request = 3; }
 * message CertifyResponse { bytes leaf_certificate = 1; repeated bytes intermediate_certificates = 2;
 *                           google.protobuf.Timestamp valid_until = 3; }
 * message Timestamp       { int64 seconds = 1; int32 nanos = 2; }
 * ```
 *
 * The comments there speak of PEM; Linkerd's service and proxy both put DER into these fields, and so do we.
 */
export const certifyPath = '/io.linkerd.proxy.identity.Identity/Certify';

export interface CertifyRequest {
  identity: string;
  /** A service-account token, as its file holds it. */
  token: Buffer;
  /** PKCS #10, DER. */
  certificateSigningRequest: Buffer;
}

export interface CertifyResponse {
  /** DER */
  leafCertificate: Buffer;
  /** DER, the leaf's issuer first; the root is not among them. */
  intermediateCertificates: readonly Buffer[];
  /** Epoch milliseconds; undefined where the far end sent none. */
  validUntilMs: number | undefined;
}

const none = Buffer.alloc(0);

/** Absent fields read as empty, unknown ones are skipped, of a repeated one the last counts, as proto3 has it. */
export function readCertifyRequest(message: Buffer): CertifyRequest {
  const request: CertifyRequest = { identity: '', token: none, certificateSigningRequest: none };
  for (const field of readFields(message)) {
    if (field.number === 1) request.identity = textOf(field);
    else if (field.number === 2) request.token = bytesOf(field);
    else if (field.number === 3) request.certificateSigningRequest = bytesOf(field);
  }
  return request;
}

export function writeCertifyRequest(request: CertifyRequest): Buffer {
  return Buffer.concat([
    bytesField(1, Buffer.from(request.identity, 'utf8')),
    bytesField(2, request.token),
    bytesField(3, request.certificateSigningRequest),
  ]);
}

export function readCertifyResponse(message: Buffer): CertifyResponse {
  let leafCertificate: Buffer = none;
  let validUntilMs: number | undefined;
  const intermediateCertificates: Buffer[] = [];
  for (const field of readFields(message)) {
    if (field.number === 1) leafCertificate = bytesOf(field);
    else if (field.number === 2) intermediateCertificates.push(bytesOf(field));
    else if (field.number === 3) validUntilMs = readTimestamp(bytesOf(field));
  }
  return { leafCertificate, intermediateCertificates, validUntilMs };
}

export function writeCertifyResponse(response: CertifyResponse): Buffer {
  const { leafCertificate, intermediateCertificates, validUntilMs } = response;
  return Buffer.concat([
    bytesField(1, leafCertificate),
    ...intermediateCertificates.map((certificate) => bytesField(2, certificate, { evenEmpty: true })),
    ...(validUntilMs === undefined ? [] : [bytesField(3, writeTimestamp(validUntilMs), { evenEmpty: true })]),
  ]);
}

/** The years 1 to 9999, as timestamp.proto bounds them. */
const [earliestSeconds, latestSeconds] = [-62_135_596_800n, 253_402_300_799n];

function readTimestamp(message: Buffer): number {
  let seconds = 0n;
  let nanos = 0n;
  for (const field of readFields(message)) {
    if (field.number === 1) seconds = integerOf(field);
    else if (field.number === 2) nanos = integerOf(field);
  }
  if (seconds < earliestSeconds || seconds > latestSeconds || nanos < 0n || nanos > 999_999_999n) {
    throw new Fault(`the timestamp ${seconds}s ${nanos}ns is out of range`, {
      code: 'wire.protobuf.malformed',
      blame: 'peer',
    });
  }
  return Number(seconds) * 1_000 + Math.floor(Number(nanos) / 1e6);
}

function writeTimestamp(epochMs: number): Buffer {
  const seconds = Math.floor(epochMs / 1_000);
  const nanos = (epochMs - seconds * 1_000) * 1e6;
  return Buffer.concat([integerField(1, BigInt(seconds)), integerField(2, BigInt(nanos))]);
}
