import { context, contextConstructed, tags } from '../der-tag.ts';
import { type KeyUsage, keyUsages } from '../extension.ts';
import { decodeOid, oids } from '../oid.ts';
import { childrenOf, type Node, readNode, unreadable } from './node.ts';

/** An attribute of a name, its value as it stands. */
export interface SpecimenAttribute {
  oid: string;
  tag: number;
  content: Buffer;
}

export interface SpecimenName {
  rdns: readonly (readonly SpecimenAttribute[])[];
  der: Buffer;
}

export interface SpecimenExtension {
  oid: string;
  critical: boolean;
  /** Whether the mark is there that DER leaves out. */
  spelledOut: boolean;
  /** Contents of the OCTET STRING. */
  value: Buffer;
}

/** What has extensions. */
export interface Extended {
  extensions: readonly SpecimenExtension[];
}

/** An algorithm's identifier and the parameters behind it, if any. */
export interface SpecimenAlgorithm {
  oid: string;
  parameters?: Node;
  der: Buffer;
}

/**
 * A certificate as a linter sees it: taken apart by its structure alone. `readCertificate` refuses most of what a
 * rule is there to find.
 */
export interface Specimen extends Extended {
  /** 1, 2 or 3, or whatever else it says. */
  version: number;
  serial: Buffer;
  tbsAlgorithm: SpecimenAlgorithm;
  algorithm: SpecimenAlgorithm;
  issuer: SpecimenName;
  subject: SpecimenName;
  notBefore: Node;
  notAfter: Node;
  keyAlgorithm: SpecimenAlgorithm;
  /** The bit string of the public key, its count of unused bits left off. */
  keyBits: Buffer;
  hasUniqueIds: boolean;
}

/** @throws Fault `x509.lint.unreadable` where the outline is not a certificate's. */
export function readSpecimen(der: Buffer): Specimen {
  const [tbs, algorithm] = childrenOf(readNode(der));
  const fields = childrenOf(required(tbs));
  const version = fields[0]?.tag === contextConstructed(0) ? fields.shift() : undefined;
  const [serial, tbsAlgorithm, issuer, validity, subject, spki, ...rest] = fields;
  const [notBefore, notAfter] = childrenOf(required(validity));
  const [keyAlgorithm, key] = childrenOf(required(spki));
  const extensions = rest.find(({ tag }) => tag === contextConstructed(3));
  return {
    version: version ? 1 + (childrenOf(version)[0]?.content[0] ?? 0) : 1,
    serial: required(serial).content,
    tbsAlgorithm: readAlgorithm(tbsAlgorithm),
    algorithm: readAlgorithm(algorithm),
    issuer: readName(issuer),
    subject: readName(subject),
    notBefore: required(notBefore),
    notAfter: required(notAfter),
    keyAlgorithm: readAlgorithm(keyAlgorithm),
    keyBits: required(key).content.subarray(1),
    hasUniqueIds: rest.some(({ tag }) => tag === context(1) || tag === context(2)),
    extensions: extensions ? childrenOf(required(childrenOf(extensions)[0])).map(readExtension) : [],
  };
}

/** @throws Fault `x509.lint.unreadable` where there is none */
export function required(node: Node | undefined): Node {
  if (node) return node;
  throw unreadable();
}

/** An object identifier, as hex where it is not one in its proper form. */
export function oidOf(node: Node | undefined): string {
  const { content } = required(node);
  return decodeOid(content) ?? content.toString('hex');
}

export function readAlgorithm(node: Node | undefined): SpecimenAlgorithm {
  const { der } = required(node);
  const [oid, parameters] = childrenOf(required(node));
  return { oid: oidOf(oid), der, ...(parameters ? { parameters } : {}) };
}

export function readName(node: Node | undefined): SpecimenName {
  const { der } = required(node);
  const rdns = childrenOf(required(node)).map((rdn) =>
    childrenOf(rdn).map((attribute) => {
      const [oid, value] = childrenOf(attribute);
      const { tag, content } = required(value);
      return { oid: oidOf(oid), tag, content };
    }),
  );
  return { rdns, der };
}

export function readExtension(node: Node): SpecimenExtension {
  const [oid, ...rest] = childrenOf(node);
  const mark = rest[0]?.tag === tags.boolean ? rest.shift() : undefined;
  return {
    oid: oidOf(oid),
    critical: (mark?.content[0] ?? 0) !== 0,
    spelledOut: mark?.content[0] === 0,
    value: required(rest[0]).content,
  };
}

export function extensionOf({ extensions }: Extended, oid: string): SpecimenExtension | undefined {
  return extensions.find((extension) => extension.oid === oid);
}

/** The elements of an extension whose value is a sequence; undefined where the extension is absent. */
export function sequenceOf(specimen: Extended, oid: string): Node[] | undefined {
  const extension = extensionOf(specimen, oid);
  return extension && childrenOf(readNode(extension.value));
}

export function isCa(specimen: Specimen): boolean {
  const [first] = sequenceOf(specimen, oids.basicConstraints) ?? [];
  return first?.tag === tags.boolean && (first.content[0] ?? 0) !== 0;
}

export function isSelfIssued({ issuer, subject }: Specimen): boolean {
  return issuer.der.equals(subject.der);
}

/** A leaf that another has signed. */
export function isSubscriber(specimen: Specimen): boolean {
  return !isCa(specimen) && !isSelfIssued(specimen);
}

/** Undefined where the extension is absent. */
export function usagesOf(specimen: Specimen): KeyUsage[] | undefined {
  const extension = extensionOf(specimen, oids.keyUsage);
  if (!extension) return undefined;
  const bytes = readNode(extension.value).content.subarray(1);
  return keyUsages.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}

/** Purposes by object identifier; undefined where the extension is absent. */
export function purposesOf(specimen: Specimen): string[] | undefined {
  return sequenceOf(specimen, oids.extendedKeyUsage)?.map(oidOf);
}

/** Numbers of the kinds of general names (RFC 5280 section 4.2.1.6). */
export const nameKinds = { email: 1, dns: 2, x400: 3, directory: 4, edi: 5, uri: 6, ip: 7, rid: 8 } as const;

/** General names of one kind, byte by byte as text, so that nothing is lost of what is not ASCII. */
export function namesOf(specimen: Specimen, oid: string, kind: keyof typeof nameKinds): string[] {
  const names = sequenceOf(specimen, oid) ?? [];
  return textOfKind(names, kind);
}

export function textOfKind(names: readonly Node[], kind: keyof typeof nameKinds): string[] {
  return names
    .filter(({ tag }) => (tag & 0x1f) === nameKinds[kind])
    .map(({ content }) => content.toString('latin1'));
}

/** The text of an attribute, by the string type that it says it is of. */
export function attributeText({ tag, content }: Pick<SpecimenAttribute, 'tag' | 'content'>): string {
  if (tag === tags.bmpString)
    return Buffer.from(content.subarray(0, content.length & ~1))
      .swap16()
      .toString('utf16le');
  return content.toString(tag === tags.utf8String ? 'utf8' : 'latin1');
}

export function attributesOf({ rdns }: SpecimenName, oid?: string): SpecimenAttribute[] {
  const all = rdns.flat();
  return oid === undefined ? all : all.filter((attribute) => attribute.oid === oid);
}
