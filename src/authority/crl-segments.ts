import { Fault } from '../base/fault.ts';
import { type RevocationReason, writeRevoked } from '../x509/crl.ts';

/** An entry of a list, encoded once. */
export interface ListedEntry {
  /** When its certificate ends, epoch milliseconds. */
  notAfter: number;
  der: Buffer;
}

/**
 * How many entries of a list are kept under one key. A new list writes anew the last piece and those that something
 * has left: some 150 KB, where the whole list would be megabytes.
 */
export const segmentSize = 4_096;

const countBytes = 4;
const endBytes = 6;

export function listedEntry({
  serial,
  revokedAtMs,
  reason,
  notAfter,
}: {
  /** Hexadecimal with dashes. */
  serial: string;
  revokedAtMs: number;
  reason?: RevocationReason;
  notAfter: number;
}): ListedEntry {
  const octets = Buffer.from(serial.replaceAll('-', ''), 'hex');
  const der = writeRevoked({ serial: octets, revokedAt: revokedAtMs, ...(reason ? { reason } : {}) });
  return { notAfter, der };
}

/** `count || notAfter of each || DER of each`. */
export function writeSegment(entries: readonly ListedEntry[]): Buffer {
  const head = Buffer.alloc(countBytes + entries.length * endBytes);
  head.writeUInt32BE(entries.length);
  entries.forEach(({ notAfter }, index) => {
    head.writeUIntBE(notAfter, countBytes + index * endBytes, endBytes);
  });
  return Buffer.concat([head, ...entries.map(({ der }) => der)]);
}

/** The entries' DER, one after another, as a list holds them. */
export function segmentDer(value: Buffer): Buffer {
  return value.subarray(headLength(value));
}

export function readSegment(value: Buffer): ListedEntry[] {
  const entries: ListedEntry[] = [];
  let at = headLength(value);
  for (let endAt = countBytes; endAt < countBytes + value.readUInt32BE(0) * endBytes; endAt += endBytes) {
    // Serial, time and reason together stay below 128 bytes: one byte tells the length.
    const end = at + 2 + (value[at + 1] ?? 0);
    if (end > value.length) throw damaged();
    entries.push({ notAfter: value.readUIntBE(endAt, endBytes), der: value.subarray(at, end) });
    at = end;
  }
  if (at !== value.length) throw damaged();
  return entries;
}

/** Pieces of at most `segmentSize` of `entries`. */
export function segmentsOf(entries: readonly ListedEntry[]): ListedEntry[][] {
  return Array.from({ length: Math.ceil(entries.length / segmentSize) }, (_, index) =>
    entries.slice(index * segmentSize, (index + 1) * segmentSize),
  );
}

function headLength(value: Buffer): number {
  const length = value.length < countBytes ? Infinity : countBytes + value.readUInt32BE(0) * endBytes;
  if (length > value.length) throw damaged();
  return length;
}

function damaged(): Fault {
  return new Fault('a part of a revocation list in the store is damaged', {
    code: 'authority.record',
    blame: 'operator',
    fix: 'restore the store from a backup',
  });
}
