import { tags } from '../der-tag.ts';
import { oids } from '../oid.ts';
import type { Rule } from './rule.ts';
import {
  attributesOf,
  attributeText,
  extensionOf,
  isCa,
  namesOf,
  type Specimen,
  type SpecimenAttribute,
  type SpecimenName,
} from './specimen.ts';

type Side = 'subject' | 'issuer';

/** A rule that each attribute of a name, of one kind or of all, keeps to. */
function attributeRule(
  name: string,
  { side = 'subject', oid, source = 'RFC5280' }: { side?: Side; oid?: string; source?: Rule['source'] },
  says: string,
  isBad: (attribute: SpecimenAttribute) => boolean,
): Rule {
  return {
    name,
    source,
    says,
    appliesTo: (specimen) => attributesOf(specimen[side], oid).length > 0,
    isBrokenBy: (specimen) => attributesOf(specimen[side], oid).some(isBad),
  };
}

/** The upper bounds of RFC 5280 appendix A.1, in characters. */
function longest(name: string, oid: string, title: string, most: number): Rule {
  return attributeRule(
    name,
    { oid },
    `The ${title} of a subject has ${most} characters at most`,
    (attribute) => Array.from(attributeText(attribute)).length > most,
  );
}

const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/;
const htmlEntity = /&#?[a-zA-Z0-9]+;/;
// A letter of the upper half of Latin-1 in UTF-8, read as Latin-1 or Windows-1252: Ã and what stands for its second byte.
const misread =
  /\u00c3[\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018-\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]/;

const isControl = (character: string) => {
  const code = character.codePointAt(0)!;
  return code < 0x20 || (code >= 0x7f && code <= 0x9f);
};

const isEmpty = (name: SpecimenName) => attributesOf(name).every(({ content }) => content.length === 0);
const hasSet = ({ rdns }: SpecimenName) => rdns.some((rdn) => rdn.length > 1);

const whole = (name: string, source: Rule['source'], says: string, isBrokenBy: Rule['isBrokenBy']): Rule => ({
  name,
  source,
  says,
  isBrokenBy,
});

/** Rules about the names of issuer and subject (RFC 5280 sections 4.1.2.4 and 4.1.2.6). */
export const nameRules: readonly Rule[] = [
  whole('e_issuer_field_empty', 'RFC5280', 'An issuer has a name', ({ issuer }) => isEmpty(issuer)),
  {
    name: 'e_ca_subject_field_empty',
    source: 'RFC5280',
    says: 'A CA has a name',
    appliesTo: isCa,
    isBrokenBy: ({ subject }) => isEmpty(subject),
  },
  whole(
    'e_subject_empty_without_san',
    'RFC5280',
    'A subject without a name has alternative names',
    (specimen) => isEmpty(specimen.subject) && !extensionOf(specimen, oids.subjectAltName),
  ),
  longest('e_subject_common_name_max_length', oids.commonName, 'common name', 64),
  longest('e_subject_locality_name_max_length', oids.locality, 'locality', 128),
  longest('e_subject_state_name_max_length', oids.province, 'state or province', 128),
  longest('e_subject_organization_name_max_length', oids.organization, 'organization', 64),
  longest(
    'e_subject_organizational_unit_name_max_length',
    oids.organizationalUnit,
    'organizational unit',
    64,
  ),
  longest('e_subject_dn_serial_number_max_length', oids.serialNumber, 'serial number', 64),
  longest('e_subject_email_max_length', oids.emailAddress, 'e-mail address', 255),
  longest('e_subject_given_name_max_length', oids.givenName, 'given name', 32_768),
  longest('w_subject_given_name_recommended_max_length', oids.givenName, 'given name', 64),
  longest('e_subject_surname_max_length', oids.surname, 'surname', 32_768),
  longest('w_subject_surname_recommended_max_length', oids.surname, 'surname', 64),
  longest('e_subject_postal_code_max_length', oids.postalCode, 'postal code', 16),
  longest('e_subject_street_address_max_length', oids.streetAddress, 'street address', 128),
  attributeRule(
    'e_subject_dn_country_not_printable_string',
    { oid: oids.country },
    'The country of a subject is a PrintableString',
    ({ tag }) => tag !== tags.printableString,
  ),
  attributeRule(
    'e_issuer_dn_country_not_printable_string',
    { side: 'issuer', oid: oids.country },
    'The country of an issuer is a PrintableString',
    ({ tag }) => tag !== tags.printableString,
  ),
  attributeRule(
    'e_subject_dn_serial_number_not_printable_string',
    { oid: oids.serialNumber },
    'The serial number of a subject is a PrintableString',
    ({ tag }) => tag !== tags.printableString,
  ),
  attributeRule(
    'e_subject_printable_string_badalpha',
    {},
    'A PrintableString has characters of its alphabet only',
    (attribute) => attribute.tag === tags.printableString && !printable.test(attributeText(attribute)),
  ),
  attributeRule(
    'e_subject_dn_not_printable_characters',
    {},
    'The name of a subject has no control characters',
    (attribute) => Array.from(attributeText(attribute)).some(isControl),
  ),
  attributeRule(
    'e_subj_country_not_uppercase',
    { oid: oids.country, source: 'Community' },
    'The country of a subject is in capital letters',
    (attribute) => !/^[A-Z]+$/.test(attributeText(attribute)),
  ),
  attributeRule(
    'e_subj_contains_html_entities',
    { source: 'Community' },
    'The name of a subject has no HTML entities',
    (attribute) => htmlEntity.test(attributeText(attribute)),
  ),
  attributeRule(
    'e_utf8_latin1_mixup',
    { source: 'Community' },
    'The name of a subject is not UTF-8 that was read as Latin-1',
    (attribute) => misread.test(attributeText(attribute)),
  ),
  ...(['issuer', 'subject'] as const).flatMap((side) => [
    attributeRule(
      `w_${side}_dn_leading_whitespace`,
      { side, source: 'Community' },
      `The name of the ${side} does not begin with space`,
      (attribute) => /^\s/.test(attributeText(attribute)),
    ),
    attributeRule(
      `w_${side}_dn_trailing_whitespace`,
      { side, source: 'Community' },
      `The name of the ${side} does not end with space`,
      (attribute) => /\s$/.test(attributeText(attribute)),
    ),
  ]),
  whole('w_multiple_issuer_rdn', 'Community', 'Attributes of an issuer stand one by one', ({ issuer }) =>
    hasSet(issuer),
  ),
  whole('n_multiple_subject_rdn', 'Community', 'Attributes of a subject stand one by one', ({ subject }) =>
    hasSet(subject),
  ),
  {
    name: 'e_subj_email_not_in_san',
    source: 'RFC5280',
    says: 'E-mail addresses of a subject are among its alternative names',
    appliesTo: ({ subject }) => attributesOf(subject, oids.emailAddress).length > 0,
    isBrokenBy(specimen) {
      const known = namesOf(specimen, oids.subjectAltName, 'email');
      return emails(specimen).some((email) => !known.includes(email));
    },
  },
];

function emails({ subject }: Specimen): string[] {
  return attributesOf(subject, oids.emailAddress).map(attributeText);
}
