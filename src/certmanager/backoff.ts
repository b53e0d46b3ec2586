import { hourMs, minuteMs, secondMs } from '../base/duration.ts';
import { epochMs } from './conditions.ts';
import type { CertificateStatus } from './kinds.ts';

const firstFailureDelayMs = hourMs;
const longestFailureDelayMs = 32 * hourMs;

/**
 * When an issuance that failed for good may be tried again: one hour after the first failure, doubling with each,
 * at most 32 hours (upstream's --certificate-request-minimum/-maximum-backoff-duration). Undefined where nothing
 * failed.
 */
export function nextAttemptMs(status: CertificateStatus | undefined): number | undefined {
  const failedMs = epochMs(status?.lastFailureTime);
  if (failedMs === undefined) return undefined;
  const attempts = Math.max(1, status?.failedIssuanceAttempts ?? 1);
  // 2^5 hours is the limit already; a larger power would only lose precision.
  const delayMs = firstFailureDelayMs * 2 ** Math.min(attempts - 1, 5);
  return failedMs + Math.min(delayMs, longestFailureDelayMs);
}

const firstRetryDelayMs = 5 * secondMs;
const longestRetryDelayMs = 5 * minuteMs;

/**
 * How long to wait before asking a CA again that could not answer: as long as the trouble has lasted, between five
 * seconds and five minutes. That doubles from try to try without a counter, so it survives a restart.
 *
 * Upstream counts every failed signing as final, sealed and restarting CAs included, and so turns a CA's blip of a
 * minute into an hour without a certificate. Here only a CA that understood and refused ends a request.
 */
export function retryDelayMs(troubledSinceMs: number, nowMs: number): number {
  return Math.min(longestRetryDelayMs, Math.max(firstRetryDelayMs, nowMs - troubledSinceMs));
}
