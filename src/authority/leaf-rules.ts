import {
  authorityInfoAccess,
  authorityKeyIdentifier,
  crlDistributionPoints,
  type Extension,
  findExtension,
  subjectAltName,
  subjectKeyIdentifier,
} from '../x509/extension.ts';
import { keyIdentifier, type PublicKey } from '../x509/key.ts';
import { oids } from '../x509/oid.ts';
import type { CertificateRequest } from '../x509/request.ts';
import type { AiaUrls } from './ca-request.ts';
import type { Issuer } from './issuer.ts';
import { type Circumstances, freshestCrl, type IssuingPlan, withRequested } from './issuing-rules.ts';
import { checkLeafKey } from './leaf-keys.ts';
import { decideLeafNames, type LeafNames } from './leaf-names.ts';
import type { LeafRequest } from './leaf-request.ts';
import { usageExtensions } from './leaf-usage.ts';
import { decideLeafValidity } from './leaf-validity.ts';
import { policyExtension } from './policy-identifiers.ts';
import type { Role } from './role.ts';

/** Whose key is certified: that of a request for signing, or one that is made here. */
export type LeafKey = { csr: CertificateRequest; verbatim: boolean } | { publicKey: PublicKey };

/** The template of a leaf below `issuer`, held against its role. @throws Fault `authority.*` */
export function planLeaf(
  request: LeafRequest,
  key: LeafKey,
  role: Role,
  issuer: Issuer,
  at: Circumstances,
): IssuingPlan {
  const csr = 'csr' in key ? key.csr : undefined;
  if (csr) checkLeafKey(csr, role);
  const publicKey = 'csr' in key ? key.csr.publicKey : key.publicKey;
  const { certificate, leafNotAfterBehavior: beyond } = issuer;
  const names = decideLeafNames(request, csr, role);
  const { notBefore, notAfter, warnings } = decideLeafValidity(request, role, {
    limits: at.limits,
    nowMs: at.nowMs,
    issuer: { notAfter: certificate.notAfter, beyond },
  });
  const own = leafExtensions(names, role, publicKey, issuerExtensions(issuer, at.urls));
  const verbatim = 'csr' in key && key.verbatim;
  return {
    template: {
      serial: at.serial,
      issuer: certificate.subject,
      subject: verbatim && csr ? csr.subject : names.subject,
      notBefore,
      notAfter,
      publicKey,
      extensions: verbatim && csr ? withRequested(own, csr.extensions) : own,
    },
    warnings: [...(csr ? passedOver(request, csr, role) : []), ...warnings],
  };
}

/** In the order in which Go's crypto/x509 writes them. */
function leafExtensions(
  { subject, altNames }: LeafNames,
  role: Role,
  publicKey: PublicKey,
  issuer: IssuerExtensions,
): Extension[] {
  return [
    ...usageExtensions(role, publicKey.spec),
    subjectKeyIdentifier(keyIdentifier(publicKey)),
    ...issuer.keyAndAccess,
    ...(altNames.length > 0 ? [subjectAltName(altNames, subject.rdns.length === 0)] : []),
    ...policyExtension(role.policy_identifiers),
    ...issuer.lists,
  ];
}

/** What all leaves of an issuer say of it. */
interface IssuerExtensions {
  urls: AiaUrls;
  keyAndAccess: readonly Extension[];
  lists: readonly Extension[];
}

const known = new WeakMap<Issuer, IssuerExtensions>();

function issuerExtensions(issuer: Issuer, urls: AiaUrls): IssuerExtensions {
  const before = known.get(issuer);
  if (before?.urls === urls) return before;
  const { subjectKeyId, publicKey } = issuer.certificate;
  const { issuingCertificates: caIssuers, ocspServers: ocsp } = urls;
  const { crlDistributionPoints: complete, deltaCrlDistributionPoints: deltas } = urls;
  const extensions = {
    urls,
    keyAndAccess: [
      authorityKeyIdentifier(subjectKeyId ?? keyIdentifier(publicKey)),
      ...(caIssuers.length + ocsp.length > 0 ? [authorityInfoAccess({ ocsp, caIssuers })] : []),
    ],
    lists: [
      ...(complete.length > 0 ? [crlDistributionPoints(complete)] : []),
      ...(deltas.length > 0 ? [freshestCrl(deltas)] : []),
    ],
  };
  known.set(issuer, extensions);
  return extensions;
}

/** What was asked for and is not taken, since the role takes it from elsewhere. */
function passedOver(request: LeafRequest, csr: CertificateRequest, role: Role): string[] {
  const warnings: string[] = [];
  if (role.use_csr_common_name && request.commonName !== '') {
    warnings.push(
      'the common_name field was provided but the role is set with "use_csr_common_name" set to true',
    );
  }
  if (role.use_csr_sans && request.altNames.length > 0) {
    warnings.push('the alt_names field was provided but the role is set with "use_csr_sans" set to true');
  }
  if (
    findExtension(csr.extensions, oids.basicConstraints) !== undefined &&
    !role.basic_constraints_valid_for_non_ca
  ) {
    warnings.push('specified CSR contained a Basic Constraints extension that was ignored during issuance');
  }
  return warnings;
}
