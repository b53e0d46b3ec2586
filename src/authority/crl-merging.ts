import { serialText } from '../x509/certificate.ts';
import { buildCrl, type CertificateList, type RevokedCertificate, readCrl } from '../x509/crl.ts';
import { keyIdentifier } from '../x509/key.ts';
import { verifySignature } from '../x509/signature.ts';
import { findIssuer, issuerKey } from './holdings.ts';
import type { Ledger } from './ledger.ts';
import { refused } from './refused.ts';
import { revocationSigner } from './revocation-algorithm.ts';
import { checkUse } from './signing-issuer.ts';

export interface MergedCrlRequest {
  /** DER, each signed by the issuer's key. */
  lists: readonly Buffer[];
  number: number;
  /** The complete list that the new one adds to; undefined for one that is complete itself. */
  deltaOf: number | undefined;
  /** How long the new one is good for. */
  lifetimeMs: number;
}

export interface CrlMerging {
  /**
   * One list of what the issuer's key revoked, where it works in several places. It is not kept.
   *
   * @throws Fault `authority.crl.foreign` for a list of another's
   */
  mergeCrls(issuer: string, request: MergedCrlRequest): Promise<{ der: Buffer; warnings: readonly string[] }>;
}

export function crlMerging(ledger: Ledger): CrlMerging {
  return {
    mergeCrls: async (reference, { lists, number, deltaOf, lifetimeMs }) => {
      const from = ledger.holdings();
      const issuer = findIssuer(from, reference);
      checkUse(issuer, 'crl-signing');
      const { privateKey } = issuerKey(from, issuer);
      const { subject, publicKey, subjectKeyId } = issuer.certificate;
      const read = lists.map((der, index) => {
        const list = readCrl(der);
        const { signatureAlgorithm: algorithm, tbs: bytes, signature } = list;
        if (verifySignature({ algorithm, bytes, signature, publicKey })) return list;
        throw refused('crl.foreign', `CRL index: ${index} was not signed by requested issuer`);
      });
      const { revoked, warnings } = merged(read);
      const thisUpdate = Math.floor(ledger.options.clock.now() / 1_000) * 1_000;
      const content = {
        issuer: subject,
        number,
        thisUpdate,
        nextUpdate: thisUpdate + lifetimeMs,
        revoked,
        authorityKeyId: subjectKeyId ?? keyIdentifier(publicKey),
        ...(deltaOf === undefined ? {} : { deltaOf }),
      };
      return { der: await buildCrl(content, revocationSigner(issuer, privateKey)), warnings };
    },
  };
}

/** Each serial once, as revoked when it first was. */
function merged(lists: readonly CertificateList[]): { revoked: RevokedCertificate[]; warnings: string[] } {
  const bySerial = new Map<string, RevokedCertificate>();
  const warnings: string[] = [];
  for (const entry of lists.flatMap(({ revoked }) => revoked)) {
    const serial = serialText(entry.serial);
    const before = bySerial.get(serial);
    if (before && before.revokedAt !== entry.revokedAt) {
      warnings.push(
        `Duplicate serial ${serial} with different revocation times detected, using oldest revocation time`,
      );
    }
    if (!before || entry.revokedAt < before.revokedAt) bySerial.set(serial, entry);
  }
  return { revoked: [...bySerial.values()], warnings };
}
