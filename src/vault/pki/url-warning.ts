import type { AiaUrls } from '../../authority/ca-request.ts';

/** Whether certificates would say nothing of where their issuer and what it revoked are found. */
export function lacksUrls({ issuingCertificates, crlDistributionPoints, ocspServers }: AiaUrls): boolean {
  return issuingCertificates.length + crlDistributionPoints.length + ocspServers.length === 0;
}

export const lacksUrlsWarning =
  "This mount hasn't configured any authority information access (AIA) fields; this may make it harder for systems to " +
  'find missing certificates in the chain or to validate revocation status of certificates. Consider updating ' +
  '/config/urls or the newly generated issuer with this information.';
