import { domainToASCII } from 'node:url';
import type { GeneralName } from '../x509/general-name.ts';
import { parseIp } from '../x509/ip-address.ts';
import { encodeUtf8String } from './der-text.ts';
import { refused } from './refused.ts';

/** The alternative names that a request asks for, as text. */
export interface AltNameRequest {
  commonName: string;
  excludeCommonName: boolean;
  /** DNS names and mail addresses. */
  altNames: readonly string[];
  ipSans: readonly string[];
  uriSans: readonly string[];
  /** `OID;UTF8:text` each. */
  otherSans: readonly string[];
}

const label = '[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?';
const hostname = new RegExp(`^(\\*\\.)?(${label}\\.)*${label}\\.?$`);

/**
 * The alternative names of a CA certificate. The common name is one of them unless excluded. What is neither a mail
 * address nor a host name (`Example Root CA`) is left out in silence, as Vault does.
 *
 * @throws Fault `authority.name`
 */
export function decideAltNames(request: AltNameRequest): GeneralName[] {
  const { commonName, excludeCommonName } = request;
  const texts = [...(excludeCommonName || commonName === '' ? [] : [commonName]), ...request.altNames];
  const dns: string[] = [];
  const emails: string[] = [];
  for (const text of texts) {
    if (text.includes('@')) emails.push(text);
    else dns.push(...hostNames(text));
  }
  // Vault writes other names itself, before those that Go does.
  return [
    ...request.otherSans.map(otherName),
    ...unique(dns).map((value): GeneralName => ({ type: 'dns', value })),
    ...unique(emails).map((value): GeneralName => ({ type: 'email', value })),
    ...request.ipSans.map((value): GeneralName => ({ type: 'ip', value: ipText(value) })),
    ...request.uriSans.map((value): GeneralName => ({ type: 'uri', value: uriText(value) })),
  ];
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function hostNames(text: string): string[] {
  // oxlint-disable-next-line no-control-regex -- ASCII, that is
  const ascii = /^[\u0000-\u007f]*$/.test(text) ? text : domainToASCII(text);
  if (ascii === '' && text !== '') throw nameFault(`${JSON.stringify(text)} is not a domain name`);
  return hostname.test(ascii) ? [ascii] : [];
}

function ipText(value: string): string {
  if (!parseIp(value)) throw nameFault(`the value ${JSON.stringify(value)} is not a valid IP address`);
  return value;
}

function uriText(value: string): string {
  if (URL.canParse(value)) return value;
  throw nameFault(`the provided URI Subject Alternative Name ${JSON.stringify(value)} is not a valid URI`);
}

function otherName(text: string): GeneralName {
  const [, oid, type, value] = /^([^;]*);([^:]*):(.*)$/s.exec(text) ?? [];
  if (oid === undefined) {
    throw nameFault(
      `could not parse requested other SAN: expected OID;UTF8:text, got ${JSON.stringify(text)}`,
    );
  }
  if (!/^utf-?8$/i.test(type!)) {
    throw nameFault(
      `could not parse requested other SAN: only utf8 other SANs are supported; ` +
        `found non-supported type in other SAN ${JSON.stringify(text)}`,
    );
  }
  if (!/^[0-2](\.\d+)+$/.test(oid)) throw nameFault(`${JSON.stringify(oid)} is not an object identifier`);
  return { type: 'other', oid, value: encodeUtf8String(value!) };
}

function nameFault(message: string) {
  return refused('name', message);
}
