import { minuteMs } from '../../base/duration.ts';
import type { AutoTidy, TidyOptions } from './tidy-options.ts';

export const tidyStages = ['revocations', 'certificates', 'associations', 'issuers', 'acme'] as const;
export type TidyStage = (typeof tidyStages)[number];

/** How far a tidying has come: whoever goes on with it begins behind it. */
export interface TidyCursor {
  stage: TidyStage;
  /** Whose certificates are looked at. */
  issuerId?: string;
  /** The last key that is done with. */
  after?: string;
}

export interface TidyCounts {
  certificates: number;
  revocations: number;
  missingIssuers: number;
  acmeAccounts: number;
  acmeAccountsRevoked: number;
  acmeAccountsDeleted: number;
  acmeOrdersDeleted: number;
}

export const nothingTidied: TidyCounts = {
  certificates: 0,
  revocations: 0,
  missingIssuers: 0,
  acmeAccounts: 0,
  acmeAccountsRevoked: 0,
  acmeAccountsDeleted: 0,
  acmeOrdersDeleted: 0,
};

export type TidyState = 'Running' | 'Finished' | 'Error' | 'Cancelling' | 'Cancelled';

/** The tidying that is under way, or was last: one for all nodes. Times in epoch milliseconds. */
export interface TidyRecord {
  state: TidyState;
  options: TidyOptions;
  cursor: TidyCursor;
  counts: TidyCounts;
  /** Who runs it, and when they were last seen. */
  runner: string;
  seenMs: number;
  startedMs: number;
  finishedMs?: number;
  error?: string;
}

/** Whoever was not seen for so long has died: another goes on. */
export const silenceMs = 2 * minuteMs;
const shortestIntervalMs = minuteMs;

export type TidyDecision = 'start' | 'resume' | { waitMs: number };

/** What is to be done by itself: nothing, where undefined. `sinceMs`: when tidying was last set to happen by itself. */
export function decideTidy(
  { auto, sinceMs }: { auto: AutoTidy; sinceMs: number },
  record: TidyRecord | undefined,
  { nowMs, runner }: { nowMs: number; runner: string },
): TidyDecision | undefined {
  if (record?.state === 'Running' || record?.state === 'Cancelling') {
    if (record.runner === runner) return undefined;
    const waitMs = record.seenMs + silenceMs - nowMs;
    return waitMs > 0 ? { waitMs } : 'resume';
  }
  if (!auto.enabled) return undefined;
  const waitMs =
    Math.max(record?.finishedMs ?? 0, sinceMs) + Math.max(auto.intervalMs, shortestIntervalMs) - nowMs;
  return waitMs > 0 ? { waitMs } : 'start';
}
