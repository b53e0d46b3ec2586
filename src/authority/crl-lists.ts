import { findIssuer } from './holdings.ts';
import type { Ledger } from './ledger.ts';
import { type Crl, ListKeeper } from './list-keeper.ts';
import { allLists, listId, listSigner } from './list-signer.ts';
import { type ResignRequest, resignCrls } from './resigned-crl.ts';
import { claimUnclaimed } from './unclaimed.ts';

/** The revocation lists of an authority's issuers, each made when it is asked for and is not there as it should be. */
export interface CrlLists {
  /**
   * The complete list of an issuer, by its reference. What was revoked before the call stands on it, unless rebuilding
   * is automatic: then only what had been revoked when it was made. Undefined where nobody may sign it, and nobody
   * ever did.
   *
   * @throws Fault `authority.issuer.absent`
   */
  complete(issuer: string): Promise<Crl | undefined>;
  /** What has changed since the complete list: nothing, where deltas are not enabled. */
  delta(issuer: string): Promise<Crl | undefined>;
  /** Makes every complete list anew. Answers warnings: what could not be made, and why. */
  rotate(): Promise<string[]>;
  rotateDeltas(): Promise<void>;
  /** One list of what stands on several that the issuer signed. */
  resign(issuer: string, request: ResignRequest): Promise<{ der: Buffer; warnings: string[] }>;
}

export function crlLists(ledger: Ledger): CrlLists {
  const keepers = new Map<string, ListKeeper>();
  const keeper = (id: string) => {
    const found = keepers.get(id) ?? new ListKeeper(ledger, id);
    keepers.set(id, found);
    return found;
  };
  const of = (reference: string) => keeper(listId(findIssuer(ledger.holdings(), reference).certificate));
  return {
    complete: async (reference) => of(reference).complete(),
    delta: async (reference) => of(reference).delta(),
    async rotate() {
      await claimUnclaimed(ledger);
      const warnings: string[] = [];
      for (const [id, issuers] of allLists(ledger.holdings())) {
        if (!issuers.some(({ keyId }) => keyId !== undefined)) continue;
        if (listSigner(ledger.holdings(), id, 'crl-signing')) await keeper(id).renew();
        else warnings.push(unsignedWarning(issuers.map((issuer) => issuer.id)));
      }
      return warnings;
    },
    async rotateDeltas() {
      for (const id of allLists(ledger.holdings()).keys()) await keeper(id).renewDelta();
    },
    resign: (reference, request) => resignCrls(ledger, reference, request),
  };
}

/** In Vault's words. */
function unsignedWarning(ids: readonly string[]): string {
  return (
    'Issuer equivalency set with associated keys lacked an issuer with CRL Signing KeyUsage; refusing to rebuild ' +
    `CRL for this group of issuers: ${ids.join(',')}`
  );
}
