import type { Certificate } from './certificate.ts';
import { findExtension } from './extension.ts';
import { formatTime } from './format-time.ts';
import { sameName } from './name.ts';
import { oids } from './oid.ts';
import { forbiddenName, nameConstraintsOf } from './permitted-name.ts';
import { readPolicies } from './policy.ts';
import { signatureAlgorithm, verifySignature } from './signature.ts';
import { nameInWords } from './subject.ts';

/** Why a certificate cannot stand where it would in a path. */
export interface Problem {
  /** Stable, like a fault's: `x509.verify.expired`. */
  code: string;
  /** Names the certificate by its subject, and the dates where they matter. */
  reason: string;
}

/** A path under construction, from the leaf upwards, and what it is judged by. */
export interface PathState {
  /** The leaf first; each but the last is signed by its successor. */
  path: readonly Certificate[];
  /** Whether the certificate that joins is one of the trust anchors. */
  anchor: boolean;
  /** The instant of judgement, epoch milliseconds. */
  at: number;
  /** Object identifier of the purpose that every certificate must allow; undefined for any. */
  purpose: string | undefined;
}

/** A condition on the certificate that joins a path on top; answers what is wrong, or nothing. */
export type Check = (certificate: Certificate, state: PathState) => Problem | undefined;

/** What holds for every certificate of a path. */
export const everyCertificate: readonly Check[] = [
  validAt,
  criticalExtensionsKnown,
  policyQualifiersKnown,
  keyStrong,
  purposeAllowed,
  constrainsAsAuthority,
];

/** What holds besides for every certificate that has issued the one below. */
export const everyIssuer: readonly Check[] = [isAuthority, maySign, pathLengthKept, namesAllowed];

/** Both ends of the validity count as valid (RFC 5280 section 4.1.2.5). */
function validAt(certificate: Certificate, { at }: PathState): Problem | undefined {
  const { notBefore, notAfter } = certificate;
  if (at >= notBefore && at <= notAfter) return undefined;
  const expired = at > notAfter;
  return problem(
    expired ? 'expired' : 'not-yet-valid',
    certificate,
    `${expired ? 'has expired' : 'is not valid yet'}: it is valid from ${formatTime(notBefore)} to ` +
      `${formatTime(notAfter)}, and it is ${formatTime(at)}`,
  );
}

/** Extensions that the checks here act on, or that ask nothing of a path that is free to follow any policy. */
const known = new Set<string>([
  oids.basicConstraints,
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.nameConstraints,
  oids.subjectAltName,
  oids.subjectKeyIdentifier,
  oids.authorityKeyIdentifier,
  oids.certificatePolicies,
  oids.crlDistributionPoints,
  oids.authorityInfoAccess,
]);

function criticalExtensionsKnown(certificate: Certificate): Problem | undefined {
  const unknown = certificate.extensions.find(({ oid, critical }) => critical && !known.has(oid));
  if (!unknown) return undefined;
  const name = Object.entries(oids).find(([, oid]) => oid === unknown.oid)?.[0];
  return problem(
    'critical-extension',
    certificate,
    `has a critical extension that is not understood here: ${unknown.oid}${name ? ` (${name})` : ''}`,
  );
}

/** RFC 5280 section 4.2.1.4: whoever makes policies critical wants every qualifier of them understood. */
function policyQualifiersKnown(certificate: Certificate): Problem | undefined {
  const extension = findExtension(certificate.extensions, oids.certificatePolicies);
  if (!extension?.critical) return undefined;
  const [unknown] = readPolicies(extension.value).flatMap(({ others }) => others);
  if (unknown === undefined) return undefined;
  return problem(
    'critical-extension',
    certificate,
    `has critical policies with a qualifier that is not understood here: ${unknown}`,
  );
}

/** Shorter RSA keys have been factored; Go's limit. A key of a kind that is unknown here is no better. */
const leastRsaBits = 1_024;

function keyStrong(certificate: Certificate): Problem | undefined {
  const { spec } = certificate.publicKey;
  if (spec.type !== 'rsa' || spec.bits >= leastRsaBits) return undefined;
  return problem('weak-key', certificate, `has an RSA key of ${spec.bits} bits, which proves nothing`);
}

/** Purposes narrow from the anchor down: each certificate that names some must name the one asked for, or any. */
function purposeAllowed(certificate: Certificate, { purpose }: PathState): Problem | undefined {
  const { extendedKeyUsage } = certificate;
  if (purpose === undefined || !extendedKeyUsage) return undefined;
  if (extendedKeyUsage.includes(purpose) || extendedKeyUsage.includes(oids.anyExtendedKeyUsage))
    return undefined;
  const wanted = purpose === oids.serverAuth ? 'servers' : purpose === oids.clientAuth ? 'clients' : purpose;
  return problem(
    'purpose',
    certificate,
    `is not for authenticating ${wanted}: its extended key usage leaves that out`,
  );
}

/** RFC 5280 section 6.1.4 (k). Anchors from before version 3 have no extension to say it with. */
function isAuthority(certificate: Certificate, { anchor }: PathState): Problem | undefined {
  if (certificate.isCa || (anchor && certificate.version < 3)) return undefined;
  return problem('not-ca', certificate, 'is not a CA certificate, so it cannot have issued another');
}

/** RFC 5280 section 6.1.4 (n). */
function maySign(certificate: Certificate): Problem | undefined {
  const { keyUsage } = certificate;
  if (!keyUsage || keyUsage.includes('cert sign')) return undefined;
  return problem('key-usage', certificate, 'may not sign certificates: its key usage leaves that out');
}

/** RFC 5280 section 4.2.1.9: counts the intermediates below, self-issued ones and the last certificate left out. */
function pathLengthKept(certificate: Certificate, { path }: PathState): Problem | undefined {
  const { pathLength } = certificate;
  if (pathLength === undefined) return undefined;
  const below = path.slice(1).filter(({ subject, issuer }) => !sameName(subject, issuer)).length;
  if (below <= pathLength) return undefined;
  return problem(
    'path-length',
    certificate,
    `allows ${pathLength} intermediate certificates below it, and there are ${below}`,
  );
}

/** RFC 5280 section 4.2.1.10: only CA certificates constrain names. */
function constrainsAsAuthority(certificate: Certificate): Problem | undefined {
  if (certificate.isCa || !nameConstraintsOf(certificate)) return undefined;
  return problem('name-constraints', certificate, 'constrains names, and is not a CA certificate');
}

/** RFC 5280 section 6.1.3 (b, c): a CA constrains all below it, self-issued intermediates left out. */
function namesAllowed(certificate: Certificate, { path }: PathState): Problem | undefined {
  const constraints = nameConstraintsOf(certificate);
  if (!constraints) return undefined;
  const constrained = path.filter(({ subject, issuer }, index) => index === 0 || !sameName(subject, issuer));
  for (const below of constrained) {
    const name = forbiddenName(below, constraints);
    if (name !== undefined) {
      return problem('name', below, `has the name ${name} by ${nameInWords(certificate)}`);
    }
  }
  return undefined;
}

/** Whether `issuer` signed `certificate`, with an algorithm fit for it. The one costly check: it comes last. */
export function signatureProblem(certificate: Certificate, issuer: Certificate): Problem | undefined {
  const algorithm = signatureAlgorithm(certificate.signatureAlgorithm);
  if (!algorithm || algorithm.hash === 'SHA-1') {
    const name = algorithm?.name ?? 'an algorithm that is unknown here';
    return problem('algorithm', certificate, `is signed with ${name}, which proves nothing`);
  }
  const { signatureAlgorithm: identifier, tbs: bytes, signature } = certificate;
  if (verifySignature({ algorithm: identifier, bytes, signature, publicKey: issuer.publicKey }))
    return undefined;
  return problem('signature', certificate, `is not signed by the key of ${nameInWords(issuer)}`);
}

export function problem(kind: string, certificate: Certificate, says: string): Problem {
  return { code: `x509.verify.${kind}`, reason: `${nameInWords(certificate)} ${says}` };
}
