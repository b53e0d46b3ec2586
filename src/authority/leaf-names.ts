import { readDer, tags } from '../x509/der.ts';
import type { GeneralName } from '../x509/general-name.ts';
import { formatIp, parseIp } from '../x509/ip-address.ts';
import { commonName, type Name, nameOf } from '../x509/name.ts';
import { isOid, oids } from '../x509/oid.ts';
import type { CertificateRequest } from '../x509/request.ts';
import { decodeText } from '../x509/text.ts';
import { encodeUtf8String } from './der-text.ts';
import type { LeafRequest } from './leaf-request.ts';
import {
  asciiDomain,
  isHostname,
  otherNameProblem,
  permitsAddress,
  permitsCommonName,
  permitsName,
  permitsSubjectSerial,
  permitsUri,
  permitsUserId,
} from './name-rules.ts';
import { refused } from './refused.ts';
import type { Role } from './role.ts';

export interface LeafNames {
  subject: Name;
  /** In the order in which Go writes them. */
  altNames: readonly GeneralName[];
}

/**
 * The subject and alternative names of a leaf: what is asked for, in `csr` or beside it as the role says, held
 * against the role. Without `csr` the key is made here.
 *
 * @throws Fault `authority.name` in Vault's words, naming what does not pass
 */
export function decideLeafNames(
  request: LeafRequest,
  csr: CertificateRequest | undefined,
  role: Role,
): LeafNames {
  const sans = role.use_csr_sans && csr ? csr.subjectAltNames : undefined;
  const name = decideCommonName(request, csr, role);
  const { dns, emails } = hostsAndEmails(request, sans, name);
  const serial = request.subjectSerial || attributes(csr, oids.serialNumber)[0] || '';
  if (name !== '' && !permitsCommonName(name, role)) {
    throw refused('name', `common name ${name} not allowed by this role`);
  }
  if (serial !== '' && !permitsSubjectSerial(serial, role)) {
    throw refused('name', `serial_number ${serial} not allowed by this role`);
  }
  checkEach(dns, role, 'subject alternate name');
  checkEach(emails, role, 'email address');
  const altNames: GeneralName[] = [
    ...decideOtherNames(request, sans, role),
    ...unique(dns).map((value): GeneralName => ({ type: 'dns', value })),
    ...unique(emails)
      .toSorted()
      .map((value): GeneralName => ({ type: 'email', value })),
    ...decideAddresses(request, sans, role),
    ...decideUris(request, sans, role),
  ];
  const subject = nameOf({
    country: unique(role.country),
    organization: unique(role.organization),
    organizationalUnit: unique(role.ou),
    locality: unique(role.locality),
    province: unique(role.province),
    streetAddress: unique(role.street_address),
    postalCode: unique(role.postal_code),
    commonName: name,
    serialNumber: serial,
    userIds: decideUserIds(request, csr, role),
  });
  return { subject, altNames };
}

function decideCommonName(
  { commonName: asked }: LeafRequest,
  csr: CertificateRequest | undefined,
  role: Role,
): string {
  const name = (role.use_csr_common_name && csr && commonName(csr.subject)) || asked;
  if (name !== '' || !role.require_cn) return name;
  throw refused(
    'name',
    'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, ' +
      'unless "require_cn" is set to false',
  );
}

/** Of the request for signing as they stand; else the texts that are host names, the others left out as Vault does. */
function hostsAndEmails(request: LeafRequest, sans: readonly GeneralName[] | undefined, name: string) {
  const dns = sans ? ofType(sans, 'dns') : [];
  const emails = sans ? ofType(sans, 'email') : [];
  const texts = [
    ...(name === '' || request.excludeCommonName ? [] : [name]),
    ...(sans ? [] : request.altNames),
  ];
  for (const text of texts) {
    if (text.includes('@')) {
      emails.push(text);
      continue;
    }
    const domain = asciiDomain(text);
    if ('badLabel' in domain) throw refused('name', `idna: invalid label ${JSON.stringify(domain.badLabel)}`);
    if (isHostname(domain.ascii)) dns.push(domain.ascii);
  }
  return { dns, emails };
}

function ofType(names: readonly GeneralName[], type: 'dns' | 'email' | 'uri' | 'ip'): string[] {
  return names.flatMap((name) => (name.type === type ? [name.value] : []));
}

function checkEach(names: readonly string[], role: Role, what: string): void {
  const bad = names.find((name) => !permitsName(name, role));
  if (bad !== undefined) throw refused('name', `${what} ${bad} not allowed by this role`);
}

interface Utf8Name {
  oid: string;
  value: string;
}

function decideOtherNames(
  { otherSans }: LeafRequest,
  sans: readonly GeneralName[] | undefined,
  role: Role,
): GeneralName[] {
  const asked = [
    ...otherSans.map(readOtherSan),
    ...(sans ?? []).flatMap((name) => (name.type === 'other' ? [utf8Name(name)] : [])),
  ];
  return asked.map((name) => {
    const { oid, value } = name;
    const problem = otherNameProblem(name, role);
    if (problem === 'unlisted') throw refused('name', `other SAN OID ${oid} not allowed by this role`);
    if (problem) throw refused('name', `other SAN ${value} not allowed for OID ${oid} by this role`);
    return { type: 'other', oid, value: encodeUtf8String(value) };
  });
}

function readOtherSan(text: string): Utf8Name {
  const fail = (why: string) => refused('name', `could not parse requested other SAN: ${why}`);
  const quoted = JSON.stringify(text);
  const [, oid, kind] = /^([^;]*);(.*)$/s.exec(text) ?? [];
  if (oid === undefined) throw fail(`expected a semicolon in other SAN ${quoted}`);
  const [, type, value] = /^([^:]*):(.*)$/s.exec(kind!) ?? [];
  if (value === undefined) throw fail(`expected a colon in other SAN ${quoted}`);
  if (!/^utf-?8$/i.test(type!)) {
    throw fail(`only utf8 other SANs are supported; found non-supported type in other SAN ${quoted}`);
  }
  if (!isOid(oid)) throw fail(`${JSON.stringify(oid)} is not an object identifier`);
  return { oid, value };
}

function utf8Name({ oid, value }: { oid: string; value: Buffer }): Utf8Name {
  const isUtf8 = value[0] === tags.utf8String;
  const content = isUtf8 ? readDer(value, (reader) => reader.content(tags.utf8String)) : undefined;
  const text = content && decodeText(tags.utf8String, content);
  if (text !== undefined) return { oid, value: text };
  throw refused('name', 'could not parse requested other SAN: no UTF-8 string found in OtherName');
}

/** Whichever way they come, the role's ranges hold for them. */
function decideAddresses(
  { ipSans }: LeafRequest,
  sans: readonly GeneralName[] | undefined,
  role: Role,
): GeneralName[] {
  const addresses = sans ? ofType(sans, 'ip') : ipSans.map(address);
  if (addresses.length > 0 && !role.allow_ip_sans) {
    throw refused(
      'name',
      `IP Subject Alternative Names are not allowed in this role, but was provided via ${sans ? 'CSR' : 'the API'}`,
    );
  }
  return addresses.map((value) => {
    if (!permitsAddress(value, role)) {
      throw refused('name', `the IP address ${JSON.stringify(value)} is not allowed in this role`);
    }
    return { type: 'ip', value };
  });
}

function address(text: string): string {
  const bytes = parseIp(text);
  if (bytes) return formatIp(bytes);
  throw refused('name', `the value ${JSON.stringify(text)} is not a valid IP address`);
}

function decideUris(
  { uriSans }: LeafRequest,
  sans: readonly GeneralName[] | undefined,
  role: Role,
): GeneralName[] {
  const uris = sans ? ofType(sans, 'uri') : uriSans;
  const source = sans ? 'CSR' : 'the API';
  if (uris.length > 0 && role.allowed_uri_sans.length === 0) {
    throw refused(
      'name',
      `URI Subject Alternative Names are not allowed in this role, but were provided via ${source}`,
    );
  }
  return uris.map((value) => {
    if (!permitsUri(value, role)) {
      throw refused(
        'name',
        `URI Subject Alternative Names were provided via ${source} which are not valid for this role`,
      );
    }
    if (!URL.canParse(value)) {
      throw refused(
        'name',
        `the provided URI Subject Alternative Name ${JSON.stringify(value)} is not a valid URI`,
      );
    }
    return { type: 'uri', value };
  });
}

function decideUserIds(
  { userIds }: LeafRequest,
  csr: CertificateRequest | undefined,
  role: Role,
): readonly string[] {
  const asked = userIds.length > 0 ? userIds : attributes(csr, oids.userId);
  const bad = asked.find((userId) => !permitsUserId(userId, role));
  if (bad !== undefined) throw refused('name', `user_id ${bad} is not allowed by this role`);
  return asked;
}

function attributes(csr: CertificateRequest | undefined, oid: string): readonly string[] {
  const rdns = csr?.subject.rdns ?? [];
  if (!rdns.some((rdn) => rdn.some((one) => one.oid === oid))) return none;
  return rdns.flat().flatMap((one) => (one.oid === oid ? [one.value] : []));
}

const none: readonly string[] = [];

function unique(values: readonly string[]): readonly string[] {
  if (values.length === 0) return none;
  return [...new Set(values.map((value) => value.trim()))].filter((value) => value !== '');
}
