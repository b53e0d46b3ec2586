import { Fault } from '../base/fault.ts';
import type { Certificate } from './certificate.ts';
import { findExtension } from './extension.ts';
import { formatGeneralName, type GeneralName } from './general-name.ts';
import { parseIp } from './ip-address.ts';
import { comparableRdns, type Name } from './name.ts';
import { type NameConstraints, readNameConstraints, type Subtree } from './name-constraints.ts';
import { oids } from './oid.ts';

/** Comparisons of a name with a subtree at most for one certificate; Go's limit. */
const comparisonBudget = 250_000;

/** The name constraints that a certificate puts on those below it. @throws Fault `x509.extension.malformed` */
export function nameConstraintsOf(certificate: Certificate): NameConstraints | undefined {
  const extension = findExtension(certificate.extensions, oids.nameConstraints);
  return extension && readNameConstraints(extension.value);
}

/**
 * The first name of `certificate` that the constraints of a CA above it do not allow, in words (RFC 5280 section
 * 4.2.1.10): its subject and every alternative name count, an email address in the subject where there is no other.
 *
 * @throws Fault `x509.name-constraints` where names or subtrees are too many to compare, or a subtree is none.
 */
export function forbiddenName(certificate: Certificate, constraints: NameConstraints): string | undefined {
  const { permitted, excluded } = constraints;
  const names = constrainedNames(certificate);
  if (names.length * (permitted.length + excluded.length) > comparisonBudget) {
    throw constraintFault('more names and name constraints than are compared');
  }
  for (const name of names) {
    const type = kindOf(name);
    const allowed = permitted.filter((subtree) => subtree.type === type);
    if (allowed.length > 0 && !allowed.some((subtree) => contains(subtree, name, 'permitted'))) {
      return `${formatGeneralName(name)}, which is none of the permitted`;
    }
    if (excluded.some((subtree) => subtree.type === type && contains(subtree, name, 'excluded'))) {
      return `${formatGeneralName(name)}, which is excluded`;
    }
  }
  return undefined;
}

function constrainedNames({ subject, subjectAltNames }: Certificate): GeneralName[] {
  const own: GeneralName[] = subject.rdns.length > 0 ? [{ type: 'directory', value: subject }] : [];
  const inSubject = subjectAltNames.some(({ type }) => type === 'email')
    ? []
    : subject.rdns
        .flat()
        .filter(({ oid }) => oid === oids.emailAddress)
        .map(({ value }) => ({ type: 'email' as const, value }));
  return [...own, ...subjectAltNames, ...inSubject];
}

function kindOf({ type }: GeneralName): Subtree['type'] {
  return type === 'dns' || type === 'email' || type === 'uri' || type === 'ip' || type === 'directory'
    ? type
    : 'other';
}

type Purpose = 'permitted' | 'excluded';

/** Whether `name`, of the subtree's type, lies in it. What cannot be told counts against the name. */
function contains(subtree: Subtree, name: GeneralName, purpose: Purpose): boolean {
  const unclear = purpose === 'excluded';
  switch (subtree.type) {
    case 'dns':
      return name.type === 'dns' && containsDns(subtree.value, name.value, purpose);
    case 'email':
      return name.type === 'email' && (containsMailbox(subtree.value, name.value) ?? unclear);
    case 'uri':
      return name.type === 'uri' && (containsUri(subtree.value, name.value) ?? unclear);
    case 'ip':
      return name.type === 'ip' && containsAddress(subtree, name.value);
    case 'directory':
      return name.type === 'directory' && containsDirectory(subtree.value, name.value);
    default:
      return unclear;
  }
}

/** A domain contains itself and what has labels before it; the empty one contains every name. */
function containsDns(domain: string, name: string, purpose: Purpose): boolean {
  if (domain === '') return true;
  const labels = hostLabels(name.replace(/^\*\./, ''));
  const suffix = hostLabels(domain);
  if (!suffix) throw constraintFault(`${JSON.stringify(domain)} is no domain to constrain names to`);
  if (!labels) return purpose === 'excluded';
  if (endsWith(labels, suffix)) return true;
  // A wildcard also stands for names that an excluded domain below it contains.
  return (
    purpose === 'excluded' &&
    name.startsWith('*.') &&
    suffix.length === labels.length + 1 &&
    endsWith(suffix, labels)
  );
}

function endsWith(labels: readonly string[], suffix: readonly string[]): boolean {
  const offset = labels.length - suffix.length;
  return offset >= 0 && suffix.every((label, index) => label === labels[offset + index]);
}

/** The labels of a host name in lower case; undefined where it is none. */
function hostLabels(name: string): string[] | undefined {
  const labels = name.toLowerCase().split('.');
  const valid = labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/.test(label));
  return valid && parseIp(name) === undefined ? labels : undefined;
}

/** A host, what is below one (with a leading dot), or one mailbox. Undefined where `mailbox` is none. */
function containsMailbox(constraint: string, mailbox: string): boolean | undefined {
  const at = mailbox.lastIndexOf('@');
  const host = at < 1 ? undefined : hostLabels(mailbox.slice(at + 1));
  if (!host) return undefined;
  const constraintAt = constraint.lastIndexOf('@');
  if (constraintAt === -1) return containsHost(constraint, host);
  const sameLocal = constraint.slice(0, constraintAt) === mailbox.slice(0, at);
  return sameLocal && constraint.slice(constraintAt + 1).toLowerCase() === host.join('.');
}

/** As for mailboxes, on the host of the URI. Undefined where it has none, or an address. */
function containsUri(constraint: string, uri: string): boolean | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri)?.[1];
  const host = hostLabels((authority ?? '').replace(/^.*@/, '').replace(/:\d*$/, ''));
  return host && containsHost(constraint, host);
}

function containsHost(constraint: string, host: readonly string[]): boolean {
  if (constraint === '') return true;
  const below = constraint.startsWith('.');
  const labels = hostLabels(below ? constraint.slice(1) : constraint);
  if (!labels) throw constraintFault(`${JSON.stringify(constraint)} is no host to constrain names to`);
  return endsWith(host, labels) && (below ? host.length > labels.length : host.length === labels.length);
}

function containsAddress({ address, mask }: { address: Buffer; mask: Buffer }, name: string): boolean {
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join('');
  if (bits.includes('01')) throw constraintFault('an address range whose mask is not a run of ones');
  const bytes = parseIp(name);
  return (
    bytes?.length === address.length &&
    bytes.every((byte, index) => (byte & mask[index]!) === (address[index]! & mask[index]!))
  );
}

/** A name contains those that begin with all of it. */
function containsDirectory(prefix: Name, name: Name): boolean {
  const rdns = comparableRdns(name);
  return comparableRdns(prefix).every((rdn, index) => rdn === rdns[index]);
}

function constraintFault(message: string): Fault {
  return new Fault(message, { code: 'x509.name-constraints', blame: 'caller' });
}
