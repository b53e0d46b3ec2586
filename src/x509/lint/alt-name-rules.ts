import { domainToUnicode } from 'node:url';
import { parseIp } from '../ip-address.ts';
import { oids } from '../oid.ts';
import { isAscii } from '../text.ts';
import { readNode } from './node.ts';
import { aboutExtension, type Rule } from './rule.ts';
import {
  attributesOf,
  attributeText,
  extensionOf,
  isSubscriber,
  type nameKinds,
  namesOf,
  type Specimen,
  sequenceOf,
} from './specimen.ts';

/** The two lists of alternative names, by the prefix of their rules. */
interface List {
  prefix: 'san' | 'ian';
  oid: string;
  title: string;
}

const lists: readonly List[] = [
  { prefix: 'san', oid: oids.subjectAltName, title: 'of the subject' },
  { prefix: 'ian', oid: oids.issuerAltName, title: 'of the issuer' },
];

const schemeOf = (uri: string) => /^[a-z][a-z\d+.-]*:/i.exec(uri)?.[0];

/** The host of a URI; undefined where it names none, as `urn:` does. */
export function hostOf(uri: string): string | undefined {
  const authority = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(uri)?.[1];
  if (authority === undefined) return undefined;
  return authority
    .replace(/^.*@/, '')
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}

/** A host's name, a wildcard at its beginning allowed. */
export function isHostName(host: string): boolean {
  return /^(?:\*\.)?(?:[a-z\d_](?:[a-z\d_-]*[a-z\d_])?\.)*[a-z\d_](?:[a-z\d_-]*[a-z\d_])?\.?$/i.test(host);
}

/** A URI whose hierarchy begins with a host must have one that is a name or an address. */
function hasBadHost(uri: string): boolean {
  const host = hostOf(uri);
  if (host === undefined) return uri !== '' && !/^[a-z][a-z\d+.-]*:[^/]/i.test(uri);
  return !isHostName(host) && parseIp(host) === undefined;
}

function hasBadForm(uri: string): boolean {
  const scheme = schemeOf(uri);
  if (scheme === undefined) return true;
  const rest = uri.slice(scheme.length);
  return rest === '' || rest === '//' || Array.from(rest).some((character) => character <= ' ');
}

/** A rule that every alternative name of one kind keeps to. */
function everyName(
  { oid, title }: List,
  kind: keyof typeof nameKinds,
  rule: Pick<Rule, 'name'> & { source?: Rule['source']; says: string; isBad: (name: string) => boolean },
): Rule {
  return aboutExtension(oid, {
    name: rule.name,
    source: rule.source ?? 'RFC5280',
    says: `${rule.says} (alternative names ${title})`,
    isBrokenBy: (specimen) => namesOf(specimen, oid, kind).some(rule.isBad),
  });
}

function rulesOf(list: List): Rule[] {
  const { prefix, oid, title } = list;
  return [
    aboutExtension(oid, {
      name: `e_ext_${prefix}_no_entries`,
      source: 'RFC5280',
      says: `There is at least one alternative name ${title}`,
      isBrokenBy: (specimen) => sequenceOf(specimen, oid)!.length === 0,
    }),
    aboutExtension(oid, {
      name: `e_ext_${prefix}_empty_name`,
      source: 'RFC5280',
      says: `No alternative name ${title} is empty`,
      isBrokenBy: (specimen) => sequenceOf(specimen, oid)!.some(({ content }) => content.length === 0),
    }),
    everyName(list, 'dns', {
      name: `e_ext_${prefix}_dns_not_ia5_string`,
      says: 'DNS names are ASCII',
      isBad: (name) => !isAscii(name),
    }),
    everyName(list, 'dns', {
      name: `e_ext_${prefix}_space_dns_name`,
      says: 'No DNS name is a space',
      isBad: (name) => name === ' ',
    }),
    everyName(list, 'email', {
      name: `e_ext_${prefix}_rfc822_format_invalid`,
      says: 'E-mail addresses are bare: without spaces, angle brackets or comments',
      isBad: (name) => name.includes(' ') || name.startsWith('<') || name.endsWith(')'),
    }),
    everyName(list, 'uri', {
      name: `e_ext_${prefix}_uri_not_ia5`,
      says: 'URIs are ASCII',
      isBad: (name) => !isAscii(name),
    }),
    everyName(list, 'uri', {
      name: `e_ext_${prefix}_uri_relative`,
      says: 'URIs have a scheme',
      isBad: (name) => schemeOf(name) === undefined,
    }),
    everyName(list, 'uri', {
      name: `e_ext_${prefix}_uri_format_invalid`,
      says: 'URIs have a scheme and something after it',
      isBad: hasBadForm,
    }),
    everyName(list, 'uri', {
      name: `e_ext_${prefix}_uri_host_not_fqdn_or_ip`,
      says: 'The host of a URI is a name or an address',
      isBad: hasBadHost,
    }),
  ];
}

/** What the community asks of DNS names beyond RFC 5280. */
function hostRulesOf(list: List): Rule[] {
  const { prefix } = list;
  return [
    everyName(list, 'dns', {
      name: `e_${prefix}_bare_wildcard`,
      source: 'Community',
      says: 'No DNS name ends with a wildcard',
      isBad: (name) => name.endsWith('*'),
    }),
    everyName(list, 'dns', {
      name: `e_${prefix}_wildcard_not_first`,
      source: 'Community',
      says: 'Wildcards stand at the beginning',
      isBad: (name) => name.includes('*', 1),
    }),
    everyName(list, 'dns', {
      name: `e_${prefix}_dns_name_includes_null_char`,
      source: 'Community',
      says: 'DNS names have no zero bytes',
      isBad: (name) => name.includes('\0'),
    }),
    everyName(list, 'dns', {
      name: `e_${prefix}_dns_name_starts_with_period`,
      source: 'Community',
      says: 'DNS names do not begin with a dot',
      isBad: (name) => name.startsWith('.'),
    }),
  ];
}

const hosts = (specimen: Specimen) => namesOf(specimen, oids.subjectAltName, 'dns');
const labels = (name: string) => name.split('.');
const isEncoded = (label: string) => /^xn--/i.test(label);

/** A rule about the DNS names of leaves. */
function leafHosts(
  name: string,
  source: Rule['source'],
  says: string,
  isBad: (host: string) => boolean,
): Rule {
  return {
    name,
    source,
    says,
    appliesTo: (specimen) => isSubscriber(specimen) && hosts(specimen).length > 0,
    isBrokenBy: (specimen) => hosts(specimen).some(isBad),
  };
}

/** The label that was registered: the second from the right, the third under what looks like co.uk. */
function registered(host: string): string {
  const [country = '', second = '', third] = labels(host).toReversed();
  return third !== undefined && country.length === 2 && second.length <= 3 ? third : second;
}

const isRedacted = (name: string) => name.replace(/^\*\./, '').startsWith('?.');

const hostRules: readonly Rule[] = [
  leafHosts('e_rfc_dnsname_empty_label', 'RFC5280', 'No label of a DNS name is empty', (host) =>
    labels(host).includes(''),
  ),
  leafHosts(
    'e_rfc_dnsname_label_too_long',
    'RFC5280',
    'Labels of DNS names have 63 characters at most',
    (host) => labels(host).some((label) => label.length > 63),
  ),
  leafHosts('e_rfc_dnsname_hyphen_in_sld', 'RFC5280', 'Domains do not begin or end with a hyphen', (host) =>
    /^-|-$/.test(registered(host)),
  ),
  leafHosts('e_rfc_dnsname_underscore_in_sld', 'RFC5280', 'Domains have no underscores', (host) =>
    registered(host).includes('_'),
  ),
  leafHosts('w_rfc_dnsname_underscore_in_trd', 'RFC5280', 'Subdomains have no underscores', (host) =>
    labels(host)
      .slice(0, -2)
      .some((label) => label.includes('_')),
  ),
  leafHosts('n_contains_redacted_dnsname', 'Community', 'No DNS name is redacted', isRedacted),
  aboutExtension(oids.subjectAltName, {
    name: 'e_ext_san_dns_name_too_long',
    source: 'RFC5280',
    says: 'DNS names have 253 characters at most',
    isBrokenBy: (specimen) => hosts(specimen).some((host) => host.length > 253),
  }),
  aboutExtension(oids.subjectAltName, {
    name: 'n_san_dns_name_duplicate',
    source: 'Community',
    says: 'Each DNS name stands there once',
    isBrokenBy: (specimen) =>
      new Set(hosts(specimen).map((host) => host.toLowerCase())).size < hosts(specimen).length,
  }),
  aboutExtension(oids.subjectAltName, {
    name: 'e_ext_san_not_critical_without_subject',
    source: 'RFC5280',
    says: 'Alternative names of a subject without a name are critical',
    isBrokenBy: (specimen) =>
      attributesOf(specimen.subject).every((attribute) => attributeText(attribute) === '') &&
      !extensionOf(specimen, oids.subjectAltName)!.critical,
  }),
  aboutExtension(oids.issuerAltName, {
    name: 'w_ext_ian_critical',
    source: 'RFC5280',
    says: 'Alternative names of the issuer are not critical',
    isBrokenBy: (specimen) => extensionOf(specimen, oids.issuerAltName)!.critical,
  }),
  aboutExtension(oids.subjectAltName, {
    name: 'e_international_dns_name_not_unicode',
    source: 'RFC5280',
    says: 'Labels in punycode stand for Unicode',
    isBrokenBy: (specimen) =>
      hosts(specimen)
        .flatMap(labels)
        .some((label) => isEncoded(label) && /^(?:xn--|$)/i.test(domainToUnicode(label))),
  }),
  aboutExtension(oids.subjectAltName, {
    name: 'e_international_dns_name_not_nfc',
    source: 'RFC5891',
    says: 'Labels in punycode stand for normalised Unicode',
    isBrokenBy: (specimen) =>
      hosts(specimen)
        .flatMap(labels)
        .some(
          (label) => isEncoded(label) && domainToUnicode(label) !== domainToUnicode(label).normalize('NFC'),
        ),
  }),
];

/** Whether the list of signed timestamps, itself in an OCTET STRING, holds none (RFC 6962 section 3.3). */
function hasNoTimestamps(specimen: Specimen): boolean {
  const { value } = extensionOf(specimen, oids.signedCertificateTimestamps)!;
  const { content } = readNode(value);
  return content.length < 2 || content.readUInt16BE(0) === 0;
}

const poison = '1.3.6.1.4.1.11129.2.4.3';

const timestampRules: readonly Rule[] = [
  aboutExtension(oids.signedCertificateTimestamps, {
    name: 'e_empty_sct_list',
    source: 'RFC6962',
    says: 'A list of signed certificate timestamps is not empty',
    isBrokenBy: hasNoTimestamps,
  }),
  aboutExtension(poison, {
    name: 'e_precert_with_sct_list',
    source: 'RFC6962',
    says: 'A precertificate has no signed certificate timestamps',
    isBrokenBy: (specimen) => extensionOf(specimen, oids.signedCertificateTimestamps) !== undefined,
  }),
];

/** Rules about alternative names and what proves that they were logged. */
export const altNameRules: readonly Rule[] = [
  ...lists.flatMap(rulesOf),
  ...lists.flatMap(hostRulesOf),
  ...hostRules,
  ...timestampRules,
];
