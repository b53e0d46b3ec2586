import { formatDuration, secondMs } from '../base/duration.ts';
import { refused } from './refused.ts';

/** What a request says about time; everything in milliseconds, instants since the epoch. */
export interface ValidityRequest {
  /** 0 for the default. */
  ttlMs: number;
  /** Asked for as an instant instead; not together with a time to live. */
  notAfterMs?: number;
  /** How far back the certificate begins, for peers whose clocks lag. */
  backdateMs: number;
  /** When it begins, in place of that. */
  notBeforeMs?: number;
}

export interface TtlLimits {
  defaultTtlMs: number;
  maxTtlMs: number;
}

/** What becomes of a certificate that would outlive its issuer; `always_enforce_err` refuses CA certificates, too. */
export type BeyondIssuer = 'err' | 'truncate' | 'permit' | 'always_enforce_err';

export interface IssuerEnd {
  notAfter: number;
  beyond: BeyondIssuer;
}

export interface Validity {
  notBefore: number;
  notAfter: number;
  /** Whether the end is the issuer's and not what was asked for. */
  truncated: boolean;
  warnings: string[];
}

/**
 * From when to when a certificate is valid: the time asked for, else the default, clamped to the maximum with a
 * warning, then held against the issuer's own end. Words and rules are those of Vault's PKI engine
 * (issuing.GetCertificateNotAfter).
 *
 * @throws Fault `authority.validity`
 */
export function decideValidity(
  request: ValidityRequest,
  limits: TtlLimits,
  nowMs: number,
  issuer?: IssuerEnd,
): Validity {
  const warnings: string[] = [];
  if (request.ttlMs > 0 && request.notAfterMs !== undefined) {
    throw validityFault(
      'Either ttl or not_after should be provided. Both should not be provided in the same request.',
    );
  }
  let ttlMs = request.ttlMs || limits.defaultTtlMs;
  if (request.notAfterMs === undefined && ttlMs > limits.maxTtlMs) {
    warnings.push(
      `TTL "${formatDuration(ttlMs)}" is longer than permitted maxTTL "${formatDuration(limits.maxTtlMs)}", ` +
        'so maxTTL is being used',
    );
    ttlMs = limits.maxTtlMs;
  }
  const notBefore = wholeSeconds(request.notBeforeMs ?? nowMs - request.backdateMs);
  const asked = wholeSeconds(request.notAfterMs ?? nowMs + ttlMs);
  const notAfter = issuer ? withinIssuer(asked, nowMs, issuer) : asked;
  if (notAfter <= notBefore) {
    const relation = notAfter === notBefore ? 'equal to' : 'later than';
    throw validityFault(
      `The certificate's Not Before (${rfc3339(notBefore)}) is ${relation} the certificate's ` +
        `Not After (${rfc3339(notAfter)})`,
    );
  }
  return { notBefore, notAfter, truncated: notAfter < asked, warnings };
}

function withinIssuer(asked: number, nowMs: number, issuer: IssuerEnd): number {
  if (issuer.notAfter <= nowMs && issuer.beyond !== 'permit') {
    throw validityFault(
      `cannot satisfy request, as the issuer's own certificate expired at ${rfc3339(issuer.notAfter)}`,
    );
  }
  if (asked <= issuer.notAfter || issuer.beyond === 'permit') return asked;
  if (issuer.beyond === 'truncate') return issuer.notAfter;
  throw validityFault(
    `cannot satisfy request, as TTL would result in notAfter of ${rfc3339(asked)} that is beyond the expiration ` +
      `of the CA certificate at ${rfc3339(issuer.notAfter)}`,
  );
}

function validityFault(message: string) {
  return refused('validity', message);
}

/** Certificates hold no fractions of a second. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / secondMs) * secondMs;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
