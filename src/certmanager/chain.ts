import { Fault } from '../base/fault.ts';
import { type Certificate, certificatePem, isSelfSigned, isSignedBy } from '../x509/certificate.ts';
import { sameName } from '../x509/name.ts';

export interface Chain {
  /** The leaf and its intermediates, leaf first; self-signed certificates left out. */
  certificates: readonly Certificate[];
  /** The root where it is known, else the highest intermediate; absent for a leaf alone. */
  ca: Certificate | undefined;
}

const longestInput = 1_000;

/**
 * The chain of `leaf` out of what a CA sent along, in whatever order, repeats included: as upstream's
 * ParseSingleCertificateChain for every input that holds one chain.
 *
 * Upstream refuses an input that holds more than one path, as every CA sends that is changing its root by
 * cross-signing. Here the issuer that `others` names first wins, and a path to a self-signed root over one that
 * just stops; what lies on other paths of the same leaf is left out.
 *
 * @throws Fault `certmanager.chain` where a certificate has nothing to do with the leaf
 */
export function chainOf(leaf: Certificate, others: readonly Certificate[]): Chain {
  const pool = distinct([leaf, ...others]).slice(1);
  if (pool.length >= longestInput) throw chainFault(`certificate chain is longer than ${longestInput}`);
  const reached = new Set([leaf]);
  const path = climb(leaf, pool, reached);
  const stranger = pool.find((certificate) => !reached.has(certificate));
  if (stranger) throw chainFault('certificate chain is malformed or broken');
  if (path.length === 1) return { certificates: path, ca: isSelfSigned(leaf) ? leaf : undefined };
  return { certificates: path.filter((certificate) => !isSelfSigned(certificate)), ca: path.at(-1) };
}

/** The best path upwards from `from`, itself included; every certificate on any path is put into `reached`. */
function climb(from: Certificate, pool: readonly Certificate[], reached: Set<Certificate>): Certificate[] {
  if (isSelfSigned(from)) return [from];
  const above = pool.filter((candidate) => !reached.has(candidate) && isIssuer(candidate, from));
  for (const issuer of above) reached.add(issuer);
  const paths = above.map((issuer) => climb(issuer, pool, reached));
  const best = paths.find((path) => isSelfSigned(path.at(-1)!)) ?? paths[0] ?? [];
  return [from, ...best];
}

function isIssuer(issuer: Certificate, subject: Certificate): boolean {
  return (
    sameName(issuer.subject, subject.issuer) &&
    issuer.isCa &&
    (issuer.keyUsage === undefined || issuer.keyUsage.includes('cert sign')) &&
    isSignedBy(subject, issuer)
  );
}

function distinct(certificates: readonly Certificate[]): Certificate[] {
  const byContent = new Map(
    certificates.toReversed().map((certificate) => [certificate.der.toString('base64'), certificate]),
  );
  return certificates.filter(
    (certificate) => byContent.get(certificate.der.toString('base64')) === certificate,
  );
}

/** tls.crt and ca.crt of a chain, each certificate ending its line. */
export function chainPem({ certificates, ca }: Chain): { certificate: string; ca: string | undefined } {
  return { certificate: certificates.map(certificatePem).join(''), ca: ca && certificatePem(ca) };
}

function chainFault(message: string): Fault {
  return new Fault(message, { code: 'certmanager.chain', blame: 'peer' });
}
