import { dayMs } from '../base/duration.ts';
import type { Fingerprint, Inventory } from '../inventory/inventory.ts';
import { type Certificate, readCertificates } from '../x509/certificate.ts';
import { formatKeySpec } from '../x509/key.ts';
import { commonName } from '../x509/name.ts';
import { signatureAlgorithm } from '../x509/signature.ts';
import { verifyChain } from '../x509/verify.ts';

/** Certificates of an inventory, read once each. */
export type CertificateLookup = (fingerprint: Fingerprint) => Certificate;

export function certificateLookup({ certificates }: Inventory): CertificateLookup {
  const pems = new Map(certificates.map(({ fingerprint, pem }) => [fingerprint, pem]));
  const read = new Map<Fingerprint, Certificate>();
  return (fingerprint) => {
    const known = read.get(fingerprint) ?? readCertificates(pems.get(fingerprint)!)[0]!;
    read.set(fingerprint, known);
    return known;
  };
}

/** How a certificate is named in a list of culprits: serial number in decimal, then common name. */
export function culprit(certificate: Certificate): string {
  return `${BigInt(`0x${certificate.serial.toString('hex')}`)} ${commonName(certificate.subject) ?? ''}`;
}

/** What `linkerd check` has against the dates of a certificate. */
export function validityProblem({ notBefore, notAfter }: Certificate, nowMs: number): string | undefined {
  if (notBefore > nowMs) return `not valid before: ${rfc3339(notBefore)}`;
  if (notAfter < nowMs) return `not valid anymore. Expired on ${rfc3339(notAfter)}`;
  return undefined;
}

const expiryWarningDays = 60;

/** What it has against a certificate that ends within 60 days. */
export function expiryProblem({ notAfter }: Certificate, nowMs: number): string | undefined {
  return nowMs + expiryWarningDays * dayMs > notAfter ? `will expire on ${rfc3339(notAfter)}` : undefined;
}

/** Linkerd's issuers are ECDSA P-256 and nothing else. */
export function issuerAlgorithmProblem(certificate: Certificate): string | undefined {
  const { type } = certificate.publicKey.spec;
  return type === 'ec'
    ? ecProblem(certificate)
    : `issuer certificate must use ECDSA for public key algorithm, instead ${algorithmName(certificate)} was used`;
}

/** Its trust anchors may be RSA besides. */
export function anchorAlgorithmProblem(certificate: Certificate): string | undefined {
  const { type } = certificate.publicKey.spec;
  if (type === 'ec') return ecProblem(certificate);
  if (type === 'rsa') return rsaProblem(certificate);
  return `trust anchor must use ECDSA or RSA for public key algorithm, instead ${algorithmName(certificate)} was used`;
}

function ecProblem(certificate: Certificate): string | undefined {
  const { spec } = certificate.publicKey;
  if (spec.type === 'ec' && spec.curve !== 'P-256') {
    return `must use P-256 curve for public key, instead ${spec.curve} was used`;
  }
  const signature = signatureName(certificate);
  return signature === 'ECDSA-SHA256' || signature === 'SHA256-RSA'
    ? undefined
    : `must be signed by an ECDSA P-256 key, instead ${signature} was used`;
}

function rsaProblem(certificate: Certificate): string | undefined {
  const { spec } = certificate.publicKey;
  if (spec.type === 'rsa' && spec.bits !== 2_048 && spec.bits !== 4_096) {
    return `RSA must use a 2048 or 4096 bit public key, instead ${spec.bits} bit public key was used`;
  }
  const signature = signatureName(certificate);
  return signature === 'SHA256-RSA'
    ? undefined
    : `must be signed by an RSA 2048/4096 bit key, instead ${signature} was used`;
}

function signatureName(certificate: Certificate): string {
  return signatureAlgorithm(certificate.signatureAlgorithm)?.name ?? '0';
}

function algorithmName({ publicKey: { spec } }: Certificate): string {
  const names = { ec: 'ECDSA', rsa: 'RSA', ed25519: 'Ed25519', mldsa: 'ML-DSA' } as const;
  return names[spec.type] ?? formatKeySpec(spec);
}

/** Why `leaf` does not chain to one of `roots`, in the words that Go has for it where it has some. */
export function chainProblem(
  leaf: Certificate,
  chain: { roots: readonly Certificate[]; intermediates: readonly Certificate[]; at: number },
): string | undefined {
  const verdict = verifyChain(leaf, { ...chain, usage: 'server auth' });
  if (verdict.valid) return undefined;
  return verdict.code === 'x509.verify.unknown-authority' || verdict.code === 'x509.verify.signature'
    ? 'x509: certificate signed by unknown authority'
    : `x509: ${verdict.reason}`;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
