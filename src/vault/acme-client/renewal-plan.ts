import { dayMs, hourMs, minuteMs, secondMs } from '../../base/duration.ts';

/** Epoch milliseconds. */
export interface Lifetime {
  notBefore: number;
  notAfter: number;
}

/** What a CA said of when to renew (RFC 9773), or was found to say nothing of. */
export interface Suggestion {
  /** A time within the window that it suggests; undefined where it suggests none. */
  renewAtMs: number | undefined;
  /** When it is to be asked again. */
  askAtMs: number;
}

/** Failures in a row, of one kind. */
export interface Failures {
  /** `away`: nobody answered who could have made an account or order; `refused`: somebody did. */
  kind: 'away' | 'refused';
  count: number;
  lastMs: number;
  /** How long the CA asks to be left alone. */
  retryAfterMs: number | undefined;
}

export interface RenewalFacts {
  /** The certificate that is there. */
  held: Lifetime | undefined;
  suggestion: Suggestion | undefined;
  failures: Failures | undefined;
}

export type RenewalStep = { act: 'order' } | { act: 'ask' } | { act: 'wait'; untilMs: number };

/** Whoever is away may be back at any time, and asking costs little. */
const away = { firstMs: 5 * secondMs, mostMs: minuteMs };
/** CAs count what fails: Let's Encrypt, five an hour for a name. */
const refused = { firstMs: minuteMs, mostMs: 6 * hourMs };
const longestRetryAfterMs = dayMs;
const askAgain = { leastMs: minuteMs, mostMs: dayMs, afterFailureMs: hourMs };

/**
 * Pure: what to do about a certificate. A new one is ordered where there is none, or its time has come: the one that
 * its CA suggests, else two thirds of its life, and never later than a twentieth of its life before its end.
 */
export function nextRenewalStep(facts: RenewalFacts, nowMs: number): RenewalStep {
  const { held, suggestion, failures } = facts;
  const orderAtMs = Math.max(dueMs(held, suggestion), failures ? retryAtMs(failures) : 0);
  if (nowMs >= orderAtMs) return { act: 'order' };
  const askAtMs = held && !isOver(held, nowMs) ? (suggestion?.askAtMs ?? 0) : Infinity;
  if (nowMs >= askAtMs) return { act: 'ask' };
  const endMs = held && !isOver(held, nowMs) ? held.notAfter : Infinity;
  return { act: 'wait', untilMs: Math.min(orderAtMs, askAtMs, endMs) };
}

export function isOver({ notAfter }: Lifetime, nowMs: number): boolean {
  return nowMs >= notAfter;
}

function dueMs(held: Lifetime | undefined, suggestion: Suggestion | undefined): number {
  if (!held) return 0;
  const lifeMs = held.notAfter - held.notBefore;
  const wantedMs = suggestion?.renewAtMs ?? held.notBefore + (lifeMs * 2) / 3;
  return Math.min(wantedMs, held.notAfter - lifeMs / 20);
}

/** When `failures` let it be tried again, epoch milliseconds. */
export function retryAtMs({ kind, count, lastMs, retryAfterMs = 0 }: Failures): number {
  const { firstMs, mostMs } = kind === 'away' ? away : refused;
  // 2^20 minutes are more than any limit.
  const delayMs = Math.min(firstMs * 2 ** Math.min(count - 1, 20), mostMs);
  return lastMs + Math.max(delayMs, Math.min(retryAfterMs, longestRetryAfterMs));
}

/** The same kind again counts on; another begins anew, as how long somebody was away says nothing of orders. */
export function failedAgain(
  former: Failures | undefined,
  { kind, lastMs, retryAfterMs }: Omit<Failures, 'count'>,
): Failures {
  return { kind, lastMs, retryAfterMs, count: former?.kind === kind ? former.count + 1 : 1 };
}

/**
 * Pure. A time within the window that `share` (from 0 to 1, drawn once for each window) chooses; what cannot be read
 * suggests nothing.
 */
export function readSuggestion(
  answer: { body: Readonly<Record<string, unknown>>; retryAfterMs: number | undefined },
  { share, nowMs }: { share: number; nowMs: number },
): Suggestion {
  const window = (answer.body.suggestedWindow ?? {}) as { start?: unknown; end?: unknown };
  const [startMs, endMs] = [Date.parse(String(window.start)), Date.parse(String(window.end))];
  const askMs = answer.retryAfterMs ?? askAgain.mostMs;
  return {
    renewAtMs: endMs >= startMs ? startMs + share * (endMs - startMs) : undefined,
    askAtMs: nowMs + Math.min(Math.max(askMs, askAgain.leastMs), askAgain.mostMs),
  };
}

/** Where it could not be asked: what it said before still holds. */
export function unasked(former: Suggestion | undefined, nowMs: number): Suggestion {
  return { renewAtMs: former?.renewAtMs, askAtMs: nowMs + askAgain.afterFailureMs };
}

/** Where the CA says nothing of renewals. */
export function unsuggested(nowMs: number): Suggestion {
  return { renewAtMs: undefined, askAtMs: nowMs + askAgain.mostMs };
}
