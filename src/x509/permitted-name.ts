import { Fault } from '../base/fault.ts';
import type { Certificate } from './certificate.ts';
import { findExtension } from './extension.ts';
import { formatGeneralName, type GeneralName } from './general-name.ts';
import { parseIp } from './ip-address.ts';
import { comparableRdns } from './name.ts';
import { type NameConstraints, readNameConstraints, type Subtree } from './name-constraints.ts';
import { oids } from './oid.ts';

/** How many more comparisons of a name with a subtree may be made. */
export interface ComparisonBudget {
  comparisonsLeft: number;
}

/** A path is sought among many certificates, of which each would be read again for every path that it may be on. */
const constraintsRead = new WeakMap<Certificate, NameConstraints>();

/** The name constraints that a certificate puts on those below it. @throws Fault `x509.extension.malformed` */
export function nameConstraintsOf(certificate: Certificate): NameConstraints | undefined {
  const extension = findExtension(certificate.extensions, oids.nameConstraints);
  if (!extension) return undefined;
  const constraints = constraintsRead.get(certificate) ?? readNameConstraints(extension.value);
  constraintsRead.set(certificate, constraints);
  return constraints;
}

/**
 * The first name of `certificate` that the constraints of a CA above it do not allow, in words (RFC 5280 section
 * 4.2.1.10): its subject and every alternative name count, an email address in the subject where there is no other.
 *
 * @throws Fault `x509.name-constraints` where names or subtrees are too many to compare, or a subtree is none.
 */
export function forbiddenName(
  certificate: Certificate,
  constraints: NameConstraints,
  budget: ComparisonBudget,
): string | undefined {
  // Making a subtree ready costs as much as comparing with it.
  budget.comparisonsLeft -= constraints.permitted.length + constraints.excluded.length;
  const permitted = testsByType(constraints.permitted, 'permitted');
  const excluded = testsByType(constraints.excluded, 'excluded');
  for (const name of constrainedNames(certificate)) {
    const candidate = candidateOf(name);
    const allowed = permitted.get(candidate.type) ?? [];
    const denied = excluded.get(candidate.type) ?? [];
    budget.comparisonsLeft -= allowed.length + denied.length;
    if (budget.comparisonsLeft < 0) throw constraintFault('more names and constraints than are compared');
    if (allowed.length > 0 && !allowed.some((contains) => contains(candidate))) {
      return `${formatGeneralName(name)}, which is none of the permitted`;
    }
    if (denied.some((contains) => contains(candidate)))
      return `${formatGeneralName(name)}, which is excluded`;
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

/** A name made ready to be compared many times. */
interface Candidate {
  type: Subtree['type'];
  /** The host in lower case, without a leading `*.`; undefined where there is none, or it is an address. */
  host?: string | undefined;
  wildcard?: boolean;
  /** What stands before the @. */
  local?: string;
  bytes?: Buffer | undefined;
  rdns?: readonly string[];
}

function candidateOf(name: GeneralName): Candidate {
  switch (name.type) {
    case 'dns': {
      const wildcard = name.value.startsWith('*.');
      return { type: 'dns', host: hostOf(wildcard ? name.value.slice(2) : name.value), wildcard };
    }
    case 'email': {
      const at = name.value.lastIndexOf('@');
      const host = at < 1 ? undefined : hostOf(name.value.slice(at + 1));
      return { type: 'email', host, local: name.value.slice(0, Math.max(0, at)) };
    }
    case 'uri': {
      const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(name.value)?.[1] ?? '';
      return { type: 'uri', host: hostOf(authority.replace(/^.*@/, '').replace(/:\d*$/, '')) };
    }
    case 'ip':
      return { type: 'ip', bytes: parseIp(name.value) };
    case 'directory':
      return { type: 'directory', rdns: comparableRdns(name.value) };
    default:
      return { type: 'other' };
  }
}

/** A host name in lower case; undefined where it is none. */
function hostOf(name: string): string | undefined {
  const host = name.toLowerCase();
  const valid = /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.|$))+$/.test(host) && !host.endsWith('.');
  return valid && parseIp(host) === undefined ? host : undefined;
}

/** Whether a name of the subtree's type lies in it. */
type Test = (candidate: Candidate) => boolean;
type Purpose = 'permitted' | 'excluded';

function testsByType(
  subtrees: readonly Subtree[],
  purpose: Purpose,
): ReadonlyMap<Subtree['type'], readonly Test[]> {
  const tests = subtrees.map((subtree) => ({ type: subtree.type, test: testOf(subtree, purpose) }));
  return new Map(
    [...Map.groupBy(tests, ({ type }) => type)].map(([type, of]) => [type, of.map(({ test }) => test)]),
  );
}

/** What cannot be told counts against the name: as not permitted, or as excluded. */
function testOf(subtree: Subtree, purpose: Purpose): Test {
  const unclear = purpose === 'excluded';
  switch (subtree.type) {
    case 'dns':
      return dnsTest(subtree.value, purpose);
    case 'email':
      return subtree.value.includes('@')
        ? mailboxTest(subtree.value, unclear)
        : hostTest(subtree.value, unclear);
    case 'uri':
      return hostTest(subtree.value, unclear);
    case 'ip':
      return rangeTest(subtree);
    case 'directory': {
      // A name contains those that begin with all of it.
      const prefix = comparableRdns(subtree.value);
      return ({ rdns }) => rdns !== undefined && prefix.every((rdn, index) => rdn === rdns[index]);
    }
    default:
      return () => unclear;
  }
}

/** A domain contains itself and what has labels before it; the empty one contains every name. */
function dnsTest(constraint: string, purpose: Purpose): Test {
  if (constraint === '') return () => true;
  const domain = hostOf(constraint);
  if (domain === undefined)
    throw constraintFault(`${JSON.stringify(constraint)} is no domain to constrain names to`);
  const below = `.${domain}`;
  const parent = domain.slice(domain.indexOf('.') + 1);
  return ({ host, wildcard }) => {
    if (host === undefined) return purpose === 'excluded';
    if (host === domain || host.endsWith(below)) return true;
    // A wildcard also stands for the names in an excluded domain right below it.
    return purpose === 'excluded' && wildcard === true && host === parent;
  };
}

/** One host, or what is below one (with a leading dot); the empty one contains every host. */
function hostTest(constraint: string, unclear: boolean): Test {
  const below = constraint.startsWith('.');
  const wanted = hostOf(below ? constraint.slice(1) : constraint);
  if (wanted === undefined && constraint !== '') {
    throw constraintFault(`${JSON.stringify(constraint)} is no host to constrain names to`);
  }
  return ({ host }) => {
    if (host === undefined) return unclear;
    if (wanted === undefined) return true;
    return below ? host.endsWith(`.${wanted}`) : host === wanted;
  };
}

/** One mailbox: the local part as it is written, the host without regard to case. */
function mailboxTest(constraint: string, unclear: boolean): Test {
  const at = constraint.lastIndexOf('@');
  const [wantedLocal, wantedHost] = [constraint.slice(0, at), constraint.slice(at + 1).toLowerCase()];
  return ({ local, host }) => (host === undefined ? unclear : local === wantedLocal && host === wantedHost);
}

function rangeTest({ address, mask }: { address: Buffer; mask: Buffer }): Test {
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join('');
  if (bits.includes('01')) throw constraintFault('an address range whose mask is not a run of ones');
  return ({ bytes }) => {
    if (bytes?.length !== address.length) return false;
    for (let index = 0; index < mask.length; index++) {
      if (((bytes[index]! ^ address[index]!) & mask[index]!) !== 0) return false;
    }
    return true;
  };
}

function constraintFault(message: string): Fault {
  return new Fault(message, { code: 'x509.name-constraints', blame: 'caller' });
}
