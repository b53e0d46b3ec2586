import { type Certificate, isSignedBy } from '../x509/certificate.ts';
import { sameName } from '../x509/name.ts';
import type { Issuer } from './issuer.ts';

/** The issuer whose key made the signature of `certificate`, if it is among `issuers`. */
export function signerAmong(issuers: readonly Issuer[], certificate: Certificate): Issuer | undefined {
  return issuers.find(
    (issuer) =>
      sameName(issuer.certificate.subject, certificate.issuer) && isSignedBy(certificate, issuer.certificate),
  );
}
