import { secondMs } from '../../base/duration.ts';
import type { Entry } from '../../store/store.ts';
import type { Ledger } from '../ledger.ts';
import { listId } from '../list-signer.ts';
import { revocationKeysBelow, unclaimed } from '../revocation-keys.ts';
import { readRevoked } from '../revoked.ts';
import type { TidyOptions } from './tidy-options.ts';
import { type TidyCounts, type TidyCursor, tidyStages } from './tidy-record.ts';

export interface TidyStep {
  deletes: string[];
  counts: Partial<TidyCounts>;
  /** Undefined where all is done. */
  next: TidyCursor | undefined;
  /** How many were looked at. */
  seen: number;
}

const mostOnAPage = 2_000;
/** A page and the pauses after it take no longer, so that its runner is seen. */
const longestPageMs = 30 * secondMs;

export function pageSizeOf({ pageSize, pauseMs }: TidyOptions): number {
  const wanted = pageSize > 0 ? Math.min(pageSize, mostOnAPage) : mostOnAPage;
  return pauseMs > 0 ? Math.max(1, Math.min(wanted, Math.floor(longestPageMs / pauseMs))) : wanted;
}

/** The beginning of the stage after `cursor`'s, of those that are asked for. */
export function nextStage({ stage }: Pick<TidyCursor, 'stage'>): TidyCursor | undefined {
  const next = tidyStages[tidyStages.indexOf(stage) + 1];
  return next && { stage: next };
}

/** `000001767225600000/3f-6d` after a prefix: when it ends, and its serial. */
function readEnd(text: string): { notAfter: number; serial: string } {
  const [end, serial] = text.split('/') as [string, string];
  return { notAfter: Number(end), serial };
}

/**
 * A page of what was revoked and is over, in the order of ends: the revocation, and with it the certificate. Lists drop
 * it by themselves, in their own time.
 */
export async function tidyRevocations(
  ledger: Ledger,
  options: TidyOptions,
  cursor: TidyCursor,
  nowMs: number,
): Promise<TidyStep> {
  const { store, prefix } = ledger.options;
  const at = revocationKeysBelow(prefix);
  const before = nowMs - (options.revokedSafetyBufferMs ?? options.safetyBufferMs);
  const page = await list(ledger, at.revocationsByEnd, cursor.after, pageSizeOf(options));
  const over = page.filter(({ key }) => readEnd(key.slice(at.revocationsByEnd.length)).notAfter < before);
  const deletes = await Promise.all(
    over.map(async ({ key }) => {
      const { notAfter, serial } = readEnd(key.slice(at.revocationsByEnd.length));
      const entry = await store.get(at.revoked(serial));
      if (!entry) return [key];
      const { list: id, issuerId } = readRevoked(entry.value);
      // Whichever of the issuers of its list had signed it.
      const signers = ledger.holdings().issuers.filter(({ certificate }) => listId(certificate) === id);
      return [
        key,
        at.revoked(serial),
        at.unlisted(id, serial),
        ledger.at.certificate(serial),
        ...new Set(
          [issuerId, ...signers.map((issuer) => issuer.id)].map((one) =>
            ledger.at.signedEnding(one, notAfter, serial),
          ),
        ),
      ];
    }),
  );
  const done = over.length < page.length || page.length < pageSizeOf(options);
  const last = over.at(-1)?.key;
  return {
    deletes: deletes.flat(),
    counts: { revocations: over.length, ...(options.certStore ? { certificates: over.length } : {}) },
    next: done || last === undefined ? nextStage(cursor) : { ...cursor, after: last },
    seen: over.length,
  };
}

/** A page of what one issuer signed and is over, in the order of ends; then the next issuer's. */
export async function tidyCertificates(
  ledger: Ledger,
  options: TidyOptions,
  cursor: TidyCursor,
  nowMs: number,
): Promise<TidyStep> {
  const { issuerId } = cursor;
  if (issuerId === undefined) return toNextIssuer(ledger, cursor);
  const before = nowMs - options.safetyBufferMs;
  const revokedBefore = nowMs - (options.revokedSafetyBufferMs ?? options.safetyBufferMs);
  const signed = ledger.at.signed(issuerId);
  const page = await list(ledger, signed, cursor.after, pageSizeOf(options));
  const over = page.filter(
    ({ key }) => readEnd(key.slice(signed.length)).notAfter < Math.max(before, revokedBefore),
  );
  const revoked = await revokedAmong(ledger, over, signed.length);
  const leaving = over.filter(({ key }) => {
    const { notAfter, serial } = readEnd(key.slice(signed.length));
    return notAfter < (revoked.has(serial) ? revokedBefore : before);
  });
  const step = {
    deletes: leaving.flatMap(({ key }) => [
      key,
      ledger.at.certificate(readEnd(key.slice(signed.length)).serial),
    ]),
    counts: { certificates: leaving.length },
    seen: over.length,
  };
  const last = over.at(-1)?.key;
  if (over.length < page.length || page.length < pageSizeOf(options) || last === undefined) {
    const { next } = await toNextIssuer(ledger, cursor);
    return { ...step, next };
  }
  return { ...step, next: { ...cursor, after: last } };
}

/** Issuers that have left included: what they signed is over one day, too. */
async function toNextIssuer(ledger: Ledger, { stage, issuerId }: TidyCursor): Promise<TidyStep> {
  const all = ledger.at.signed('').slice(0, -1);
  // Behind every key of this issuer: they go on with digits.
  const after = issuerId === undefined ? undefined : `${ledger.at.signed(issuerId)}~`;
  const [first] = await list(ledger, all, after, 1);
  const next = first ? { stage, issuerId: first.key.slice(all.length).split('/')[0]! } : nextStage({ stage });
  return { deletes: [], counts: {}, next, seen: 0 };
}

/** The serials of those of a page, which is in the order of ends, that were revoked. */
async function revokedAmong(
  ledger: Ledger,
  page: readonly Entry[],
  prefixLength: number,
): Promise<Set<string>> {
  const found = new Set<string>();
  const [first, last] = [page[0], page.at(-1)];
  if (!first || !last) return found;
  const at = revocationKeysBelow(ledger.options.prefix);
  const endOf = ({ key }: Entry) => readEnd(key.slice(prefixLength)).notAfter;
  const [from, to] = [at.revokedEnding(endOf(first), ''), endOf(last)];
  for (let after = from; ; ) {
    const entries = await list(ledger, at.revocationsByEnd, after, mostOnAPage);
    const ends = entries.map(({ key }) => readEnd(key.slice(at.revocationsByEnd.length)));
    for (const { notAfter, serial } of ends) if (notAfter <= to) found.add(serial);
    if (entries.length < mostOnAPage || ends.at(-1)!.notAfter > to) return found;
    after = entries.at(-1)!.key;
  }
}

/** How many revoked certificates wait for their issuer. */
export async function countUnclaimed(ledger: Ledger): Promise<number> {
  const waiting = revocationKeysBelow(ledger.options.prefix).waiting(unclaimed);
  let count = 0;
  for (let after: string | undefined; ; ) {
    const page = await list(ledger, waiting, after, mostOnAPage);
    count += page.length;
    if (page.length < mostOnAPage) return count;
    after = page.at(-1)!.key;
  }
}

function list(ledger: Ledger, prefix: string, after: string | undefined, limit: number): Promise<Entry[]> {
  return ledger.options.store.list({
    prefix,
    ...(after === undefined ? {} : { after }),
    limit,
    keysOnly: true,
  });
}
