import { domainToASCII, domainToUnicode } from 'node:url';
import { formatIp, parseIp } from '../../x509/ip-address.ts';
import { asciiDomain, isHostname, permitsAddress, permitsName } from '../name-rules.ts';
import type { Role } from '../role.ts';
import { objectOf } from './jws.ts';
import { malformed, Problem, type ProblemDocument, problemOf } from './problem.ts';

/** What a certificate is to be for: `*.` may stand before a domain; an address is in its canonical form. */
export interface Identifier {
  type: 'dns' | 'ip';
  value: string;
}

/** A certificate of more names than that is none that anybody keeps. */
const mostIdentifiers = 100;

const wildcardPrefix = '*.';

export function isWildcard({ type, value }: Identifier): boolean {
  return type === 'dns' && value.startsWith(wildcardPrefix);
}

/** What control has to be proven of: of a wildcard, the domain below which it stands. */
export function provenName({ type, value }: Identifier): Identifier {
  return { type, value: value.startsWith(wildcardPrefix) ? value.slice(wildcardPrefix.length) : value };
}

/**
 * The identifiers of an order, each once, in lower case.
 *
 * @throws Problem `malformed`, `unsupportedIdentifier`, `rejectedIdentifier`; with a subproblem for each
 */
export function readIdentifiers(value: unknown): Identifier[] {
  if (!Array.isArray(value) || value.length === 0) throw malformed('the order names no identifiers');
  if (value.length > mostIdentifiers) {
    throw malformed(`the order names ${value.length} identifiers; ${mostIdentifiers} at most`);
  }
  const all = value.map(readIdentifier);
  return [...new Map(all.map((one) => [`${one.type}:${one.value}`, one])).values()];
}

function readIdentifier(given: unknown): Identifier {
  const { type, value } = objectOf(given, 'an identifier');
  if (typeof type !== 'string' || typeof value !== 'string') {
    throw malformed('an identifier has a type and a value, both texts');
  }
  if (type === 'dns') return { type, value: domain(value) };
  if (type === 'ip') return { type, value: address(value) };
  throw rejected('unsupportedIdentifier', 'only dns and ip identifiers can be certified', { type, value });
}

/** RFC 8555 section 7.1.4: as it stands in a certificate. */
function domain(text: string): string {
  const name = text.toLowerCase();
  const bare = name.startsWith(wildcardPrefix) ? name.slice(wildcardPrefix.length) : name;
  const refuse = (why: string) => rejected('malformed', why, { type: 'dns', value: text });
  if (parseIp(bare)) throw refuse('an IP address is an identifier of type ip');
  if (bare.includes('*')) throw refuse('a wildcard stands alone in the first label');
  if (bare.endsWith('.') || !isHostname(bare) || 'badLabel' in asciiDomain(bare)) {
    throw refuse('it is no domain name');
  }
  if (bare.split('.').some((label) => label.startsWith('xn--') && !isProperlyEncoded(label))) {
    throw refuse('a label that begins with xn-- is not properly encoded');
  }
  return name;
}

/** What looks like an internationalised label must be one, spelled as registries spell it. */
function isProperlyEncoded(label: string): boolean {
  const decoded = domainToUnicode(label);
  // What cannot be decoded comes back as it is.
  return !decoded.startsWith('xn--') && domainToASCII(decoded) === label;
}

/** RFC 8738 section 3. */
function address(text: string): string {
  const bytes = parseIp(text);
  if (bytes) return formatIp(bytes);
  throw rejected('malformed', 'it is no IP address', { type: 'ip', value: text });
}

/** @throws Problem `rejectedIdentifier` with a subproblem for each that the role does not let pass */
export function checkAgainstRole(identifiers: readonly Identifier[], role: Role): void {
  const refused = identifiers.filter((identifier) => !permits(identifier, role));
  if (refused.length === 0) return;
  const names = refused.map(({ value }) => value).join(', ');
  throw new Problem('rejectedIdentifier', `the role of this directory does not allow ${names}`, {
    subproblems: refused.map((identifier) =>
      about('rejectedIdentifier', 'not allowed by the role', identifier),
    ),
  });
}

function permits({ type, value }: Identifier, role: Role): boolean {
  if (type === 'ip') return role.allow_ip_sans && permitsAddress(value, role);
  return permitsName(value, role);
}

function rejected(
  type: 'malformed' | 'unsupportedIdentifier',
  why: string,
  identifier: { type: string; value: string },
): Problem {
  const detail = `${JSON.stringify(identifier.value)} cannot be certified: ${why}`;
  return new Problem(type, detail, { subproblems: [about(type, why, identifier)] });
}

function about(
  type: 'malformed' | 'unsupportedIdentifier' | 'rejectedIdentifier',
  why: string,
  identifier: { type: string; value: string },
): ProblemDocument {
  return { ...problemOf(type, why), identifier };
}
