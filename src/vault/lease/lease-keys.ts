/** Where leases stand in the store. Tokens have an entry there too: their leases are listed and ended by path. */
export const leasePrefix = 'lease/id/';
/** Lease ids are parts of keys, and keys have their limit. */
export const leasePathLimitBytes = 700;

export const leaseExpiryPrefix = 'lease/expiry/';

/** The entry by which a lease is ended before its time (see `Expiry`). */
export function dueLeaseKey(id: string): string {
  return `${leaseExpiryPrefix}${'0'.repeat(15)}/${id}`;
}

/** The lease of a token: `auth/approle/login/h` and the token's name. */
export function tokenLeaseId({ path, name }: { path: string; name: string }): string {
  return `${path}/h${name}`;
}

/** What stands there; all else is in the token's own record. */
export interface TokenLeaseEntry {
  ofToken: string;
}
