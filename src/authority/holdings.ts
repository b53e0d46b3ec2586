import type { Store } from '../store/store.ts';
import { type AiaConfig, noUrls } from './ca-request.ts';
import { type Chains, chainsAmong } from './chains.ts';
import { type CaKey, type Issuer, type RemoteKeys, readIssuer, readKey } from './issuer.ts';
import { refused } from './refused.ts';
import type { RevocationSettings } from './revocation-settings.ts';

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
    /** Until when what an issuer signed and nobody stored may be good. */
    unstoredUntil: (issuerId: string) => `${prefix}unstored-until/${issuerId}`,
    crl: (issuerId: string) => `${prefix}crl/${issuerId}`,
    settings: `${prefix}settings`,
  };
}

/** What an operator set. */
export interface Settings {
  urls: AiaConfig;
  /** What templates in URLs stand for; each absent until it is set. */
  cluster?: { path?: string; aiaPath?: string };
  /** The issuer that signs where a request names none. */
  defaultIssuerId?: string;
  /** When an issuer, or which one is the default, last changed; epoch milliseconds, whole seconds. */
  issuersModifiedAt?: number;
  /** Whether each new issuer takes the default's place. */
  defaultFollowsLatestIssuer?: boolean;
  /** The key that is taken where a request names none; undefined for the default issuer's, empty for none. */
  defaultKeyId?: string;
  /** Absent for Vault's defaults. */
  revocation?: RevocationSettings;
}

/** What an authority has in memory: all but the certificates that it issued. */
export interface Holdings {
  /** In the order of their ids, as are the keys. */
  issuers: readonly Issuer[];
  chains: Chains;
  keys: readonly CaKey[];
  /** By id, and by name where no id is the same. */
  issuerOf: ReadonlyMap<string, Issuer>;
  keyOf: ReadonlyMap<string, CaKey>;
  settings: Settings;
  /** 0 where nothing was set yet. */
  settingsRevision: number;
}

export const nothing: Holdings = holding([], [], { urls: noUrls }, 0);

function holding(
  issuers: readonly Issuer[],
  keys: readonly CaKey[],
  settings: Settings,
  settingsRevision: number,
): Holdings {
  return {
    issuers,
    chains: chainsAmong(issuers),
    keys,
    issuerOf: byReference(issuers),
    keyOf: byReference(keys),
    settings,
    settingsRevision,
  };
}

function byReference<T extends { id: string; name: string }>(all: readonly T[]): Map<string, T> {
  const named = all.filter(({ name }) => name !== '').map((one) => [one.name, one] as const);
  return new Map([...named, ...all.map((one) => [one.id, one] as const)]);
}

/** Reads the store anew; what has not changed since `before` is kept, and with it its key object. */
export async function readHoldings(
  { store, prefix, remoteKeys }: { store: Store; prefix: string; remoteKeys: RemoteKeys },
  before: Holdings,
): Promise<Holdings> {
  const at = keysBelow(prefix);
  const [issuers, keys, settings] = await Promise.all([
    store.list({ prefix: at.issuers }),
    store.list({ prefix: at.keys }),
    store.get(at.settings),
  ]);
  const kept = <T extends { revision: number }>(
    known: ReadonlyMap<string, T>,
    id: string,
    revision: number,
  ) => {
    const one = known.get(id);
    return one?.revision === revision ? one : undefined;
  };
  return holding(
    issuers.map(
      ({ key, value, revision }) =>
        kept(before.issuerOf, key.slice(at.issuers.length), revision) ?? readIssuer(value, revision),
    ),
    keys.map(
      ({ key, value, revision }) =>
        kept(before.keyOf, key.slice(at.keys.length), revision) ?? readKey(value, revision, remoteKeys),
    ),
    settings ? (JSON.parse(settings.value.toString()) as Settings) : nothing.settings,
    settings?.revision ?? 0,
  );
}

/**
 * The issuer that `reference` means: `default`, an id or a name.
 *
 * @throws Fault `authority.issuer.absent`
 */
export function findIssuer({ issuerOf, settings }: Holdings, reference: string): Issuer {
  if (reference === 'default') {
    const found = issuerOf.get(settings.defaultIssuerId ?? '');
    if (!found) throw refused('issuer.absent', 'no default issuer currently configured');
    return found;
  }
  const found = issuerOf.get(reference);
  if (!found) throw refused('issuer.absent', `unable to find PKI issuer for reference: ${reference}`);
  return found;
}

export function defaultKeyId({
  issuerOf,
  settings,
}: Pick<Holdings, 'issuerOf' | 'settings'>): string | undefined {
  return (settings.defaultKeyId ?? issuerOf.get(settings.defaultIssuerId ?? '')?.keyId) || undefined;
}

/**
 * The key that `reference` means: `default`, an id or a name.
 *
 * @throws Fault `authority.key.absent`
 */
export function findKey(holdings: Holdings, reference: string): CaKey {
  const id = reference === 'default' ? defaultKeyId(holdings) : reference;
  if (id === undefined) throw refused('key.absent', 'no default key currently configured');
  const found = holdings.keyOf.get(id);
  if (!found) throw refused('key.absent', `unable to find PKI key for reference: ${reference}`);
  return found;
}

/** The key of `issuer`. @throws Fault `authority.issuer.keyless` where it is not here */
export function issuerKey({ keyOf }: Holdings, { id, keyId }: Issuer): CaKey {
  const key = keyId === undefined ? undefined : keyOf.get(keyId);
  if (key) return key;
  throw refused(
    'issuer.keyless',
    `unable to fetch corresponding key for issuer ${id}; unable to use this issuer for signing`,
  );
}
