import { domainToASCII } from 'node:url';
import type { GeneralName } from './general-name.ts';
import { formatIp, parseIp } from './ip-address.ts';

/**
 * Whether one of a certificate's names is for `host`, a DNS name or an IP address (brackets allowed), after
 * RFC 9525 (once RFC 6125): names are compared without regard to case, a `*` may stand for the whole first label
 * and for nothing else, addresses match only addresses, and the common name counts for nothing.
 */
export function matchesHost(names: readonly GeneralName[], host: string): boolean {
  const address = parseIp(host.replace(/^\[(.*)\]$/, '$1'));
  if (address) {
    const text = formatIp(address);
    return names.some(({ type, value }) => type === 'ip' && value === text);
  }
  const wanted = hostLabels(host);
  if (!wanted) return false;
  return names.some((name) => name.type === 'dns' && matchesPattern(name.value, wanted));
}

/** The labels of a host name in ASCII and lower case; undefined where it is none. */
function hostLabels(host: string): string[] | undefined {
  const ascii = /^[\p{ASCII}]*$/u.test(host) ? host.toLowerCase() : domainToASCII(host);
  // A final dot says that the name is absolute; certificates leave it out.
  const labels = (ascii.endsWith('.') ? ascii.slice(0, -1) : ascii).split('.');
  return labels.every(isLabel) ? labels : undefined;
}

function matchesPattern(pattern: string, host: readonly string[]): boolean {
  const labels = pattern.toLowerCase().split('.');
  if (labels.length !== host.length) return false;
  const [first, ...rest] = labels;
  // A lone * would match every machine of one label: no certificate means that.
  if (first === '*') return rest.length > 0 && rest.every((label, index) => label === host[index + 1]);
  return labels.every((label, index) => label === host[index]);
}

/** Letters, digits, hyphens, and the underscore that service names have. */
function isLabel(label: string): boolean {
  return label.length <= 63 && /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/.test(label);
}
