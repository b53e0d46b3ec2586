import { domainToASCII } from 'node:url';
import { formatIp, parseIp } from '../x509/ip-address.ts';
import { isAscii } from '../x509/text.ts';
import type { Role } from './role.ts';

// Which names a role lets pass. The rules are those of OpenBao (builtin/logical/pki/cert_util.go) and Vault, where
// each is at least as strict as documented.

const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const hostname = new RegExp(`^(?:\\*\\.)?(?:${label}\\.)*${label}\\.?$`);
const wildcardLabel = new RegExp(`^(?:\\*|\\*${label}|${label}\\*|${label}\\*${label})$`);

/** RFC 1035 section 2.3.4, without the dot at the end. */
const longestDomain = 253;
const longestLabel = 63;

/** Whether `text` is one host name, with or without a `*.` before it. */
export function isHostname(text: string): boolean {
  return hostname.test(text);
}

/**
 * A domain name with its labels in ASCII (RFC 5891), or the label (the whole name, where that is too long or a label
 * is empty) that makes it none. What else stands in the labels is not looked at.
 */
export function asciiDomain(name: string): { ascii: string } | { badLabel: string } {
  const ascii = isAscii(name) ? name : domainToASCII(name);
  const bare = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  if (bare.length > longestDomain) return { badLabel: name };
  const labels = bare.split('.');
  if (labels.includes('')) return { badLabel: name };
  const long = labels.find(({ length }) => length > longestLabel);
  return long === undefined ? { ascii } : { badLabel: long };
}

/** Where `*` in `pattern` stands for any text, dots and none included. */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** A name taken apart. */
interface NameParts {
  whole: string;
  /** The host: what follows the `@`, less the label with the wildcard. */
  host: string;
  isEmail: boolean;
  /** The label that holds the wildcard. */
  wildcard: string | undefined;
}

/** Undefined where nothing lets it pass: a second `@`, a wildcard elsewhere than in the first label, or in a mail address. */
function takeApart(name: string): NameParts | undefined {
  const [local = '', domain, ...more] = name.split('@');
  if (more.length > 0) return undefined;
  const isEmail = domain !== undefined;
  const host = domain ?? local;
  if (!host.includes('*')) return { whole: name, host, isEmail, wildcard: undefined };
  const [wildcard = '', rest = ''] = /^([^.]*)\.(.*)$/s.exec(host)?.slice(1) ?? [host];
  if (isEmail || rest.includes('*') || wildcard.split('*').length > 2) return undefined;
  return { whole: name, host: rest, isEmail, wildcard };
}

/** Whether the role lets a host name or mail address pass. */
export function permitsName(name: string, role: Role): boolean {
  const parts = takeApart(name);
  if (!parts) return false;
  if (parts.wildcard !== undefined && !role.allow_wildcard_certificates) return false;
  if (role.enforce_hostnames && !hasHostnameForm(parts)) return false;
  if (role.allow_any_name) return true;
  return (
    (role.allow_localhost && isLocal(parts, role)) ||
    role.allowed_domains.some((domain) => domain !== '' && isWithin(parts, domain, role))
  );
}

function hasHostnameForm({ host, wildcard }: NameParts): boolean {
  // A wildcard may stand alone.
  const alone = wildcard !== undefined && host === '';
  if (!alone && !isWellFormed(host)) return false;
  return wildcard === undefined || wildcardLabel.test(wildcard);
}

function isWellFormed(host: string): boolean {
  const domain = asciiDomain(host);
  return 'ascii' in domain && isHostname(domain.ascii);
}

function isLocal({ host }: NameParts, { allow_subdomains }: Role): boolean {
  return ['localhost', 'localdomain'].some(
    (local) => host === local || (allow_subdomains && host.endsWith(`.${local}`)),
  );
}

function isWithin({ whole, host, isEmail, wildcard }: NameParts, domain: string, role: Role): boolean {
  if (role.allow_bare_domains && (sameText(whole, domain) || (isEmail && sameText(host, domain))))
    return true;
  if (role.allow_subdomains) {
    if (host.endsWith(`.${domain}`) || (wildcard !== undefined && sameText(host, domain))) return true;
  }
  return role.allow_glob_domains && domain.includes('*') && matchesGlob(domain, whole);
}

function sameText(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Whether the role lets a common name pass, be it among the alternative names or not. */
export function permitsCommonName(name: string, role: Role): boolean {
  const { cn_validations: validations } = role;
  if (validations.length === 1 && validations[0] === 'disabled') return true;
  return permitsName(name, role) && validations.includes(name.includes('@') ? 'email' : 'hostname');
}

/** Whether one of the role's ranges holds the address; without ranges every address passes. */
export function permitsAddress(address: string, { allowed_ip_sans_cidr: ranges }: Role): boolean {
  const bytes = plainAddress(address);
  return bytes !== undefined && (ranges.length === 0 || ranges.some((range) => holds(range, bytes)));
}

/** IPv4 in four bytes, however it is written. */
function plainAddress(text: string): Buffer | undefined {
  const bytes = parseIp(text);
  // An IPv4 address that is mapped into IPv6 is told as IPv4.
  return bytes && parseIp(formatIp(bytes));
}

function holds(range: string, address: Buffer): boolean {
  const [start = '', length = ''] = range.split('/');
  const network = parseIp(start);
  if (network?.length !== address.length) return false;
  return network.every((byte, index) => {
    const bits = Math.min(8, Math.max(0, Number(length) - 8 * index));
    return (byte ^ address[index]!) >> (8 - bits) === 0;
  });
}

export function permitsUri(uri: string, { allowed_uri_sans }: Role): boolean {
  return allowed_uri_sans.some((pattern) => matchesGlob(pattern, uri));
}

/** `unlisted` where the role knows nothing of the identifier, `value` where it does and the value does not fit. */
export function otherNameProblem(
  { oid, value }: { oid: string; value: string },
  { allowed_other_sans: allowed }: Role,
): 'unlisted' | 'value' | undefined {
  if (allowed.length === 1 && allowed[0] === '*') return undefined;
  const patterns = allowed.flatMap((entry) => {
    const [, ofOid, pattern] = /^([^;]*);[^:]*:(.*)$/s.exec(entry) ?? [];
    return ofOid === oid ? [pattern!] : [];
  });
  if (patterns.length === 0) return 'unlisted';
  return patterns.some((pattern) => matchesGlob(pattern, value)) ? undefined : 'value';
}

export function permitsUserId(userId: string, { allowed_user_ids: allowed }: Role): boolean {
  return allowed.some(
    (pattern) => sameText(pattern, userId) || (pattern.includes('*') && matchesGlob(pattern, userId)),
  );
}

export function permitsSubjectSerial(serial: string, { allowed_serial_numbers: allowed }: Role): boolean {
  return allowed.some(
    (pattern) =>
      pattern !== '' && (pattern.includes('*') ? matchesGlob(pattern, serial) : pattern === serial),
  );
}
