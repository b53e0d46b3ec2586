import { buildCertificate, type Certificate } from '../x509/certificate.ts';
import {
  authorityInfoAccess,
  authorityKeyIdentifier,
  crlDistributionPoints,
  type Extension,
} from '../x509/extension.ts';
import { keyIdentifier } from '../x509/key.ts';
import { oids } from '../x509/oid.ts';
import { type NewHash, signatureAlgorithm, signerOf } from '../x509/signature.ts';
import type { AiaUrls } from './ca-request.ts';
import type { Ledger } from './ledger.ts';
import { refused } from './refused.ts';
import { issuerToSign, type SigningIssuer } from './signing-issuer.ts';

export interface SelfIssuedSigning {
  /**
   * Signs another's self-issued CA certificate, as it is save for its issuer and where that is found, so that who
   * trusts this authority trusts that CA (cross-signing). It is not kept. `sameKind`: only where both keys are of one
   * kind.
   */
  signSelfIssued(
    issuer: string,
    certificate: Certificate,
    options: { sameKind: boolean },
  ): Promise<{ certificate: Certificate; issuer: Certificate }>;
}

export function selfIssuedSigning(ledger: Ledger): SelfIssuedSigning {
  return {
    signSelfIssued: async (reference, certificate, { sameKind }) => {
      if (!certificate.isCa) throw refused('self-issued', 'given certificate is not a CA certificate');
      if (!certificate.subject.der.equals(certificate.issuer.der)) {
        throw refused('self-issued', 'given certificate is not self-issued');
      }
      const by = issuerToSign(ledger.holdings(), reference);
      const [ours, theirs] = [by.issuer.certificate.publicKey.spec.type, certificate.publicKey.spec.type];
      if (sameKind && ours !== theirs) {
        throw refused(
          'self-issued',
          `signing certificate's public key algorithm (${ours}) does not match submitted certificate's (${theirs}), ` +
            'and require_matching_certificate_algorithms is true',
        );
      }
      return { certificate: await signAnew(certificate, by), issuer: by.issuer.certificate };
    },
  };
}

function signAnew(
  certificate: Certificate,
  { issuer, privateKey, urls }: SigningIssuer,
): Promise<Certificate> {
  const { serial, subject, notBefore, notAfter, publicKey } = certificate;
  const made = signatureAlgorithm(certificate.signatureAlgorithm);
  const alike = made?.keyType === privateKey.spec.type && made.hash !== 'SHA-1' ? made : undefined;
  const signer = signerOf(privateKey, alike?.hash as NewHash | undefined, alike?.padding);
  const { certificate: above } = issuer;
  const keyId = above.subjectKeyId ?? keyIdentifier(above.publicKey);
  const template = {
    serial,
    issuer: above.subject,
    subject,
    notBefore,
    notAfter,
    publicKey,
    extensions: extensionsAnew(certificate.extensions, keyId, urls),
  };
  return buildCertificate(template, signer);
}

/** What a certificate says of itself, and what the new issuer says of itself; in Go's order, and nothing else. */
function extensionsAnew(given: readonly Extension[], keyId: Buffer, urls: AiaUrls): Extension[] {
  const { issuingCertificates: caIssuers, ocspServers: ocsp } = urls;
  const kept = (...wanted: readonly string[]) =>
    wanted.flatMap((oid) => given.filter((extension) => extension.oid === oid));
  return [
    ...kept(oids.keyUsage, oids.extendedKeyUsage, oids.basicConstraints, oids.subjectKeyIdentifier),
    authorityKeyIdentifier(keyId),
    ...(caIssuers.length + ocsp.length > 0 ? [authorityInfoAccess({ ocsp, caIssuers })] : []),
    ...kept(oids.subjectAltName, oids.certificatePolicies, oids.nameConstraints),
    ...(urls.crlDistributionPoints.length > 0 ? [crlDistributionPoints(urls.crlDistributionPoints)] : []),
  ];
}
