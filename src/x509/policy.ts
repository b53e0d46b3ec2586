import { type DerReader, readEach, readInside, tags } from './der.ts';
import { readValue } from './extension.ts';
import { oids } from './oid.ts';
import { decodeText } from './text.ts';

/** A certificate policy and what it says about itself (RFC 5280 section 4.2.1.4). */
export interface Policy {
  oid: string;
  /** URLs of practice statements. */
  statements: readonly string[];
  notices: readonly UserNotice[];
  /** Qualifiers of other kinds, by object identifier. */
  others: readonly string[];
}

export interface UserNotice {
  text?: string;
  organization?: string;
  numbers?: readonly number[];
}

/** @throws Fault `x509.extension.malformed` */
export function readPolicies(value: Buffer): Policy[] {
  return readValue('certificate policies', value, (reader) =>
    readInside(reader, tags.sequence, (inner) =>
      readEach(inner, (each) => readInside(each, tags.sequence, readPolicy)),
    ),
  );
}

function readPolicy(reader: DerReader): Policy {
  const oid = reader.oid();
  const statements: string[] = [];
  const notices: UserNotice[] = [];
  const others: string[] = [];
  if (!reader.atEnd) {
    readInside(reader, tags.sequence, (qualifiers) =>
      readEach(qualifiers, (each) =>
        readInside(each, tags.sequence, (qualifier) => {
          const kind = qualifier.oid();
          if (kind === oids.cpsQualifier) statements.push(readText(qualifier));
          else if (kind === oids.userNoticeQualifier)
            notices.push(readInside(qualifier, tags.sequence, readNotice));
          else {
            qualifier.anything();
            others.push(kind);
          }
        }),
      ),
    );
  }
  return { oid, statements, notices, others };
}

function readNotice(reader: DerReader): UserNotice {
  const reference = reader.enterIf(tags.sequence);
  const named = reference && {
    organization: readText(reference),
    numbers: readInside(reference, tags.sequence, (list) =>
      readEach(list, (number) => number.smallInteger()),
    ),
  };
  reference?.finish();
  return { ...named, ...(reader.atEnd ? {} : { text: readText(reader) }) };
}

function readText(reader: DerReader): string {
  const tag = reader.nextTag ?? 0;
  const content = reader.content(tag);
  return decodeText(tag, content) ?? content.toString('latin1');
}
