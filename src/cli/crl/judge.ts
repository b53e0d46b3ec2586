import type { Certificate } from '../../x509/certificate.ts';
import type { CertificateList } from '../../x509/crl.ts';
import { sameName } from '../../x509/name.ts';
import { verifySignature } from '../../x509/signature.ts';

/** Whether a revocation list can be relied on; else why not, in step's words where it has them. */
export type CrlVerdict = { valid: true } | { valid: false; reason?: string };

/**
 * Judges a list by the certificates that may be its CA's: it must be signed by one of them that may sign lists and
 * has not expired, and its next update must be to come. Without any certificate there is no reason to give.
 */
export function judgeCrl(list: CertificateList, authorities: readonly Certificate[], at: number): CrlVerdict {
  if (authorities.length === 0) return { valid: false };
  const issuers = authorities.filter((authority) => mayHaveIssued(authority, list));
  if (issuers.length === 0) return { valid: false, reason: 'No CA certificate is of its issuer' };
  if (list.nextUpdate === undefined) return { valid: false, reason: 'CRL names no next update' };
  if (at > list.nextUpdate) return { valid: false, reason: 'CRL has expired' };
  if (at < list.thisUpdate) return { valid: false, reason: 'CRL is not valid yet' };
  const current = issuers.filter(({ notAfter }) => at <= notAfter);
  if (current.length === 0) return { valid: false, reason: 'CA certificate has expired' };
  if (current.some((issuer) => isSignedBy(list, issuer))) return { valid: true };
  return { valid: false, reason: 'Signature does not match' };
}

function mayHaveIssued(authority: Certificate, list: CertificateList): boolean {
  const { keyUsage, subjectKeyId } = authority;
  if (keyUsage && !keyUsage.includes('crl sign')) return false;
  if (!sameName(authority.subject, list.issuer)) return false;
  return !subjectKeyId || !list.authorityKeyId || subjectKeyId.equals(list.authorityKeyId);
}

function isSignedBy(list: CertificateList, { publicKey }: Certificate): boolean {
  const { signatureAlgorithm: algorithm, tbs: bytes, signature } = list;
  return verifySignature({ algorithm, bytes, signature, publicKey });
}
