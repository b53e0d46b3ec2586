import type { AiaConfig } from './ca-request.ts';
import { defaultKeyId, findIssuer, findKey, type Holdings, type Settings } from './holdings.ts';
import { withIssuersModified } from './issuers-modified.ts';
import type { Ledger } from './ledger.ts';

/** What stands in where a request names no issuer or no key. */
export interface Defaults {
  /** Undefined while there is none. */
  issuerId: string | undefined;
  /** Whether each new issuer becomes the default one. */
  followsLatestIssuer: boolean;
  keyId: string | undefined;
}

export interface DefaultsChange {
  issuer?: string;
  followsLatestIssuer?: boolean;
  key?: string;
}

/** Where this authority is reached, for URLs that are templates. */
export interface ClusterAddress {
  path?: string;
  aiaPath?: string;
}

export interface AuthoritySettings {
  defaults(): Defaults;
  /** Changes what `change` holds; references as `issuer` and `key` take them. */
  setDefaults(change: DefaultsChange): Promise<void>;
  /**
   * When what is told of issuers last changed, or which one is the default; epoch milliseconds, whole seconds, a later
   * one with each change. 0 where nobody knows.
   */
  issuersModifiedAt(): number;
  urls(): AiaConfig;
  setUrls(urls: AiaConfig): Promise<void>;
  cluster(): ClusterAddress;
  setCluster(cluster: ClusterAddress): Promise<void>;
}

export function authoritySettings(ledger: Ledger): AuthoritySettings {
  async function change(decide: (from: Holdings) => Settings): Promise<void> {
    await ledger.decideAndCommit(async (from) => ({
      batch: { expect: [ledger.settingsAsIn(from)], puts: [ledger.putSettings(decide(from))] },
      result: undefined,
    }));
    await ledger.reload();
  }

  return {
    defaults: () => {
      const from = ledger.holdings();
      const { defaultIssuerId, defaultFollowsLatestIssuer = false } = from.settings;
      return {
        issuerId: defaultIssuerId,
        followsLatestIssuer: defaultFollowsLatestIssuer,
        keyId: defaultKeyId(from),
      };
    },
    setDefaults: ({ issuer, followsLatestIssuer, key }) =>
      change((from) => {
        // Said, so that it does not change with the default issuer.
        const keyId = key === undefined ? defaultKeyId(from) : findKey(from, key).id;
        const issuerId = issuer === undefined ? undefined : findIssuer(from, issuer).id;
        const { settings } = from;
        const changes = issuerId !== undefined && issuerId !== settings.defaultIssuerId;
        return {
          ...(changes ? withIssuersModified(settings, ledger.options.clock.now()) : settings),
          ...(issuerId === undefined ? {} : { defaultIssuerId: issuerId }),
          ...(followsLatestIssuer === undefined ? {} : { defaultFollowsLatestIssuer: followsLatestIssuer }),
          ...(keyId === undefined ? {} : { defaultKeyId: keyId }),
        };
      }),
    issuersModifiedAt: () => ledger.holdings().settings.issuersModifiedAt ?? 0,
    urls: () => ledger.holdings().settings.urls,
    setUrls: (urls) => change(({ settings }) => ({ ...settings, urls })),
    cluster: () => ledger.holdings().settings.cluster ?? {},
    setCluster: (cluster) => change(({ settings }) => ({ ...settings, cluster })),
  };
}
