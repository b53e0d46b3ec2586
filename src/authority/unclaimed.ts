import { readCertificate } from '../x509/certificate.ts';
import { signerAmong } from './issued-by.ts';
import type { Ledger } from './ledger.ts';
import { listId } from './list-signer.ts';
import { revocationKeysBelow, unclaimed } from './revocation-keys.ts';
import { type RevokedRecord, readRevoked } from './revoked.ts';

const pageSize = 500;

/**
 * Puts what was revoked while nobody here had signed it on the list of its issuer, where that has come (back) since.
 * Answers how many found theirs.
 */
export async function claimUnclaimed(ledger: Ledger): Promise<number> {
  const { store, prefix } = ledger.options;
  const at = revocationKeysBelow(prefix);
  const from = at.waiting(unclaimed);
  let claimed = 0;
  for (let after: string | undefined; ; ) {
    const page = await store.list({ prefix: from, ...(after ? { after } : {}), limit: pageSize });
    for (const { key } of page) {
      if (await claim(ledger, key.slice(from.length))) claimed++;
    }
    after = page.at(-1)?.key;
    if (page.length < pageSize) return claimed;
  }
}

async function claim(ledger: Ledger, serial: string): Promise<boolean> {
  const { store, prefix } = ledger.options;
  const at = revocationKeysBelow(prefix);
  const waiting = at.unlisted(unclaimed, serial);
  return ledger.decideAndCommit(async ({ issuers }) => {
    const [entry, revoked, certificate] = await Promise.all([
      store.get(waiting),
      store.get(at.revoked(serial)),
      store.get(ledger.at.certificate(serial)),
    ]);
    const signer = certificate && signerAmong(issuers, readCertificate(certificate.value));
    if (!entry || !revoked || !signer) return { result: false };
    const record: RevokedRecord = {
      ...readRevoked(revoked.value),
      issuerId: signer.id,
      list: listId(signer.certificate),
    };
    const value = Buffer.from(JSON.stringify(record));
    return {
      batch: {
        expect: [
          { key: waiting, revision: entry.revision },
          { key: at.revoked(serial), revision: revoked.revision },
        ],
        puts: [
          { key: at.revoked(serial), value },
          { key: at.unlisted(record.list, serial), value },
        ],
        deletes: [waiting],
      },
      result: true,
    };
  });
}
