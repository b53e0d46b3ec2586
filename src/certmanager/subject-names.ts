import { readDer, tags } from '../x509/der.ts';
import type { GeneralName } from '../x509/general-name.ts';
import { formatIp, parseIp } from '../x509/ip-address.ts';
import type { Name } from '../x509/name.ts';
import { oids } from '../x509/oid.ts';
import type { CertificateSpec } from './kinds.ts';

/** Subject and alternative names as plain text, whether asked for, requested or issued. */
export interface SubjectNames {
  commonName: string;
  serialNumber: string;
  organizations: readonly string[];
  organizationalUnits: readonly string[];
  countries: readonly string[];
  provinces: readonly string[];
  localities: readonly string[];
  streetAddresses: readonly string[];
  postalCodes: readonly string[];
  dnsNames: readonly string[];
  emailAddresses: readonly string[];
  /** In the one form that each address has. */
  ipAddresses: readonly string[];
  uris: readonly string[];
  /** `oid=text` */
  otherNames: readonly string[];
}

/** What a certificate or a request holds. */
export function namesIn({
  subject,
  subjectAltNames,
}: {
  subject: Name;
  subjectAltNames: readonly GeneralName[];
}): SubjectNames {
  const attributes = subject.rdns.flat();
  const all = (oid: string) =>
    attributes.filter((attribute) => attribute.oid === oid).map(({ value }) => value);
  const alternatives = (type: 'dns' | 'email' | 'ip' | 'uri') =>
    subjectAltNames.flatMap((name) => (name.type === type ? [name.value] : []));
  return {
    commonName: all(oids.commonName).at(-1) ?? '',
    serialNumber: all(oids.serialNumber).at(-1) ?? '',
    organizations: all(oids.organization),
    organizationalUnits: all(oids.organizationalUnit),
    countries: all(oids.country),
    provinces: all(oids.province),
    localities: all(oids.locality),
    streetAddresses: all(oids.streetAddress),
    postalCodes: all(oids.postalCode),
    dnsNames: alternatives('dns'),
    emailAddresses: alternatives('email'),
    ipAddresses: alternatives('ip').map(canonicalIp),
    uris: alternatives('uri'),
    otherNames: subjectAltNames.flatMap((name) =>
      name.type === 'other' ? [`${name.oid}=${utf8In(name.value)}`] : [],
    ),
  };
}

/** What a Certificate asks for. */
export function namesWanted(spec: CertificateSpec): SubjectNames {
  const { subject = {} } = spec;
  return {
    commonName: spec.commonName ?? '',
    serialNumber: subject.serialNumber ?? '',
    organizations: subject.organizations ?? [],
    organizationalUnits: subject.organizationalUnits ?? [],
    countries: subject.countries ?? [],
    provinces: subject.provinces ?? [],
    localities: subject.localities ?? [],
    streetAddresses: subject.streetAddresses ?? [],
    postalCodes: subject.postalCodes ?? [],
    dnsNames: spec.dnsNames ?? [],
    emailAddresses: spec.emailAddresses ?? [],
    ipAddresses: (spec.ipAddresses ?? []).map(canonicalIp),
    uris: spec.uris ?? [],
    otherNames: (spec.otherNames ?? []).map(({ oid = '', utf8Value = '' }) => `${oid}=${utf8Value}`),
  };
}

/** The one form of an address; what is none stays as it is. */
export function canonicalIp(text: string): string {
  const bytes = parseIp(text);
  return bytes ? formatIp(bytes) : text;
}

/** Whether two lists hold the same texts, each as often. */
export function sameItems(a: readonly string[] = [], b: readonly string[] = []): boolean {
  if (a.length !== b.length) return false;
  const [one, other] = [a.toSorted(), b.toSorted()];
  return one.every((item, at) => item === other[at]);
}

function utf8In(der: Buffer): string {
  try {
    return readDer(der, (reader) => reader.content(tags.utf8String)).toString('utf8');
  } catch {
    return `#${der.toString('hex')}`;
  }
}
