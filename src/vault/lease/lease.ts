import { formatInstant } from '../instant.ts';

/** What an engine asks for with an answer that is to be ended again. */
export interface LeaseGrant {
  /** When it ends, unless the limits of the mount end it sooner. */
  untilMs: number;
  renewable: boolean;
  /** What the engine's `revokeLease` is to be told; never shown. */
  internal: Readonly<Record<string, unknown>>;
}

/** A lease as the store keeps it. */
export interface Lease {
  /** The path that was asked, and 24 random characters: `pki/issue/web/7Bx…`. */
  id: string;
  path: string;
  /** The name of the token that it ends with. */
  token?: string;
  issuedMs: number;
  expiresMs: number;
  /** The time that it was given, at first or by its last renewal. */
  ttlMs: number;
  /** No renewal goes beyond: the end of the batch token that asked for it. */
  latestMs?: number;
  renewable: boolean;
  renewedMs?: number;
  internal: LeaseGrant['internal'];
  /** How often it could not be revoked, and why the last time. */
  failures?: number;
  failure?: string;
}

/** The lease of a token: what is shown of it, where it stands among the others. */
export type ShownLease = Pick<Lease, 'id' | 'path' | 'issuedMs' | 'renewable' | 'renewedMs' | 'failure'> & {
  /** Undefined for one that never ends. */
  expiresMs?: number | undefined;
};

/** As `sys/leases/lookup` shows it; `ttl` in seconds. */
export function describeLease(lease: ShownLease, nowMs: number): Record<string, unknown> {
  const { expiresMs, renewedMs } = lease;
  return {
    expire_time: expiresMs === undefined ? null : formatInstant(expiresMs),
    id: lease.id,
    issue_time: formatInstant(lease.issuedMs),
    last_renewal: renewedMs === undefined ? null : formatInstant(renewedMs),
    path: lease.path,
    renewable: lease.renewable,
    ...(lease.failure === undefined ? {} : { revoke_error: lease.failure }),
    ttl: expiresMs === undefined ? 0 : Math.max(0, Math.floor((expiresMs - nowMs) / 1_000)),
  };
}
