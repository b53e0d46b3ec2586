import { formatDuration, hourMs } from '../../base/duration.ts';
import { invalidRequest } from '../faults.ts';

/** How long leases last where neither the request nor the mount says: Vault's defaults. */
export const systemLease = { defaultTtlMs: 768 * hourMs, maxTtlMs: 768 * hourMs } as const;

export interface LeaseLimits {
  defaultTtlMs: number;
  maxTtlMs: number;
}

export interface LifetimeRequest {
  /** What a renewal asks for; 0 for nothing. */
  incrementMs: number;
  /** What the token was made or last renewed with; 0 for the default. */
  ttlMs: number;
  periodMs: number;
  explicitMaxTtlMs: number;
  /** When it was made: no lease outlives its maximum from then. */
  startMs: number;
}

/**
 * The time to live of a lease from `nowMs` on, clamped to its limits, with a warning for each clamp (the rules and
 * words of Vault's framework.CalculateTTL).
 *
 * @throws Fault `vault.request.invalid` where the maximum has passed
 */
export function leaseLifetime(
  request: LifetimeRequest,
  limits: LeaseLimits,
  nowMs: number,
): { ttlMs: number; warnings: string[] } {
  const { explicitMaxTtlMs: explicit } = request;
  const maxMs = explicit > 0 ? Math.min(explicit, limits.maxTtlMs) : limits.maxTtlMs;
  const now = wholeSeconds(nowMs);
  const start = wholeSeconds(request.startMs);
  const warnings: string[] = [];
  let ttlMs: number;
  let latestMs: number;
  if (request.periodMs > 0) {
    ttlMs = Math.min(request.periodMs, maxMs);
    latestMs = explicit > 0 ? start + explicit : Infinity;
    if (ttlMs < request.periodMs) {
      warnings.push(
        `period of "${short(request.periodMs)}" exceeded the effective max_ttl of "${short(maxMs)}"; ` +
          'period value is capped accordingly',
      );
    }
  } else {
    ttlMs = request.incrementMs || request.ttlMs || limits.defaultTtlMs;
    latestMs = start + maxMs;
  }
  const leftMs = latestMs - now;
  if (leftMs <= 0) throw invalidRequest('past the max TTL, cannot renew');
  if (ttlMs > leftMs) {
    warnings.push(
      `TTL of "${short(ttlMs)}" exceeded the effective max_ttl of "${short(leftMs)}"; ` +
        'TTL value is capped accordingly',
    );
    ttlMs = leftMs;
  }
  return { ttlMs, warnings };
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}

/** `768h` rather than `768h0m0s`. */
function short(ms: number): string {
  return formatDuration(ms)
    .replace(/m0s$/, 'm')
    .replace(/h0m(?=$|\d)/, 'h');
}
