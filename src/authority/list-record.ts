import type { FramedCrl } from '../x509/crl.ts';

/** Entries of a list that are kept together, under a name of their own. */
export interface SegmentRecord {
  name: string;
  count: number;
  /** When the first of its certificates ends, epoch milliseconds. */
  firstEnd: number;
}

/** A list that was signed: what stands before its entries and behind them, and where those are. */
export interface SignedList {
  /** Decimal. */
  number: string;
  /** Epoch milliseconds. */
  thisUpdate: number;
  nextUpdate: number;
  /** No two lists say the same one, even in one second, so that "not modified since" is true. */
  modifiedAt: number;
  /** What it was made from besides its entries: when that changes, another is made. */
  basis: string;
  /** Base64. */
  head: string;
  tail: string;
  segments: SegmentRecord[];
}

/** All that is known of an issuer's lists, under one key: who changes it has seen it as it was. */
export interface ListRecord {
  /** The last number used: it grows with every list, complete or delta, and never falls (RFC 5280 section 5.2.3). */
  number: string;
  modifiedAt: number;
  /** What has been revoked and taken up, whether or not lists are told now. */
  segments: SegmentRecord[];
  complete?: SignedList;
  delta?: SignedList & { base: string };
}

export const noList: ListRecord = { number: '0', modifiedAt: 0, segments: [] };

export function splitList({ der, entries: { start, end } }: FramedCrl): Pick<SignedList, 'head' | 'tail'> {
  return {
    head: der.subarray(0, start).toString('base64'),
    tail: der.subarray(end).toString('base64'),
  };
}

export interface ListCircumstances {
  now: number;
  basis: string;
  /** How long before its end a list is replaced. */
  graceMs: number;
}

/** How far the clocks of two nodes may be apart. */
const clockSkewMs = 60_000;

/** Whether a list is to be made anew by its age or its basis alone. */
export function isStale(list: SignedList | undefined, { now, basis, graceMs }: ListCircumstances): boolean {
  if (!list || list.basis !== basis) return true;
  return now >= list.nextUpdate - graceMs || now < list.thisUpdate - clockSkewMs;
}
