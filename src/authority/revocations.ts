import type { Entry } from '../store/store.ts';
import { type Certificate, readCertificate, serialText } from '../x509/certificate.ts';
import type { RevocationReason } from '../x509/crl.ts';
import type { Holdings } from './holdings.ts';
import { signerAmong } from './issued-by.ts';
import { type RevokedIssuer, revokeIssuer } from './issuer-revocation.ts';
import { type Ledger, storedSerial, toldSerial } from './ledger.ts';
import { listId } from './list-signer.ts';
import { refused } from './refused.ts';
import { revocationKeysBelow, unclaimed } from './revocation-keys.ts';
import {
  changeRevocationSettings,
  type RevocationSettings,
  revocationSettings,
} from './revocation-settings.ts';
import { type Revoked, type RevokedRecord, readRevoked } from './revoked.ts';

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
  revokeIssuer(reference: string): Promise<RevokedIssuer>;
  status(serial: string): Promise<Revoked | undefined>;
  /** Colon-parted serials of what was revoked, in order. */
  serials(range: { after?: string; limit?: number }): Promise<string[]>;
  settings(): RevocationSettings;
  /** @throws Fault `authority.revocation.settings` for what does not go together */
  setSettings(change: Partial<RevocationSettings>): Promise<RevocationSettings>;
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
      if (before) return { result: { revokedAtMs: readRevoked(before.value).revokedAtMs, already: true } };
      const now = clock.now();
      const { allowExpiredCertRevocation } = revocationSettings(from);
      if (certificate.notAfter < now + leewayMs && !allowExpiredCertRevocation) {
        throw expiredRefused(certificate);
      }
      const record: RevokedRecord = {
        revokedAtMs: now,
        issuerId: signer?.id ?? '',
        ...(reason ? { reason } : {}),
        list: signer ? listId(signer.certificate) : unclaimed,
        notAfter: certificate.notAfter,
      };
      const keeping = kept ? [] : ledger.record(certificate, signer!.id).puts;
      const unchanged = { key: at.certificate(serial), revision: kept?.revision ?? 0 };
      const { expect, puts } = writing(where, serial, record);
      return {
        batch: { expect: [...expect, unchanged], puts: [...keeping, ...puts] },
        result: { revokedAtMs: now, already: false },
      };
    });
  }

  return {
    revoke,
    revokeIssuer: (reference) => revokeIssuer(ledger, reference),
    async status(serial) {
      const entry = await store.get(where.revoked(storedSerial(serial)));
      return entry && readRevoked(entry.value);
    },
    async serials({ after, limit }) {
      const prefix = where.revocations;
      const entries = await store.list({
        prefix,
        ...(after ? { after: where.revoked(storedSerial(after)) } : {}),
        ...(limit ? { limit } : {}),
        keysOnly: true,
      });
      return entries.map(({ key }) => toldSerial(key.slice(prefix.length)));
    },
    settings: () => revocationSettings(ledger.holdings()),
    setSettings: (change) => changeRevocationSettings(ledger, change),
  };
}

/** What keeps a revocation, under the serial, by its end, and for the list that it is to stand on. */
function writing(where: ReturnType<typeof revocationKeysBelow>, serial: string, record: RevokedRecord) {
  const key = where.revoked(serial);
  const value = Buffer.from(JSON.stringify(record));
  return {
    expect: [{ key, revision: 0 }],
    puts: [
      { key, value },
      { key: where.revokedEnding(record.notAfter, serial), value: Buffer.alloc(0) },
      { key: where.unlisted(record.list, serial), value },
    ],
  };
}

/** What ends within it counts as over: Vault's own leeway. */
const leewayMs = 2_000;

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
