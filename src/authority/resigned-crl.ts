import { serialText } from '../x509/certificate.ts';
import { buildCrl, type CertificateList, type RevokedCertificate } from '../x509/crl.ts';
import { keyIdentifier } from '../x509/key.ts';
import { sameName } from '../x509/name.ts';
import { verifySignature } from '../x509/signature.ts';
import { findIssuer, issuerKey } from './holdings.ts';
import type { Ledger } from './ledger.ts';
import { refused } from './refused.ts';
import { revocationSigner } from './revocation-algorithm.ts';
import { checkUse } from './signing-issuer.ts';

export interface ResignRequest {
  /** Signed by the issuer, such as those of several servers with its key. */
  lists: readonly CertificateList[];
  number: number;
  /** Where it is to be a delta: on which list. */
  deltaOf?: number;
  lifetimeMs: number;
}

/**
 * One list of what stands on several. It is not kept, and takes no number from the issuer's own lists.
 *
 * @throws Fault `authority.resign` for a list that the issuer did not sign, `authority.issuer.*`
 */
export async function resignCrls(
  ledger: Ledger,
  reference: string,
  { lists, number, deltaOf, lifetimeMs }: ResignRequest,
): Promise<{ der: Buffer; warnings: string[] }> {
  const from = ledger.holdings();
  const issuer = findIssuer(from, reference);
  checkUse(issuer, 'crl-signing');
  const { certificate } = issuer;
  for (const [index, list] of lists.entries()) {
    const { signatureAlgorithm: algorithm, tbs: bytes, signature } = list;
    const signed = verifySignature({ algorithm, bytes, signature, publicKey: certificate.publicKey });
    if (signed && sameName(list.issuer, certificate.subject)) continue;
    throw refused('resign', `CRL index: ${index} was not signed by requested issuer`);
  }
  const { revoked, warnings } = merged(lists);
  const now = ledger.options.clock.now();
  const template = {
    issuer: certificate.subject,
    number,
    thisUpdate: now,
    nextUpdate: now + lifetimeMs,
    revoked,
    authorityKeyId: certificate.subjectKeyId ?? keyIdentifier(certificate.publicKey),
    ...(deltaOf === undefined ? {} : { deltaOf }),
  };
  const signer = revocationSigner(issuer, issuerKey(from, issuer).privateKey);
  return { der: await buildCrl(template, signer), warnings };
}

/** Each serial once, at its first time, with the reason that it was given then. */
function merged(lists: readonly CertificateList[]): { revoked: RevokedCertificate[]; warnings: string[] } {
  const found = new Map<string, RevokedCertificate>();
  const warnings: string[] = [];
  for (const { serial, revokedAt, reason } of lists.flatMap(({ revoked }) => revoked)) {
    const text = serialText(serial);
    const known = found.get(text);
    if (known && known.revokedAt !== revokedAt) {
      warnings.push(
        `Duplicate serial ${text} with different revocation times detected, using oldest revocation time`,
      );
    }
    if (!known || revokedAt < known.revokedAt) {
      found.set(text, { serial, revokedAt, ...(reason ? { reason } : {}) });
    }
  }
  return { revoked: [...found.values()], warnings };
}
