import { type LeaseLimits, systemLease } from '../token/lifetime.ts';
import { builtinVersion } from '../version.ts';

/** What is mounted at a path, as the store keeps it. */
export interface Mount {
  uuid: string;
  /** Ends in a slash: `pki/`; below `auth/` for an auth method: `auth/approle/`. */
  path: string;
  type: string;
  description: string;
  accessor: string;
  /** 0 where the system's applies. */
  defaultLeaseTtlMs: number;
  maxLeaseTtlMs: number;
  forceNoCache: boolean;
  /** `unauth`, `hidden`, or empty for not said. */
  listingVisibility: string;
  options: Readonly<Record<string, string>> | null;
  local: boolean;
  sealWrap: boolean;
  /** Of an auth method: what kind of tokens logins give, or which where neither they nor the role say so. */
  tokenType?: MountTokenType;
  /** Those of the lists below that were set. */
  lists?: Readonly<Partial<Record<MountList, readonly string[]>>>;
}

/**
 * Settings that are lists, under Vault's names. Audit devices show the fields of the first two as they are. Keys in HSMs
 * are for the mounts that list them, and for all where they say so. The headers
 * are kept for clients that set them: here an engine sees all that it asks for, and what it answers goes out, untuned.
 */
export const mountLists = [
  'audit_non_hmac_request_keys',
  'audit_non_hmac_response_keys',
  'passthrough_request_headers',
  'allowed_response_headers',
  'allowed_managed_keys',
] as const;
export type MountList = (typeof mountLists)[number];

export const tokenTypes = ['default-service', 'default-batch', 'service', 'batch'] as const;
export type MountTokenType = (typeof tokenTypes)[number];

/** Secrets engines and auth methods share one table; where a mount lies tells which it is. */
export type MountKind = 'secret' | 'auth';

export const authPrefix = 'auth/';

export function kindOf({ path }: Pick<Mount, 'path'>): MountKind {
  return path.startsWith(authPrefix) ? 'auth' : 'secret';
}

/** The path as `sys/mounts` and `sys/auth` name it: an auth method's without `auth/`. */
export function listedPath(mount: Pick<Mount, 'path'>): string {
  return kindOf(mount) === 'auth' ? mount.path.slice(authPrefix.length) : mount.path;
}

/** How long leases and certificates of this mount may last: its own settings, else the system's. */
export function leaseLimits(mount: Pick<Mount, 'defaultLeaseTtlMs' | 'maxLeaseTtlMs'>): LeaseLimits {
  return {
    defaultTtlMs: mount.defaultLeaseTtlMs || systemLease.defaultTtlMs,
    maxTtlMs: mount.maxLeaseTtlMs || systemLease.maxTtlMs,
  };
}

/** What Vault sets for the types that are always mounted, and shows among their settings. */
const ownSettings: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  system: { passthrough_request_headers: ['Accept'] },
  token: { token_type: 'default-service' },
  cubbyhole: {},
};

/** As `sys/mounts` and `sys/auth` show it; times in seconds. */
export function describeMount(mount: Mount): Record<string, unknown> {
  return {
    accessor: mount.accessor,
    config: {
      default_lease_ttl: mount.defaultLeaseTtlMs / 1_000,
      force_no_cache: mount.forceNoCache,
      ...(mount.listingVisibility === '' ? {} : { listing_visibility: mount.listingVisibility }),
      max_lease_ttl: mount.maxLeaseTtlMs / 1_000,
      ...(mount.tokenType ? { token_type: mount.tokenType } : {}),
      ...mount.lists,
      ...ownSettings[mount.type],
    },
    // Only what a user can mount may one day be taken away.
    ...(mount.type in ownSettings ? {} : { deprecation_status: 'supported' }),
    description: mount.description,
    external_entropy_access: false,
    local: mount.local,
    options: mount.options,
    plugin_version: '',
    running_plugin_version: builtinVersion,
    running_sha256: '',
    seal_wrap: mount.sealWrap,
    type: mount.type,
    uuid: mount.uuid,
  };
}

/** What holds for a mount, as its `tune` shows it: the system's times where it has none of its own. */
export function describeTuning(mount: Mount): Record<string, unknown> {
  const limits = leaseLimits(mount);
  return {
    default_lease_ttl: limits.defaultTtlMs / 1_000,
    description: mount.description,
    force_no_cache: mount.forceNoCache,
    ...(mount.listingVisibility === '' ? {} : { listing_visibility: mount.listingVisibility }),
    max_lease_ttl: limits.maxTtlMs / 1_000,
    ...(mount.options && Object.keys(mount.options).length > 0 ? { options: mount.options } : {}),
    ...(mount.tokenType ? { token_type: mount.tokenType } : {}),
    ...mount.lists,
    ...ownSettings[mount.type],
  };
}
