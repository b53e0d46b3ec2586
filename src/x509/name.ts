import { Fault } from '../base/fault.ts';
import {
  type DerReader,
  type DerWriter,
  readDer,
  readEach,
  readInside,
  readWhole,
  tags,
  writeDer,
} from './der.ts';
import { encodeOid, oids } from './oid.ts';
import { decodeText, directoryStringTag } from './text.ts';

/** One attribute of a name, such as CN=root.linkerd.cluster.local. */
export interface Attribute {
  oid: string;
  value: string;
  /** Identifier octet of the string type that holds the value. */
  tag: number;
}

/** A distinguished name (RFC 5280 section 4.1.2.4). */
export interface Name {
  /** The relative distinguished names in encoded order, each a set of attributes. */
  rdns: readonly (readonly Attribute[])[];
  der: Buffer;
}

export interface NameParts {
  country?: readonly string[];
  organization?: readonly string[];
  organizationalUnit?: readonly string[];
  locality?: readonly string[];
  province?: readonly string[];
  streetAddress?: readonly string[];
  postalCode?: readonly string[];
  commonName?: string;
  serialNumber?: string;
  /** RFC 4519 section 2.39, each in an RDN of its own. */
  userIds?: readonly string[];
}

/** The order in which Go's pkix.Name encodes its parts, and with it Vault, cert-manager and step. */
const partOrder = [
  ['country', oids.country],
  ['organization', oids.organization],
  ['organizationalUnit', oids.organizationalUnit],
  ['locality', oids.locality],
  ['province', oids.province],
  ['streetAddress', oids.streetAddress],
  ['postalCode', oids.postalCode],
  ['commonName', oids.commonName],
  ['serialNumber', oids.serialNumber],
  ['userIds', oids.userId],
] as const satisfies readonly (readonly [keyof NameParts, string])[];

/**
 * The name with these parts, encoded as Go does it: one RDN a part, in `partOrder`; several values of one part in
 * one RDN; PrintableString where the text allows it, else UTF8String. Parts that are absent, empty lists or empty
 * texts are left out.
 */
export function nameOf(parts: NameParts): Name {
  const rdns = partOrder.flatMap(([part, oid]) => {
    const given = parts[part];
    const values = (typeof given === 'string' ? [given] : (given ?? [])).filter((value) => value !== '');
    if (values.length === 0) return [];
    const attributes = values.map((value) => ({ oid, value, tag: directoryStringTag(value) }));
    return part === 'userIds' ? attributes.map((attribute) => [attribute]) : [inSetOrder(attributes)];
  });
  const der = writeDer((writer) =>
    writer.sequence(() => {
      for (const rdn of rdns) {
        writer.set(() => {
          for (const attribute of rdn) writeAttribute(writer, attribute);
        });
      }
    }),
  );
  return { rdns, der };
}

/** Members of a set stand in the order of their encodings (ITU-T X.690 section 11.6). */
function inSetOrder(attributes: readonly Attribute[]): readonly Attribute[] {
  if (attributes.length < 2) return attributes;
  return attributes
    .map((attribute) => ({ attribute, der: writeDer((writer) => writeAttribute(writer, attribute)) }))
    .toSorted((a, b) => a.der.compare(b.der))
    .map(({ attribute }) => attribute);
}

function writeAttribute(writer: DerWriter, { oid, value, tag }: Attribute): void {
  writer.sequence(() => writer.oid(oid).text(tag, value));
}

/** The name without attributes. */
export const emptyName: Name = { rdns: [], der: writeDer((writer) => writer.sequence(() => {})) };

/**
 * @throws Fault `x509.der.*`, or `x509.name.text` for an attribute that is no text or holds characters that its
 * string type does not allow.
 */
export function readName(der: Buffer): Name {
  return readDer(der, readNameFrom);
}

/** Reads the name that comes next. */
export function readNameFrom(reader: DerReader): Name {
  const { der, value } = readWhole(reader, tags.sequence, (inner) =>
    readEach(inner, (each) => readInside(each, tags.set, readRdn)),
  );
  return { rdns: value, der };
}

/** Sets without an attribute are against the standard, are found all the same, and mean nothing. */
function readRdn(reader: DerReader): Attribute[] {
  return readEach(reader, (one) => readInside(one, tags.sequence, readAttribute));
}

function readAttribute(reader: DerReader): Attribute {
  const oid = reader.oid();
  const tag = reader.nextTag ?? 0;
  const value = decodeText(tag, reader.content(tag));
  if (value === undefined) {
    throw new Fault(`attribute ${oid} of a name is not text, or holds what its string type does not allow`, {
      code: 'x509.name.text',
      blame: 'caller',
    });
  }
  return { oid, value, tag };
}

/** The last common name, which is the most specific one; undefined where there is none. */
export function commonName(name: Name): string | undefined {
  return name.rdns.flat().findLast(({ oid }) => oid === oids.commonName)?.value;
}

/** Short forms that step prints. */
const shortNames: Readonly<Record<string, string>> = {
  [oids.commonName]: 'CN',
  [oids.serialNumber]: 'SERIALNUMBER',
  [oids.country]: 'C',
  [oids.locality]: 'L',
  [oids.province]: 'ST',
  [oids.streetAddress]: 'STREET',
  [oids.organization]: 'O',
  [oids.organizationalUnit]: 'OU',
  [oids.postalCode]: 'POSTALCODE',
  [oids.domainComponent]: 'DC',
  [oids.userId]: 'UID',
  [oids.emailAddress]: 'emailAddress',
};

/**
 * The name in one line as step prints it: attributes in encoded order, commas without spaces, several values of
 * one RDN no differently. Attributes of X.520 that step has no short form for are `UnknownOID=` and the
 * identifier, others the identifier and the value.
 */
export function formatName(name: Name): string {
  return name.rdns.flat().map(formatAttribute).join(',');
}

function formatAttribute({ oid, value }: Attribute): string {
  const short = shortNames[oid];
  if (short === undefined && oid.startsWith('2.5.4.')) return `UnknownOID=${oid}`;
  return `${short ?? oid}=${value}`;
}

/**
 * Whether two names are the same under RFC 5280 section 7.1: attribute by attribute, text of the two modern
 * string types compared without regard to case and to the amount of space.
 */
export function sameName(a: Name, b: Name): boolean {
  return a.der.equals(b.der) || comparable(a) === comparable(b);
}

const comparables = new WeakMap<Name, string>();

/** A text that is equal for names that are the same; fit as a key of a map of names. */
export function comparable(name: Name): string {
  let text = comparables.get(name);
  if (text === undefined) {
    text = JSON.stringify(comparableRdns(name));
    comparables.set(name, text);
  }
  return text;
}

/** Like `comparable`, for each relative distinguished name. */
export function comparableRdns(name: Name): string[] {
  return name.rdns.map((rdn) => JSON.stringify(rdn.map(comparableAttribute).toSorted()));
}

function comparableAttribute({ oid, value, tag }: Attribute): string {
  const folded = tag === tags.utf8String || tag === tags.printableString;
  const text = folded
    ? `~${value.trim().replace(/\s+/g, ' ').normalize('NFKC').toLowerCase()}`
    : `${tag}~${value}`;
  return `${encodeOid(oid).toString('hex')}${text}`;
}
