import { createHash } from 'node:crypto';
import type { Entry } from '../store/store.ts';
import { type Certificate, isSignedBy, readCertificate, serialText } from '../x509/certificate.ts';
import type { RevocationReason } from '../x509/crl.ts';
import { sameName } from '../x509/name.ts';
import type { Holdings } from './holdings.ts';
import type { Issuer } from './issuer.ts';
import { type Ledger, storedSerial } from './ledger.ts';
import { refused } from './refused.ts';
import { revocationKeysBelow, unclaimed } from './revocation-keys.ts';

export interface Revoked {
  /** Epoch milliseconds. */
  revokedAtMs: number;
  /** Empty where no issuer is known that signed it. */
  issuerId: string;
  reason?: RevocationReason;
}

export interface RevokeResult {
  revokedAtMs: number;
  /** It was revoked before, at that time. */
  already: boolean;
}

export interface Revocations {
  /**
   * Revokes an issued certificate by its serial (hexadecimal, parted by colons, dashes or nothing), or one that an
   * issuer of this authority signed whether or not it was kept. It is durable by the time of the answer: the next
   * CRL and the next OCSP answer tell of it. What was revoked before stays as it was.
   *
   * @throws Fault `authority.certificate.absent` (no such serial), `.stranger` (no issuer here signed it), `.other`
   *   (another certificate has its serial), `.issuer` (it is an issuer's own), `.expired`
   */
  revoke(what: string | Certificate, options?: { reason?: RevocationReason }): Promise<RevokeResult>;
  status(serial: string): Promise<Revoked | undefined>;
}

/** What a revocation leaves in the store. */
interface RevokedRecord extends Revoked {
  /** Of the certificate, epoch milliseconds. */
  notAfter: number;
}

/**
 * The list that an issuer's certificates are revoked on: one for all issuers of the same name and key, since nobody
 * can tell apart what they signed, and the same again should the issuer leave and come back.
 */
export function listId({ subject, spki }: Pick<Certificate, 'subject' | 'spki'>): string {
  return createHash('sha256').update(spki).update(subject.der).digest('hex').slice(0, 32);
}

export function storedRevocations(ledger: Ledger): Revocations {
  const { at, options } = ledger;
  const { store, clock } = options;
  const where = revocationKeysBelow(options.prefix);

  /** One small batch, whatever was revoked before: lists take it up when they are next made. */
  async function revoke(
    what: string | Certificate,
    { reason }: { reason?: RevocationReason } = {},
  ): Promise<RevokeResult> {
    const serial = storedSerial(typeof what === 'string' ? what : serialText(what.serial));
    return ledger.decideAndCommit<RevokeResult>(async (from) => {
      assertNoIssuers(serial, from);
      const [kept, before] = await Promise.all([
        store.get(at.certificate(serial)),
        store.get(where.revoked(serial)),
      ]);
      const certificate = known(what, kept);
      const signer = signerAmong(from.issuers, certificate);
      if (!kept && !signer) throw strangerRefused();
      if (before) return { result: { revokedAtMs: readRevoked(before).revokedAtMs, already: true } };
      const now = clock.now();
      if (certificate.notAfter < now + leewayMs) throw expiredRefused(certificate);
      const { notAfter } = certificate;
      const record: RevokedRecord = {
        revokedAtMs: now,
        issuerId: signer?.id ?? '',
        ...(reason ? { reason } : {}),
        notAfter,
      };
      const put = { key: where.revoked(serial), value: Buffer.from(JSON.stringify(record)) };
      const certificateRecord = kept ? undefined : ledger.record(certificate, signer!.id);
      return {
        batch: {
          expect: [
            { key: put.key, revision: 0 },
            { key: at.certificate(serial), revision: kept?.revision ?? 0 },
          ],
          puts: [
            ...(certificateRecord?.puts ?? []),
            put,
            { key: where.revokedEnding(notAfter, serial), value: Buffer.alloc(0) },
            {
              key: where.unlisted(signer ? listId(signer.certificate) : unclaimed, serial),
              value: put.value,
            },
          ],
        },
        result: { revokedAtMs: now, already: false },
      };
    });
  }

  return {
    revoke,
    async status(serial) {
      const entry = await store.get(where.revoked(storedSerial(serial)));
      return entry && readRevoked(entry);
    },
  };
}

/** What ends within it counts as over: Vault's own leeway. */
const leewayMs = 2_000;

function readRevoked({ value }: Entry): RevokedRecord {
  return JSON.parse(value.toString()) as RevokedRecord;
}

/** The certificate that is meant: the one kept, or the one at hand where none is. */
function known(what: string | Certificate, kept: Entry | undefined): Certificate {
  if (typeof what === 'string') {
    if (kept) return readCertificate(kept.value);
    throw refused('certificate.absent', `certificate with serial ${what} not found.`);
  }
  if (kept && !kept.value.equals(what.der)) {
    throw refused(
      'certificate.other',
      "certificate with same serial but unequal value already present in this cluster's storage; refusing to revoke",
    );
  }
  return what;
}

function signerAmong(issuers: readonly Issuer[], certificate: Certificate): Issuer | undefined {
  return issuers.find(
    (issuer) =>
      sameName(issuer.certificate.subject, certificate.issuer) && isSignedBy(certificate, issuer.certificate),
  );
}

function assertNoIssuers(serial: string, { issuers }: Holdings): void {
  const own = issuers.find(({ certificate }) => storedSerial(serialText(certificate.serial)) === serial);
  if (own) {
    throw refused('certificate.issuer', `adding issuer (id: ${own.id}) to its own CRL is not allowed`);
  }
}

function strangerRefused() {
  return refused(
    'certificate.stranger',
    'unable to verify signature on presented cert from any present issuer in this mount; certificates from ' +
      'previous CAs will need to have their issuing CA and key re-imported if revocation is necessary',
  );
}

function expiredRefused({ serial }: Certificate) {
  return refused(
    'certificate.expired',
    `certificate with serial ${serialText(serial)} already expired; refusing to add to CRL`,
  );
}
