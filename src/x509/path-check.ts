import type { Certificate } from './certificate.ts';
import { isDsa } from './dsa-signature.ts';
import { findExtension } from './extension.ts';
import { formatTime } from './format-time.ts';
import { sameName } from './name.ts';
import { oids } from './oid.ts';
import { type Problem, problem } from './path-problem.ts';
import { type ComparisonBudget, forbiddenName, nameConstraintsOf } from './permitted-name.ts';
import { readPolicies } from './policy.ts';
import { purposeProblem, rcsMlsExtensions, type Usage, type UsageRules } from './purpose.ts';
import { matchesSignature, signatureAlgorithm, verifySignature } from './signature.ts';
import { nameInWords } from './subject.ts';

export type { Problem } from './path-problem.ts';
export { problem } from './path-problem.ts';

/** A path under construction, from the leaf upwards, and what it is judged by. */
export interface PathState {
  /** The leaf first; each but the last is signed by its successor. */
  path: readonly Certificate[];
  /** Whether the certificate that joins is one of the trust anchors. */
  anchor: boolean;
  /** The instant of judgement, epoch milliseconds. */
  at: number;
  /** The purpose that every certificate must allow; undefined for any. */
  usage: Usage | undefined;
  usageRules: UsageRules;
  /** Whether an anchor must have basic constraints. */
  anchorMustSayCa: boolean;
  legacyAlgorithms: readonly LegacyAlgorithm[];
  /** Intermediates at most, self-issued ones left out. */
  maxIntermediates: number;
  /** Of the whole search. */
  budget: ComparisonBudget;
}

/** Broken or abandoned, and asked for by name where signatures of long ago are judged. */
export type LegacyAlgorithm = 'SHA-1' | 'DSA';

/** Which of an anchor's own statements bind the path (RFC 5280 section 6.1.1 (d) has none bind; RFC 5937 all). */
export interface AnchorRules {
  /** Its validity; true where absent. */
  dates?: boolean;
  /** What it says of uses, lengths, names and policies; true where absent. */
  limits?: boolean;
  /** That it has basic constraints, unless it is older than version 3; true where absent, and only with `limits`. */
  mustSayCa?: boolean;
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
export const everyIssuer: readonly Check[] = [isAuthority, maySign, pathLengthKept, notTooDeep, namesAllowed];

/** Those of `checks` that an anchor is held to. */
export function bindingChecks(
  checks: readonly Check[],
  { dates = true, limits = true }: AnchorRules = {},
): readonly Check[] {
  return checks.filter((check) => (check === validAt ? dates : limits || check === keyStrong));
}

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

/** Extensions that are acted on here or when a whole path is judged, or that ask nothing. */
const known = new Set<string>([
  oids.basicConstraints,
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.nameConstraints,
  oids.subjectAltName,
  oids.subjectKeyIdentifier,
  oids.authorityKeyIdentifier,
  oids.certificatePolicies,
  oids.policyMappings,
  oids.policyConstraints,
  oids.inhibitAnyPolicy,
  oids.crlDistributionPoints,
  oids.authorityInfoAccess,
]);

/** Microsoft's form of extended key usage says nothing new beside that. */
const applicationPolicies = '1.3.6.1.4.1.311.21.10';

function criticalExtensionsKnown(certificate: Certificate, { usage }: PathState): Problem | undefined {
  const unknown = certificate.extensions.find(
    ({ oid, critical }) =>
      critical &&
      !known.has(oid) &&
      !(usage === 'rcs mls client' && rcsMlsExtensions.has(oid)) &&
      !(oid === applicationPolicies && certificate.extendedKeyUsage),
  );
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

function keyStrong(certificate: Certificate, { legacyAlgorithms }: PathState): Problem | undefined {
  if (legacyAlgorithms.includes('DSA') && isDsa(certificate)) return undefined;
  const { spec } = certificate.publicKey;
  if (spec.type !== 'rsa' || spec.bits >= leastRsaBits) return undefined;
  return problem('weak-key', certificate, `has an RSA key of ${spec.bits} bits, which proves nothing`);
}

/** Purposes narrow from the anchor down: each certificate that names some must name the one asked for, or any. */
function purposeAllowed(
  certificate: Certificate,
  { usage, usageRules, path, anchor }: PathState,
): Problem | undefined {
  return usage && purposeProblem(certificate, usage, usageRules, { isLeaf: path.length === 0, anchor });
}

/** RFC 5280 section 6.1.4 (k). Anchors from before version 3 have no extension to say it with. */
function isAuthority(certificate: Certificate, { anchor, anchorMustSayCa }: PathState): Problem | undefined {
  if (certificate.isCa) return undefined;
  const silent = !findExtension(certificate.extensions, oids.basicConstraints);
  if (anchor && silent && (certificate.version < 3 || !anchorMustSayCa)) return undefined;
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

function notTooDeep(
  certificate: Certificate,
  { path, anchor, maxIntermediates }: PathState,
): Problem | undefined {
  const intermediates = [...path.slice(1), ...(anchor ? [] : [certificate])];
  const count = intermediates.filter(({ subject, issuer }) => !sameName(subject, issuer)).length;
  if (count <= maxIntermediates) return undefined;
  return problem(
    'too-long',
    path[0]!,
    `has more than ${maxIntermediates} intermediate certificates above it`,
  );
}

/** RFC 5280 section 4.2.1.10: only CA certificates constrain names. */
function constrainsAsAuthority(certificate: Certificate): Problem | undefined {
  if (certificate.isCa || !nameConstraintsOf(certificate)) return undefined;
  return problem('name-constraints', certificate, 'constrains names, and is not a CA certificate');
}

/** RFC 5280 section 6.1.3 (b, c): a CA constrains all below it, self-issued intermediates left out. */
function namesAllowed(certificate: Certificate, { path, budget }: PathState): Problem | undefined {
  if (budget.comparisonsLeft < 0 && findExtension(certificate.extensions, oids.nameConstraints)) {
    return problem('budget', certificate, 'constrains names, of which too many have been compared already');
  }
  const constraints = nameConstraintsOf(certificate);
  if (!constraints) return undefined;
  const constrained = path.filter(({ subject, issuer }, index) => index === 0 || !sameName(subject, issuer));
  for (const below of constrained) {
    const name = forbiddenName(below, constraints, budget);
    if (name !== undefined) {
      return problem('name', below, `has the name ${name} by ${nameInWords(certificate)}`);
    }
  }
  return undefined;
}

/** Whether `issuer` signed `certificate`, with an algorithm fit for it. The one costly check: it comes last. */
export function signatureProblem(
  certificate: Certificate,
  issuer: Certificate,
  legacyAlgorithms: readonly LegacyAlgorithm[] = [],
): Problem | undefined {
  // Its parameters may come from further up, so it is judged with the whole path.
  if (legacyAlgorithms.includes('DSA') && isDsa(issuer)) return undefined;
  const { signatureAlgorithm: identifier, tbs: bytes, signature } = certificate;
  const algorithm = signatureAlgorithm(identifier);
  const old = algorithm?.hash === 'SHA-1';
  if (!algorithm || (old && !legacyAlgorithms.includes('SHA-1'))) {
    const name = algorithm?.name ?? 'an algorithm that is unknown here';
    return problem('algorithm', certificate, `is signed with ${name}, which proves nothing`);
  }
  const { publicKey } = issuer;
  if ((old ? matchesSignature : verifySignature)({ algorithm: identifier, bytes, signature, publicKey }))
    return undefined;
  return problem('signature', certificate, `is not signed by the key of ${nameInWords(issuer)}`);
}
