import type { Store } from '../store/store.ts';
import { type AiaUrls, noUrls } from './ca-request.ts';
import { type CaKey, type Chains, chainsAmong, type Issuer, readIssuer, readKey } from './issuer.ts';
import { refused } from './refused.ts';

/** Where an authority keeps what, below its own prefix. */
export function keysBelow(prefix: string) {
  return {
    issuers: `${prefix}issuer/`,
    issuer: (id: string) => `${prefix}issuer/${id}`,
    keys: `${prefix}key/`,
    key: (id: string) => `${prefix}key/${id}`,
    certificates: `${prefix}cert/`,
    /** Under the serial in hexadecimal with dashes, so that a listing is in order. */
    certificate: (serial: string) => `${prefix}cert/${serial}`,
    /** What an issuer signed, by when it ends. */
    signed: (issuerId: string) => `${prefix}signed/${issuerId}/`,
    signedEnding: (issuerId: string, notAfter: number, serial: string) =>
      `${prefix}signed/${issuerId}/${String(notAfter).padStart(15, '0')}/${serial}`,
    crl: (issuerId: string) => `${prefix}crl/${issuerId}`,
    settings: `${prefix}settings`,
  };
}

/** What an operator set. */
export interface Settings {
  urls: AiaUrls;
  /** The issuer that signs where a request names none. */
  defaultIssuerId?: string;
  /** Whether each new issuer takes the default's place. */
  defaultFollowsLatestIssuer?: boolean;
  /** The key that is taken where a request names none; undefined for the default issuer's. */
  defaultKeyId?: string;
}

/** What an authority has in memory: all but the certificates that it issued. */
export interface Holdings {
  issuers: readonly Issuer[];
  chains: Chains;
  keys: readonly CaKey[];
  settings: Settings;
  /** 0 where nothing was set yet. */
  settingsRevision: number;
}

export const nothing: Holdings = {
  issuers: [],
  chains: chainsAmong([]),
  keys: [],
  settings: { urls: noUrls },
  settingsRevision: 0,
};

/** Reads the store anew; what has not changed since `before` is kept, and with it its key object. */
export async function readHoldings(store: Store, prefix: string, before: Holdings): Promise<Holdings> {
  const at = keysBelow(prefix);
  const [issuers, keys, settings] = await Promise.all([
    store.list({ prefix: at.issuers }),
    store.list({ prefix: at.keys }),
    store.get(at.settings),
  ]);
  const kept = <T extends { id: string; revision: number }>(
    known: readonly T[],
    id: string,
    revision: number,
  ) => known.find((one) => one.id === id && one.revision === revision);
  const known = issuers.map(
    ({ key, value, revision }) =>
      kept(before.issuers, key.slice(at.issuers.length), revision) ?? readIssuer(value, revision),
  );
  return {
    issuers: known,
    chains: chainsAmong(known),
    keys: keys.map(
      ({ key, value, revision }) =>
        kept(before.keys, key.slice(at.keys.length), revision) ?? readKey(value, revision),
    ),
    settings: settings ? (JSON.parse(settings.value.toString()) as Settings) : nothing.settings,
    settingsRevision: settings?.revision ?? 0,
  };
}

/**
 * The issuer that `reference` means: `default`, an id or a name.
 *
 * @throws Fault `authority.issuer.absent`
 */
export function findIssuer({ issuers, settings }: Holdings, reference: string): Issuer {
  if (reference === 'default') {
    const found = issuers.find(({ id }) => id === settings.defaultIssuerId);
    if (!found) throw refused('issuer.absent', 'no default issuer currently configured');
    return found;
  }
  const found = issuers.find(({ id, name }) => id === reference || name === reference);
  if (!found) throw refused('issuer.absent', `unable to find PKI issuer for reference: ${reference}`);
  return found;
}

export function defaultKeyId({ issuers, settings }: Holdings): string | undefined {
  return settings.defaultKeyId ?? issuers.find(({ id }) => id === settings.defaultIssuerId)?.keyId;
}

/**
 * The key that `reference` means: `default`, an id or a name.
 *
 * @throws Fault `authority.key.absent`
 */
export function findKey(holdings: Holdings, reference: string): CaKey {
  const id = reference === 'default' ? defaultKeyId(holdings) : reference;
  if (id === undefined) throw refused('key.absent', 'no default key currently configured');
  const found = holdings.keys.find((key) => key.id === id || (key.name !== '' && key.name === id));
  if (!found) throw refused('key.absent', `unable to find PKI key for reference: ${reference}`);
  return found;
}
