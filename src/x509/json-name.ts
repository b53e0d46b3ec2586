import type { Name } from './name.ts';
import { oids } from './oid.ts';

/** zcrypto's keys for the attributes of a name, in the order in which it writes them. */
const keys = [
  ['common_name', oids.commonName],
  ['serial_number', oids.serialNumber],
  ['country', oids.country],
  ['locality', oids.locality],
  ['province', oids.province],
  ['street_address', oids.streetAddress],
  ['organization', oids.organization],
  ['organizational_unit', oids.organizationalUnit],
  ['postal_code', oids.postalCode],
  ['domain_component', oids.domainComponent],
  ['email_address', oids.emailAddress],
  ['given_name', oids.givenName],
  ['surname', oids.surname],
  ['jurisdiction_country', '1.3.6.1.4.1.311.60.2.1.3'],
  ['jurisdiction_locality', '1.3.6.1.4.1.311.60.2.1.1'],
  ['jurisdiction_province', '1.3.6.1.4.1.311.60.2.1.2'],
] as const;

/** A name as zcrypto writes it: values by attribute, attributes without a key left out. */
export function nameJson(name: Name): Record<string, string[]> {
  const attributes = name.rdns.flat();
  return Object.fromEntries(
    keys.flatMap(([key, wanted]) => {
      const values = attributes.flatMap(({ oid, value }) => (oid === wanted ? [value] : []));
      return values.length > 0 ? [[key, values]] : [];
    }),
  );
}

/** OpenSSL's short names, which zcrypto prints names with. */
const shortNames: Readonly<Record<string, string>> = {
  [oids.commonName]: 'CN',
  [oids.surname]: 'SN',
  [oids.serialNumber]: 'serialNumber',
  [oids.country]: 'C',
  [oids.locality]: 'L',
  [oids.province]: 'ST',
  [oids.streetAddress]: 'street',
  [oids.organization]: 'O',
  [oids.organizationalUnit]: 'OU',
  [oids.title]: 'title',
  '2.5.4.13': 'description',
  '2.5.4.15': 'businessCategory',
  '2.5.4.16': 'postalAddress',
  [oids.postalCode]: 'postalCode',
  '2.5.4.18': 'postOfficeBox',
  '2.5.4.20': 'telephoneNumber',
  [oids.name]: 'name',
  [oids.givenName]: 'GN',
  [oids.initials]: 'initials',
  [oids.generationQualifier]: 'generationQualifier',
  '2.5.4.45': 'x500UniqueIdentifier',
  [oids.dnQualifier]: 'dnQualifier',
  [oids.pseudonym]: 'pseudonym',
  [oids.emailAddress]: 'emailAddress',
  [oids.domainComponent]: 'DC',
  [oids.userId]: 'UID',
  '0.9.2342.19200300.100.1.3': 'mail',
  '1.3.6.1.4.1.311.60.2.1.1': 'jurisdictionLocality',
  '1.3.6.1.4.1.311.60.2.1.2': 'jurisdictionStateOrProvince',
  '1.3.6.1.4.1.311.60.2.1.3': 'jurisdictionCountry',
};

/** A name in one line as zcrypto prints it: encoded order, a comma and a space between. */
export function nameInOneLine(name: Name): string {
  return name.rdns
    .flat()
    .map(({ oid, value }) => `${shortNames[oid] ?? oid}=${value}`)
    .join(', ');
}
