import { dayMs, hourMs } from '../../base/duration.ts';
import { type Certificate } from '../../x509/certificate.ts';
import { decodeBase64Url } from './jws.ts';
import { malformed, Problem } from './problem.ts';

/** When a certificate is best renewed (RFC 9773 section 4.2). Epoch milliseconds. */
export interface RenewalWindow {
  startMs: number;
  endMs: number;
}

export interface RenewalFacts {
  /** When it, or what signed it, was revoked. */
  revokedAtMs?: number;
  /** Since when another issuer takes the place of the one that signed it. */
  succeededSinceMs?: number;
}

/** After how long clients should ask again. */
export const renewalRetryAfterMs = 6 * hourMs;

/**
 * Pure. Usually from two thirds of the certificate's life on, a sixth of what is left at that time wide, so that what
 * was issued together is not renewed together. What is revoked is due at once; what hangs on an issuer that is being
 * replaced, within a day of that.
 */
export function renewalWindow(
  { notBefore, notAfter }: Pick<Certificate, 'notBefore' | 'notAfter'>,
  { revokedAtMs, succeededSinceMs }: RenewalFacts,
): RenewalWindow {
  if (revokedAtMs !== undefined) return { startMs: revokedAtMs - hourMs, endMs: revokedAtMs };
  const lifeMs = notAfter - notBefore;
  const startMs = notBefore + Math.floor((lifeMs * 2) / 3);
  const endMs = startMs + Math.floor(lifeMs / 18);
  if (succeededSinceMs === undefined) return { startMs, endMs };
  const soonMs = Math.min(Math.max(succeededSinceMs, notBefore), startMs);
  return { startMs: soonMs, endMs: Math.min(soonMs + dayMs, endMs) };
}

/** What names a certificate to ACME: its authority key identifier and serial number (RFC 9773 section 4.1). */
export interface CertificateName {
  authorityKeyId: Buffer;
  /** Content octets. */
  serial: Buffer;
}

/** @throws Problem `malformed` */
export function readCertificateName(text: unknown): CertificateName {
  const [keyId, serial, ...more] = typeof text === 'string' ? text.split('.') : [];
  if (!keyId || !serial || more.length > 0)
    throw malformed('a certificate is named by its key identifier and serial');
  return {
    authorityKeyId: decodeBase64Url(keyId, 'the key identifier'),
    serial: decodeBase64Url(serial, 'the serial number'),
  };
}

export function certificateName({
  authorityKeyId,
  serial,
}: Pick<Certificate, 'authorityKeyId' | 'serial'>): string {
  return `${(authorityKeyId ?? Buffer.alloc(0)).toString('base64url')}.${serial.toString('base64url')}`;
}

export function unknownCertificate(): Problem {
  return new Problem('malformed', 'there is no such certificate', { status: 404 });
}
