import { contextConstructed, tags } from '../der-tag.ts';
import { childrenOf, type Node, readNode } from './node.ts';
import {
  type Extended,
  readAlgorithm,
  readExtension,
  readName,
  required,
  type SpecimenAlgorithm,
  type SpecimenName,
} from './specimen.ts';

export interface SpecimenEntry extends Extended {
  serial: Buffer;
  revokedAt: Node;
}

/** A CRL as a linter sees it, as `Specimen` is of a certificate. */
export interface CrlSpecimen extends Extended {
  /** 1 or 2, or whatever else it says. */
  version: number;
  tbsAlgorithm: SpecimenAlgorithm;
  algorithm: SpecimenAlgorithm;
  issuer: SpecimenName;
  thisUpdate: Node;
  nextUpdate: Node | undefined;
  /** Undefined where the list of them is left out. */
  entries: readonly SpecimenEntry[] | undefined;
}

const isTime = (node: Node | undefined) => node?.tag === tags.utcTime || node?.tag === tags.generalizedTime;

/** Whether the outline is a CRL's rather than a certificate's: a time stands where that has its validity. */
export function looksLikeCrl(der: Buffer): boolean {
  const [tbs] = childrenOf(readNode(der));
  const fields = childrenOf(required(tbs));
  return isTime(fields[fields[0]?.tag === tags.integer ? 3 : 2]);
}

/** @throws Fault `x509.lint.unreadable` where the outline is not a CRL's */
export function readCrlSpecimen(der: Buffer): CrlSpecimen {
  const [tbs, algorithm] = childrenOf(readNode(der));
  const fields = childrenOf(required(tbs));
  const version = fields[0]?.tag === tags.integer ? fields.shift() : undefined;
  const [tbsAlgorithm, issuer, thisUpdate, ...rest] = fields;
  const nextUpdate = isTime(rest[0]) ? rest.shift() : undefined;
  const entries = rest[0]?.tag === tags.sequence ? rest.shift() : undefined;
  const extensions = rest.find(({ tag }) => tag === contextConstructed(0));
  return {
    version: version ? 1 + (version.content[0] ?? 0) : 1,
    tbsAlgorithm: readAlgorithm(tbsAlgorithm),
    algorithm: readAlgorithm(algorithm),
    issuer: readName(issuer),
    thisUpdate: required(thisUpdate),
    nextUpdate,
    entries: entries && childrenOf(entries).map(readEntry),
    extensions: extensions ? childrenOf(required(childrenOf(extensions)[0])).map(readExtension) : [],
  };
}

function readEntry(node: Node): SpecimenEntry {
  const [serial, revokedAt, extensions] = childrenOf(node);
  return {
    serial: required(serial).content,
    revokedAt: required(revokedAt),
    extensions: extensions ? childrenOf(extensions).map(readExtension) : [],
  };
}
