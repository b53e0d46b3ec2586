import type { AiaConfig, AiaUrls } from './ca-request.ts';
import { Draft } from './draft.ts';
import { defaultKeyId, findIssuer, findKey, type Holdings } from './holdings.ts';
import type { CaKey, Issuer, IssuerUse } from './issuer.ts';
import { checkName } from './key-rules.ts';
import type { Ledger } from './ledger.ts';
import { refused } from './refused.ts';
import { checkedRevocationAlgorithm } from './revocation-algorithm.ts';
import { badUrl, urlNames } from './signing-issuer.ts';
import type { BeyondIssuer } from './validity.ts';

/** What is to change of an issuer; what is absent stays. */
export interface IssuerChange {
  name?: string;
  leafNotAfterBehavior?: BeyondIssuer;
  usage?: readonly IssuerUse[];
  /** Empty for what goes with its key. */
  revocationAlgorithm?: string;
  /** References, the issuer itself first (or `self`); empty for what the signatures tell. */
  manualChain?: readonly string[];
  /** None at all for the authority's own. */
  urls?: Partial<AiaConfig>;
}

export interface IssuerChanges {
  /** @throws Fault `authority.*`; then nothing has changed */
  changeIssuer(reference: string, change: IssuerChange): Promise<{ before: Issuer; issuer: Issuer }>;
  /** `wasDefault`: there is no default issuer any more. Undefined where there is no such issuer. */
  deleteIssuer(reference: string): Promise<{ issuer: Issuer; wasDefault: boolean } | undefined>;
  /** Empty for no name. */
  renameKey(reference: string, name: string): Promise<CaKey>;
  /** @throws Fault `authority.key.used` while an issuer has it */
  deleteKey(reference: string): Promise<{ key: CaKey; wasDefault: boolean } | undefined>;
  /** Every issuer and every key. */
  deleteAll(): Promise<void>;
}

export function issuerChanges(ledger: Ledger): IssuerChanges {
  async function change<T>(decide: (draft: Draft, from: Holdings) => T): Promise<T> {
    const result = await ledger.decideAndCommit(async (from) => {
      const draft = new Draft(ledger, from);
      const decided = decide(draft, from);
      return { batch: draft.batch(), result: decided };
    });
    await ledger.reload();
    return result;
  }

  return {
    changeIssuer: (reference, asked) =>
      change((draft, from) => {
        const before = findIssuer(from, reference);
        return { before, issuer: draft.changeIssuer(changedIssuer(from, before, asked)) };
      }),
    deleteIssuer: (reference) =>
      change((draft, from) => {
        const id = reference === 'default' ? from.settings.defaultIssuerId : reference;
        const issuer = from.issuerOf.get(id ?? '');
        return issuer && { issuer, wasDefault: draft.removeIssuer(issuer.id) };
      }),
    renameKey: (reference, name) =>
      change((draft, from) => {
        const key = findKey(from, reference);
        checkName(
          'key',
          name,
          from.keys.filter((other) => other !== key),
        );
        return draft.changeKey({ ...key, name });
      }),
    deleteKey: (reference) =>
      change((draft, from) => {
        const key = from.keyOf.get((reference === 'default' ? defaultKeyId(from) : reference) ?? '');
        if (!key) return undefined;
        const user = from.issuers.find(({ keyId }) => keyId === key.id);
        if (user) throw refused('key.used', `Failed to Delete Key.  Key in Use by Issuer: ${user.id}`);
        return { key, wasDefault: draft.removeKey(key.id) };
      }),
    deleteAll: () =>
      change((draft, from) => {
        for (const { id } of from.issuers) draft.removeIssuer(id);
        for (const { id } of from.keys) draft.removeKey(id);
      }),
  };
}

function changedIssuer(from: Holdings, issuer: Issuer, asked: IssuerChange): Issuer {
  const { name = issuer.name, usage = issuer.usage } = asked;
  checkName(
    'issuer',
    name,
    from.issuers.filter((other) => other !== issuer),
  );
  checkUsage(issuer, usage);
  return {
    ...issuer,
    name,
    usage,
    leafNotAfterBehavior: asked.leafNotAfterBehavior ?? issuer.leafNotAfterBehavior,
    revocationAlgorithm:
      asked.revocationAlgorithm === undefined
        ? issuer.revocationAlgorithm
        : checkedRevocationAlgorithm(asked.revocationAlgorithm, issuer.certificate),
    urls: asked.urls ? changedUrls({ ...noOwnUrls, ...issuer.urls, ...asked.urls }) : issuer.urls,
    manualChain: asked.manualChain ? chainIds(from, issuer, asked.manualChain) : issuer.manualChain,
  };
}

function checkUsage(issuer: Issuer, usage: readonly IssuerUse[]): void {
  const added = usage.filter((use) => !issuer.usage.includes(use));
  if (added.includes('issuing-certificates') && issuer.revokedAt !== undefined) {
    throw refused(
      'issuer.change',
      'This issuer was revoked; unable to modify its usage to include certificate signing again. Reissue this ' +
        'certificate (preferably with a new key) and modify that entry instead.',
    );
  }
  if (added.includes('crl-signing') && !issuer.certificate.keyUsage?.includes('crl sign')) {
    throw refused(
      'issuer.change',
      "This issuer's underlying certificate lacks the CRLSign KeyUsage value; unable to set CRLSigningUsage on this " +
        'issuer as a result.',
    );
  }
}

const noOwnUrls: AiaConfig = {
  issuingCertificates: [],
  crlDistributionPoints: [],
  deltaCrlDistributionPoints: [],
  ocspServers: [],
  templates: false,
};

/** Undefined where nothing is left of them. @throws Fault `authority.urls` */
function changedUrls(urls: AiaConfig): AiaConfig | undefined {
  checkUrls(urls);
  const { issuingCertificates, crlDistributionPoints, ocspServers } = urls;
  return issuingCertificates.length + crlDistributionPoints.length + ocspServers.length > 0
    ? urls
    : undefined;
}

/** What holds templates is checked when they are filled in. @throws Fault `authority.urls` */
export function checkUrls(urls: AiaConfig): void {
  if (urls.templates) return;
  for (const part of Object.keys(urlNames) as (keyof AiaUrls)[]) {
    const bad = badUrl(urls[part]);
    if (bad === undefined) continue;
    throw refused(
      'urls',
      `invalid URL found in Authority Information Access (AIA) parameter ${urlNames[part]}: ${bad}`,
    );
  }
}

function chainIds(from: Holdings, issuer: Issuer, references: readonly string[]): string[] {
  const ids = references.map((reference, index) =>
    index === 0 && reference === 'self' ? issuer.id : findIssuer(from, reference).id,
  );
  if (ids.length === 0 || ids[0] === issuer.id) return ids;
  throw refused(
    'issuer.chain',
    `expected first cert in chain to be a self-reference, but was: ${references[0]}/${ids[0]}`,
  );
}
