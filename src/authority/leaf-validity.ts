import { formatDuration, secondMs } from '../base/duration.ts';
import type { LeafRequest } from './leaf-request.ts';
import { refused } from './refused.ts';
import type { Role } from './role.ts';
import { decideValidity, type IssuerEnd, type TtlLimits, type Validity } from './validity.ts';

/** How far back a leaf begins where its role does not say. */
const usualBackdateMs = 30 * secondMs;

/**
 * From when to when a leaf is valid: the role's own instants, else what is asked for within the role's bounds, else
 * the role's time to live, else the mount's.
 *
 * @throws Fault `authority.validity` in OpenBao's words
 */
export function decideLeafValidity(
  { ttlMs, notBeforeMs, notAfterMs }: LeafRequest,
  role: Role,
  { limits, nowMs, issuer }: { limits: TtlLimits; nowMs: number; issuer: IssuerEnd },
): Validity {
  const backdateMs = role.not_before_duration || usualBackdateMs;
  const begin = role.not_before === '' ? askedBegin(notBeforeMs, role, nowMs) : instant(role.not_before);
  const end = role.not_after === '' ? askedEnd(notAfterMs, role) : instant(role.not_after);
  const roleLimits = {
    defaultTtlMs: role.ttl || limits.defaultTtlMs,
    maxTtlMs: role.max_ttl || limits.maxTtlMs,
  };
  const longestMs = Math.min(ttlMs || roleLimits.defaultTtlMs, roleLimits.maxTtlMs);
  if (role.not_after_bound === 'ttl-limited' && end !== undefined && end > nowMs + longestMs) {
    throw outOfBound(
      'not_after_bound is set to ttl-limited. Cannot satisfy request as that would result in notAfter of ' +
        `${rfc3339(end)} that is beyond the TTL of ${formatDuration(longestMs)}`,
    );
  }
  const asked = {
    ttlMs,
    backdateMs,
    ...(begin === undefined ? {} : { notBeforeMs: begin }),
    ...(end === undefined ? {} : { notAfterMs: end }),
  };
  const validity = decideValidity(asked, roleLimits, nowMs, issuer);
  checkLatest(validity.notAfter, role);
  return validity;
}

function askedBegin(asked: number | undefined, role: Role, nowMs: number): number | undefined {
  if (asked === undefined || role.not_before_bound === 'permit') return asked;
  if (role.not_before_bound === 'forbid') {
    throw outOfBound('not_before_bound is set to forbid. not_before cannot be provided.');
  }
  if (asked >= nowMs - role.not_before_duration) return asked;
  throw outOfBound(
    `not_before_bound is set to ${role.not_before_bound}. Cannot satisfy request as it would result in notBefore of ` +
      `${rfc3339(asked)} that is older than the allowed not_before_duration of ` +
      formatDuration(role.not_before_duration),
  );
}

function askedEnd(asked: number | undefined, role: Role): number | undefined {
  if (asked === undefined || role.not_after_bound !== 'forbid') return asked;
  throw outOfBound('not_after_bound is set to forbid. not_after cannot be provided.');
}

/** A bound that is an instant holds however the end came about. */
function checkLatest(notAfter: number, { not_after_bound: bound }: Role): void {
  if (['permit', 'forbid', 'ttl-limited'].includes(bound) || notAfter <= instant(bound)) return;
  throw outOfBound(
    `not_after_bound is set to ${bound}. Cannot satisfy request as that would result in notAfter of ` +
      `${rfc3339(notAfter)} that is beyond the maximum timestamp of ${rfc3339(instant(bound))}`,
  );
}

/** Epoch milliseconds of a time that stands in a role, of which nobody has asked yet whether it is one. */
function instant(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isFinite(ms)) return ms;
  throw outOfBound(`${JSON.stringify(text)} in the role is no time like 2027-01-31T12:00:00Z`);
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

function outOfBound(message: string) {
  return refused('validity', message);
}
