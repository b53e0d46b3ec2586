import { Fault } from '../base/fault.ts';
import { context, contextConstructed, type DerReader, readEach, readInside, tags } from './der.ts';
import { readValue } from './extension.ts';
import { readGeneralName } from './general-name.ts';
import { formatIp } from './ip-address.ts';
import type { Name } from './name.ts';

/** A part of the space of names, of one type (RFC 5280 section 4.2.1.10). */
export type Subtree =
  | { type: 'dns' | 'email' | 'uri'; value: string }
  /** Both of 4 or both of 16 bytes. */
  | { type: 'ip'; address: Buffer; mask: Buffer }
  | { type: 'directory'; value: Name }
  /** A type of name that nobody constrains. */
  | { type: 'other' };

export interface NameConstraints {
  permitted: readonly Subtree[];
  excluded: readonly Subtree[];
}

/** @throws Fault `x509.extension.malformed`; limits of depth, which RFC 5280 rules out, included. */
export function readNameConstraints(value: Buffer): NameConstraints {
  return readValue('name constraints', value, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      if (inner.atEnd) throw subtreeFault('neither permitted nor excluded names');
      return {
        permitted: readSubtrees(inner, contextConstructed(0)),
        excluded: readSubtrees(inner, contextConstructed(1)),
      };
    }),
  );
}

function readSubtrees(reader: DerReader, tag: number): Subtree[] {
  if (reader.nextTag !== tag) return [];
  return readInside(reader, tag, (list) => {
    if (list.atEnd) throw subtreeFault('a list of names that is empty');
    return readEach(list, (each) => readInside(each, tags.sequence, readSubtree));
  });
}

function readSubtree(reader: DerReader): Subtree {
  if (reader.nextTag === context(7)) return readRange(reader.content(context(7)));
  const name = readGeneralName(reader);
  switch (name.type) {
    case 'dns':
    case 'email':
    case 'uri':
      return { type: name.type, value: name.value };
    case 'directory':
      return { type: 'directory', value: name.value };
    default:
      return { type: 'other' };
  }
}

function readRange(content: Buffer): Subtree {
  const half = content.length / 2;
  if (half !== 4 && half !== 16) {
    throw subtreeFault(`an address and mask of ${content.length} bytes; they take 8 or 32`);
  }
  return { type: 'ip', address: content.subarray(0, half), mask: content.subarray(half) };
}

/** An address range as Go prints it: `10.0.0.0/8`, or the mask in hex where it is not a run of ones. */
export function formatRange({ address, mask }: { address: Buffer; mask: Buffer }): string {
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join('');
  const ones = bits.indexOf('0') === -1 ? bits.length : bits.indexOf('0');
  const canonical = !bits.slice(ones).includes('1');
  return `${formatIp(address)}/${canonical ? ones : mask.toString('hex')}`;
}

function subtreeFault(message: string): Fault {
  return new Fault(message, { code: 'x509.name-constraints', blame: 'caller' });
}
