import { tags } from '../der-tag.ts';
import { readGeneralizedTime, readUtcTime } from '../der-time.ts';
import { oids } from '../oid.ts';
import type { Node } from './node.ts';
import type { Rule } from './rule.ts';
import type { Specimen, SpecimenAlgorithm } from './specimen.ts';

const rsaSignatures: readonly string[] = [
  oids.md5WithRsa,
  oids.sha1WithRsa,
  oids.sha256WithRsa,
  oids.sha384WithRsa,
  oids.sha512WithRsa,
  '1.2.840.113549.1.1.14',
];

const timesOf = ({ notBefore, notAfter }: Specimen, tag: number): Node[] =>
  [notBefore, notAfter].filter((time) => time.tag === tag);

/** A rule about the text of the times of one type. */
function timeRule(name: string, tag: number, says: string, isBad: (text: string) => boolean): Rule {
  return {
    name,
    source: 'RFC5280',
    says,
    appliesTo: (specimen) => timesOf(specimen, tag).length > 0,
    isBrokenBy: (specimen) => timesOf(specimen, tag).some(({ content }) => isBad(content.toString('latin1'))),
  };
}

/** An instant, whatever form it is in; undefined where it cannot be told. */
function instantOf({ tag, content }: Node): number | undefined {
  const read = tag === tags.utcTime ? readUtcTime : readGeneralizedTime;
  return read(content);
}

const hasNull = ({ parameters }: SpecimenAlgorithm) =>
  parameters?.tag === tags.null && parameters.content.length === 0;

/** Rules about the frame of a certificate: version, serial number, times, algorithms (RFC 5280 section 4.1). */
export const structureRules: readonly Rule[] = [
  {
    name: 'e_cert_extensions_version_not_3',
    source: 'RFC5280',
    says: 'Only version 3 has extensions',
    isBrokenBy: ({ version, extensions }) => version !== 3 && extensions.length > 0,
  },
  {
    name: 'e_cert_contains_unique_identifier',
    source: 'RFC5280',
    says: 'CAs put no unique identifiers into certificates',
    isBrokenBy: ({ hasUniqueIds }) => hasUniqueIds,
  },
  {
    name: 'e_cert_unique_identifier_version_not_2_or_3',
    source: 'RFC5280',
    says: 'Version 1 has no unique identifiers',
    isBrokenBy: ({ hasUniqueIds, version }) => hasUniqueIds && version !== 2 && version !== 3,
  },
  {
    name: 'e_serial_number_longer_than_20_octets',
    source: 'RFC5280',
    says: 'A serial number takes 20 octets at most',
    isBrokenBy: ({ serial }) => serial.length > 20,
  },
  {
    name: 'e_serial_number_not_positive',
    source: 'RFC5280',
    says: 'A serial number is positive',
    isBrokenBy: ({ serial }) => serial.every((byte) => byte === 0) || serial[0]! >= 0x80,
  },
  {
    name: 'e_cert_sig_alg_not_match_tbs_sig_alg',
    source: 'RFC5280',
    says: 'The signature algorithm is the same inside and outside',
    isBrokenBy: ({ algorithm, tbsAlgorithm }) => !algorithm.der.equals(tbsAlgorithm.der),
  },
  {
    name: 'e_tbs_signature_rsa_encryption_parameter_not_null',
    source: 'RFC5280',
    says: 'The parameters of an RSA signature algorithm are NULL',
    appliesTo: ({ tbsAlgorithm }) => rsaSignatures.includes(tbsAlgorithm.oid),
    isBrokenBy: ({ tbsAlgorithm }) => !hasNull(tbsAlgorithm),
  },
  {
    name: 'e_spki_rsa_encryption_parameter_not_null',
    source: 'RFC5280',
    says: 'The parameters of an RSA public key are NULL',
    appliesTo: ({ keyAlgorithm }) => keyAlgorithm.oid === oids.rsaEncryption,
    isBrokenBy: ({ keyAlgorithm }) => !hasNull(keyAlgorithm),
  },
  {
    name: 'e_validity_time_not_positive',
    source: 'Community',
    says: 'A certificate does not end before it begins',
    isBrokenBy({ notBefore, notAfter }) {
      const [first, last] = [instantOf(notBefore), instantOf(notAfter)];
      return first !== undefined && last !== undefined && first > last;
    },
  },
  {
    name: 'e_wrong_time_format_pre2050',
    source: 'RFC5280',
    says: 'Times before 2050 are of the type UTCTime',
    isBrokenBy: (specimen) =>
      timesOf(specimen, tags.generalizedTime).some(({ content }) => content.toString('latin1') < '2050'),
  },
  timeRule(
    'e_utc_time_does_not_include_seconds',
    tags.utcTime,
    'A UTCTime has seconds',
    (text) => !/^\d{12}(?!\d)/.test(text),
  ),
  timeRule('e_utc_time_not_in_zulu', tags.utcTime, 'A UTCTime ends in Z', (text) => !text.endsWith('Z')),
  timeRule(
    'e_generalized_time_does_not_include_seconds',
    tags.generalizedTime,
    'A GeneralizedTime has seconds',
    (text) => !/^\d{14}(?!\d)/.test(text),
  ),
  timeRule(
    'e_generalized_time_includes_fraction_seconds',
    tags.generalizedTime,
    'A GeneralizedTime has no fractions of a second',
    (text) => /[.,]/.test(text),
  ),
  timeRule(
    'e_generalized_time_not_in_zulu',
    tags.generalizedTime,
    'A GeneralizedTime ends in Z',
    (text) => !text.endsWith('Z'),
  ),
];
