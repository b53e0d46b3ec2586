import type { NameParts } from '../x509/name.ts';
import type { ValidityRequest } from './validity.ts';

/** Where relying parties find an issuer's certificate and what it revoked. */
export interface AiaUrls {
  issuingCertificates: readonly string[];
  crlDistributionPoints: readonly string[];
  deltaCrlDistributionPoints: readonly string[];
  ocspServers: readonly string[];
}

/** URLs as they are set: with `templates`, `{{issuer_id}}` and the like stand in them for what signing knows. */
export interface AiaConfig extends AiaUrls {
  templates?: boolean;
}

export const noUrls: AiaUrls = {
  issuingCertificates: [],
  crlDistributionPoints: [],
  deltaCrlDistributionPoints: [],
  ocspServers: [],
};

/** What is asked for in a CA certificate, root or intermediate. */
export interface CaRequest {
  commonName: string;
  /** The rest of the subject. */
  subject: Omit<NameParts, 'commonName'>;
  excludeCommonName: boolean;
  altNames: readonly string[];
  ipSans: readonly string[];
  uriSans: readonly string[];
  otherSans: readonly string[];
  validity: ValidityRequest;
  /** How many CAs may follow below; undefined for what the issuer leaves. */
  maxPathLength: number | undefined;
  permittedDnsDomains: readonly string[];
  /** By Go's names, such as `DigitalSignature`; certificate and CRL signing come of themselves. */
  keyUsage: readonly string[];
  /** In place of the hash of the public key. */
  subjectKeyId: Buffer | undefined;
}
