import type { Certificate, CertificateTemplate } from '../x509/certificate.ts';
import {
  authorityInfoAccess,
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoints,
  type Extension,
  type KeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../x509/extension.ts';
import { keyIdentifier, type PublicKey } from '../x509/key.ts';
import { commonName, type Name, nameOf } from '../x509/name.ts';
import { oids } from '../x509/oid.ts';
import type { CertificateRequest } from '../x509/request.ts';
import { decideAltNames } from './alt-names.ts';
import type { AiaUrls, CaRequest } from './ca-request.ts';
import { permittedDnsDomains } from './der-text.ts';
import { refused } from './refused.ts';
import { type BeyondIssuer, decideValidity, type TtlLimits } from './validity.ts';

/** What is decided about a certificate before anything is signed. */
export interface IssuingPlan {
  template: CertificateTemplate;
  warnings: string[];
}

export interface Circumstances {
  urls: AiaUrls;
  limits: TtlLimits;
  nowMs: number;
  /** Drawn for this certificate. */
  serial: Buffer;
}

/** The template of a self-signed root for `publicKey`. @throws Fault `authority.*` */
export function planRoot(request: CaRequest, publicKey: PublicKey, at: Circumstances): IssuingPlan {
  const { notBefore, notAfter, warnings } = decideValidity(request.validity, at.limits, at.nowMs);
  const subject = nameOf({ ...request.subject, commonName: request.commonName });
  const keyId = request.subjectKeyId ?? keyIdentifier(publicKey);
  const pathLength = request.maxPathLength;
  const extensions = caExtensions(request, {
    keyId,
    authorityKeyId: keyId,
    pathLength,
    urls: at.urls,
    subject,
  });
  const template = {
    serial: at.serial,
    issuer: subject,
    subject,
    notBefore,
    notAfter,
    publicKey,
    extensions,
  };
  const plan = { template, warnings: [...issuerWarnings(template, at.urls), ...warnings] };
  if (pathLength === 0) {
    plan.warnings.push(
      'Max path length of the generated certificate is zero. ' +
        'This certificate cannot be used to issue intermediate CA certificates.',
    );
  }
  return plan;
}

export interface IntermediateRequest extends CaRequest {
  /** Take subject, names and extensions from the request for signing, not from the other parameters. */
  useCsrValues: boolean;
  /** What becomes of an end beyond the issuer's; Vault truncates from 1.17 on. */
  beyondIssuer: BeyondIssuer;
}

/** The template of a CA certificate below `issuer`. @throws Fault `authority.*` */
export function planIntermediate(
  request: IntermediateRequest,
  csr: CertificateRequest,
  issuer: Certificate,
  at: Circumstances,
): IssuingPlan {
  const end = { notAfter: issuer.notAfter, beyond: request.beyondIssuer };
  const { notBefore, notAfter, truncated, warnings } = decideValidity(
    request.validity,
    at.limits,
    at.nowMs,
    end,
  );
  const name = request.commonName || (commonName(csr.subject) ?? '');
  const subject = request.useCsrValues
    ? csr.subject
    : nameOf({ serialNumber: subjectSerial(csr), ...request.subject, commonName: name });
  const pathLength = intermediatePathLength(request.maxPathLength, issuer.pathLength);
  const own = caExtensions(
    { ...request, commonName: name },
    {
      keyId: request.subjectKeyId ?? keyIdentifier(csr.publicKey),
      authorityKeyId: issuer.subjectKeyId ?? keyIdentifier(issuer.publicKey),
      pathLength,
      urls: at.urls,
      subject,
    },
  );
  const extensions = request.useCsrValues ? withRequested(own, takenFrom(csr, request)) : own;
  const template = {
    serial: at.serial,
    issuer: issuer.subject,
    subject,
    notBefore,
    notAfter,
    publicKey: csr.publicKey,
    extensions,
  };
  return {
    template,
    warnings: [
      ...(notAfter > issuer.notAfter
        ? [
            "The expiration time for the signed certificate is after the CA's expiration time. If the new " +
              'certificate is not treated as a root, validation paths with the certificate past the issuing ' +
              "CA's expiration time will fail.",
          ]
        : []),
      ...issuerWarnings(template, at.urls),
      ...(pathLength === 0
        ? [
            'Max path length of the signed certificate is zero. ' +
              'This CA certificate cannot be used to issue intermediate CA certificates.',
          ]
        : []),
      ...warnings,
      ...(truncated
        ? ["the signed intermediary CA certificate's notAfter was truncated to the issuer's notAfter"]
        : []),
      ...keyUsageWarnings(request.keyUsage),
    ],
  };
}

/** What any CA certificate gets a warning for. */
function issuerWarnings({ subject }: { subject: Name }, urls: AiaUrls): string[] {
  const warnings: string[] = [];
  if (subject.rdns.length === 0) {
    warnings.push(
      'This issuer certificate was generated without a Subject; this makes it likely that issuing leaf certs with ' +
        'this certificate will cause TLS validation libraries to reject this certificate.',
    );
  }
  if (Object.values(urls).every((list: readonly string[]) => list.length === 0)) {
    warnings.push(
      "This mount hasn't configured any authority information access (AIA) fields; this may make it harder for " +
        'systems to find missing certificates in the chain or to validate revocation status of certificates. ' +
        'Consider updating /config/urls or the newly generated issuer with this information.',
    );
  }
  return warnings;
}

/** One fewer than the issuer's where it has a limit. */
function intermediatePathLength(
  asked: number | undefined,
  issuerLimit: number | undefined,
): number | undefined {
  if (issuerLimit === 0) {
    throw refused(
      'path-length',
      'signing certificate has a max path length of zero, and cannot issue further CA certificates',
    );
  }
  if (issuerLimit === undefined) return asked;
  if (asked === undefined) return issuerLimit - 1;
  if (asked < issuerLimit) return asked;
  throw refused(
    'path-length',
    `requested max_path_length ${asked} is not allowed: the signing CA has a pathLenConstraint of ${issuerLimit}, ` +
      `so the intermediate's pathLenConstraint must be a non-negative value less than ${issuerLimit}`,
  );
}

interface ExtensionParts {
  keyId: Buffer;
  authorityKeyId: Buffer;
  pathLength: number | undefined;
  urls: AiaUrls;
  subject: Name;
}

/** In the order in which Go's crypto/x509 writes them. */
function caExtensions(request: CaRequest, parts: ExtensionParts): Extension[] {
  const { keyId, authorityKeyId, pathLength, urls, subject } = parts;
  const names = decideAltNames(request);
  const { issuingCertificates: caIssuers, ocspServers: ocsp } = urls;
  return [
    keyUsage(caKeyUsage(request.keyUsage)),
    basicConstraints({ ca: true, ...(pathLength === undefined ? {} : { pathLength }) }),
    subjectKeyIdentifier(keyId),
    authorityKeyIdentifier(authorityKeyId),
    ...(caIssuers.length + ocsp.length > 0 ? [authorityInfoAccess({ ocsp, caIssuers })] : []),
    ...(names.length > 0 ? [subjectAltName(names, subject.rdns.length === 0)] : []),
    ...(request.permittedDnsDomains.length > 0 ? [permittedDnsDomains(request.permittedDnsDomains)] : []),
    ...(urls.crlDistributionPoints.length > 0 ? [crlDistributionPoints(urls.crlDistributionPoints)] : []),
    ...(urls.deltaCrlDistributionPoints.length > 0 ? [freshestCrl(urls.deltaCrlDistributionPoints)] : []),
  ];
}

/** Where changes since the last CRL are found: the syntax of CRL distribution points (RFC 5280 section 4.2.1.15). */
export function freshestCrl(urls: readonly string[]): Extension {
  return { ...crlDistributionPoints(urls), oid: oids.freshestCrl };
}

/** A CA signs certificates and CRLs; beyond that it may only sign data. */
function caKeyUsage(asked: readonly string[]): KeyUsage[] {
  const signsData = asked.some((usage) => usage.trim().toLowerCase() === 'digitalsignature');
  return [...(signsData ? (['digital signature'] as const) : []), 'cert sign', 'crl sign'];
}

function keyUsageWarnings(asked: readonly string[]): string[] {
  const fitting = ['digitalsignature', 'certsign', 'crlsign'];
  const others = asked.filter((usage) => !fitting.includes(usage.trim().toLowerCase()));
  return others.length === 0
    ? []
    : [
        `Invalid key usage: ${others.map((usage) => `key usage ${usage} is only valid for non-Ca certs`).join('; ')}`,
      ];
}

/** The names that a CA is given are for its issuer to say, where it does. */
function takenFrom(
  { extensions }: CertificateRequest,
  { permittedDnsDomains }: IntermediateRequest,
): readonly Extension[] {
  if (permittedDnsDomains.length === 0) return extensions;
  return extensions.filter(({ oid }) => oid !== oids.nameConstraints);
}

function subjectSerial({ subject }: CertificateRequest): string {
  return subject.rdns.flat().find(({ oid }) => oid === oids.serialNumber)?.value ?? '';
}

/** What only the issuer may say. */
const issuersOwn: readonly string[] = [oids.basicConstraints, oids.authorityKeyIdentifier];

/** The request's extensions in place of our own of the same kind, and after them the rest of its. */
export function withRequested(own: readonly Extension[], requested: readonly Extension[]): Extension[] {
  const taken = requested.filter(({ oid }) => !issuersOwn.includes(oid));
  const replaced = own
    // Without one in the request there are no alternative names: they too are the request's.
    .filter(({ oid }) => oid !== oids.subjectAltName)
    .filter(({ oid }) => !taken.some((extension) => extension.oid === oid));
  return [...replaced, ...taken];
}
