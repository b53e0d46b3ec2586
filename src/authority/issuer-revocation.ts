import type { Batch } from '../store/store.ts';
import { isSelfSigned, serialText } from '../x509/certificate.ts';
import { findIssuer, type Holdings } from './holdings.ts';
import { signerAmong } from './issued-by.ts';
import { type Issuer, writeIssuer } from './issuer.ts';
import { type Ledger, storedSerial } from './ledger.ts';
import { listId } from './list-signer.ts';
import { revocationKeysBelow } from './revocation-keys.ts';
import type { RevokedRecord } from './revoked.ts';

export interface RevokedIssuer {
  issuer: Issuer;
  /** It was revoked before, and nothing has changed. */
  already: boolean;
  /** Its own key signed it: no list can tell of it. */
  selfSigned: boolean;
  /** Another issuer here signed it, on whose list it stands. */
  hasParent: boolean;
}

/**
 * Revokes an issuer: from then on it issues nothing, but still signs CRLs and OCSP answers about what it issued. It
 * stands on the list of the issuer that signed it, where that is here.
 *
 * @throws Fault `authority.issuer.absent`
 */
export async function revokeIssuer(ledger: Ledger, reference: string): Promise<RevokedIssuer> {
  const { store, clock, prefix } = ledger.options;
  const result = await ledger.decideAndCommit<RevokedIssuer>(async (from) => {
    const issuer = findIssuer(from, reference);
    const parent = parentOf(from, issuer);
    const facts = { selfSigned: isSelfSigned(issuer.certificate), hasParent: parent !== undefined };
    if (issuer.revokedAt !== undefined) return { result: { issuer, already: true, ...facts } };
    const now = clock.now();
    const usage = issuer.usage.filter((use) => use !== 'issuing-certificates');
    const revoked: Issuer = { ...issuer, usage, revokedAt: now };
    const { notAfter, serial: octets } = issuer.certificate;
    const serial = storedSerial(serialText(octets));
    const at = revocationKeysBelow(prefix);
    const record: RevokedRecord = {
      revokedAtMs: now,
      issuerId: (parent ?? issuer).id,
      list: listId((parent ?? issuer).certificate),
      notAfter,
    };
    const value = Buffer.from(JSON.stringify(record));
    const before = await store.get(at.revoked(serial));
    const puts = [
      { key: at.revoked(serial), value },
      { key: at.revokedEnding(notAfter, serial), value: Buffer.alloc(0) },
      ...(parent ? [{ key: at.unlisted(record.list, serial), value }] : []),
    ];
    const batch: Batch = {
      expect: [
        { key: ledger.at.issuer(issuer.id), revision: issuer.revision },
        ledger.settingsAsIn(from),
        { key: at.revoked(serial), revision: before?.revision ?? 0 },
      ],
      puts: [
        { key: ledger.at.issuer(issuer.id), value: writeIssuer(revoked) },
        // Every change to an issuer writes the settings, too: no two are decided from the same holdings.
        ledger.putSettings(from.settings),
        ...(before ? [] : puts),
      ],
    };
    return { batch, result: { issuer: revoked, already: false, ...facts } };
  });
  await ledger.reload();
  return result;
}

function parentOf({ issuers }: Holdings, { id, certificate }: Issuer): Issuer | undefined {
  return signerAmong(
    issuers.filter((other) => other.id !== id),
    certificate,
  );
}
