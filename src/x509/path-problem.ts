import type { Certificate } from './certificate.ts';
import { nameInWords } from './subject.ts';

/** Why a certificate cannot stand where it would in a path. */
export interface Problem {
  /** Stable, like a fault's: `x509.verify.expired`. */
  code: string;
  /** Names the certificate by its subject, and the dates where they matter. */
  reason: string;
}

export function problem(kind: string, certificate: Certificate, says: string): Problem {
  return { code: `x509.verify.${kind}`, reason: `${nameInWords(certificate)} ${says}` };
}
