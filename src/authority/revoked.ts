import type { RevocationReason } from '../x509/crl.ts';

export interface Revoked {
  /** Epoch milliseconds. */
  revokedAtMs: number;
  /** Empty where no issuer is known that signed it. */
  issuerId: string;
  reason?: RevocationReason;
}

/** What a revocation leaves in the store, under the serial and, until a complete list has it, under the list. */
export interface RevokedRecord extends Revoked {
  /** The list that it belongs on; `unclaimed` while no issuer is known. */
  list: string;
  /** Of the certificate, epoch milliseconds. */
  notAfter: number;
}

export function readRevoked(value: Buffer): RevokedRecord {
  return JSON.parse(value.toString()) as RevokedRecord;
}
