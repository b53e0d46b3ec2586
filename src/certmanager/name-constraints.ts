import { Fault } from '../base/fault.ts';
import { context, contextConstructed, type DerWriter, writeDer } from '../x509/der.ts';
import type { Extension } from '../x509/extension.ts';
import { parseIp } from '../x509/ip-address.ts';
import { oids } from '../x509/oid.ts';
import type { CertificateSpec, NameConstraintItem } from './kinds.ts';

/**
 * The extension of RFC 5280 section 4.2.1.10; none where nothing is constrained.
 *
 * @throws Fault `certmanager.name-constraints` for a range that is no CIDR block
 */
export function nameConstraints(constraints: CertificateSpec['nameConstraints']): Extension[] {
  const permitted = subtrees(constraints?.permitted);
  const excluded = subtrees(constraints?.excluded);
  if (permitted.length === 0 && excluded.length === 0) return [];
  const value = writeDer((writer) =>
    writer.sequence(() => {
      writeSubtrees(writer, 0, permitted);
      writeSubtrees(writer, 1, excluded);
    }),
  );
  return [{ oid: oids.nameConstraints, critical: constraints?.critical ?? false, value }];
}

interface Subtree {
  tag: number;
  content: Buffer;
}

function subtrees(item: NameConstraintItem = {}): Subtree[] {
  const texts = (tag: number, values: readonly string[] = []) =>
    values.map((value) => ({ tag: context(tag), content: Buffer.from(value, 'latin1') }));
  return [
    ...texts(2, item.dnsDomains),
    ...(item.ipRanges ?? []).map((range) => ({ tag: context(7), content: addressAndMask(range) })),
    ...texts(1, item.emailAddresses),
    ...texts(6, item.uriDomains),
  ];
}

function writeSubtrees(writer: DerWriter, number: number, trees: readonly Subtree[]): void {
  if (trees.length === 0) return;
  writer.wrap(contextConstructed(number), () => {
    for (const { tag, content } of trees) writer.sequence(() => writer.primitive(tag, content));
  });
}

function addressAndMask(range: string): Buffer {
  const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(range) ?? [];
  const bytes = parseIp(address);
  const bits = Number(length);
  if (!bytes || bits > bytes.length * 8) {
    throw new Fault(`${JSON.stringify(range)} is not a CIDR block`, {
      code: 'certmanager.name-constraints',
      blame: 'caller',
      fix: 'write it like 10.0.0.0/8',
    });
  }
  const mask = bytes.map((_, at) => (0xff00 >> Math.min(8, Math.max(0, bits - at * 8))) & 0xff);
  return Buffer.concat([bytes.map((byte, at) => byte & mask[at]!), mask]);
}
