import { Fault } from '../base/fault.ts';
import { context, type DerReader, readEach, readInside, tags } from './der.ts';
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

/** That what an issuer calls one policy is another one to the subject (RFC 5280 section 4.2.1.5). */
export interface PolicyMapping {
  issuerPolicy: string;
  subjectPolicy: string;
}

/** @throws Fault `x509.extension.malformed` */
export function readPolicyMappings(value: Buffer): PolicyMapping[] {
  return readValue('policy mappings', value, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      if (inner.atEnd) throw policyFault('policy mappings without any');
      return readEach(inner, (each) =>
        readInside(each, tags.sequence, (pair) => ({ issuerPolicy: pair.oid(), subjectPolicy: pair.oid() })),
      );
    }),
  );
}

/** How many certificates may follow before each takes effect (RFC 5280 section 4.2.1.11); absent for never. */
export interface PolicyConstraints {
  requireExplicitPolicy?: number;
  inhibitPolicyMapping?: number;
}

/** @throws Fault `x509.extension.malformed` */
export function readPolicyConstraints(value: Buffer): PolicyConstraints {
  return readValue('policy constraints', value, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      if (inner.atEnd) throw policyFault('policy constraints without any');
      return {
        ...(inner.nextTag === context(0) ? { requireExplicitPolicy: readSkip(inner, context(0)) } : {}),
        ...(inner.nextTag === context(1) ? { inhibitPolicyMapping: readSkip(inner, context(1)) } : {}),
      };
    }),
  );
}

/** How many certificates may follow in which any policy still counts (RFC 5280 section 4.2.1.14). */
export function readInhibitAnyPolicy(value: Buffer): number {
  return readValue('inhibit any policy', value, (reader) => readSkip(reader, tags.integer));
}

/** Longer than any path is as good as never, so a number of any size is fine. */
function readSkip(reader: DerReader, tag: number): number {
  const content = reader.integer(tag);
  if (content[0]! >= 0x80) throw policyFault('a negative number of certificates');
  return Number(`0x${content.toString('hex')}`);
}

function policyFault(message: string): Fault {
  return new Fault(message, { code: 'x509.policy', blame: 'caller' });
}
