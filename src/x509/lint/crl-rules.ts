import { context } from '../der-tag.ts';
import { oids } from '../oid.ts';
import { hasNull, rsaSignatures } from './algorithm-rules.ts';
import type { CrlSpecimen, SpecimenEntry } from './crl-specimen.ts';
import { readNode } from './node.ts';
import { aboutExtension, type CrlRule, criticality } from './rule.ts';
import { type Extended, extensionOf, sequenceOf } from './specimen.ts';
import { instantOf, timeRules } from './time-rules.ts';

const entriesOf = ({ entries = [] }: CrlSpecimen) => entries;
const hasDuplicates = ({ extensions }: Extended) =>
  new Set(extensions.map(({ oid }) => oid)).size < extensions.length;

/** A rule about every entry. */
function aboutEntries(rule: {
  name: string;
  source: CrlRule['source'];
  says: string;
  isBrokenBy: (entry: SpecimenEntry, list: CrlSpecimen) => boolean;
}): CrlRule {
  return {
    ...rule,
    appliesTo: (list) => entriesOf(list).length > 0,
    isBrokenBy: (list) => entriesOf(list).some((entry) => rule.isBrokenBy(entry, list)),
  };
}

/** A rule about every entry with a certain extension: what is told of its mark and its value. */
function aboutEntryExtension(
  oid: string,
  rule: Pick<CrlRule, 'name' | 'says'> & { isBrokenBy: (extension: Mark, list: CrlSpecimen) => boolean },
): CrlRule {
  return {
    ...rule,
    source: 'RFC5280',
    appliesTo: (list) => entriesOf(list).some((entry) => extensionOf(entry, oid) !== undefined),
    isBrokenBy: (list) =>
      entriesOf(list).some((entry) => {
        const extension = extensionOf(entry, oid);
        return extension !== undefined && rule.isBrokenBy(extension, list);
      }),
  };
}

type Mark = Extended['extensions'][number];

const frameRules: readonly CrlRule[] = [
  {
    name: 'e_crl_version_not_2',
    source: 'RFC5280',
    says: 'A CRL says that it is of version 2',
    isBrokenBy: ({ version }) => version !== 2,
  },
  {
    name: 'e_crl_sig_alg_not_match_tbs_sig_alg',
    source: 'RFC5280',
    says: 'The signature algorithm is the same inside and outside',
    isBrokenBy: ({ algorithm, tbsAlgorithm }) => !algorithm.der.equals(tbsAlgorithm.der),
  },
  {
    name: 'e_crl_sigalgo_missing_null_params',
    source: 'RFC5280',
    says: 'The parameters of an RSA signature algorithm are NULL',
    appliesTo: ({ algorithm }) => rsaSignatures.includes(algorithm.oid),
    isBrokenBy: ({ algorithm }) => !hasNull(algorithm),
  },
  {
    name: 'e_crl_issuer_field_empty',
    source: 'RFC5280',
    says: 'A CRL names its issuer',
    isBrokenBy: ({ issuer }) => issuer.rdns.length === 0,
  },
  {
    name: 'e_crl_has_next_update',
    source: 'RFC5280',
    says: 'A CRL says when the next one comes',
    isBrokenBy: ({ nextUpdate }) => nextUpdate === undefined,
  },
  {
    name: 'e_crl_next_update_not_after_this_update',
    source: 'Community',
    says: 'The next CRL comes after this one',
    appliesTo: ({ nextUpdate }) => nextUpdate !== undefined,
    isBrokenBy({ thisUpdate, nextUpdate }) {
      const [now, next] = [instantOf(thisUpdate), instantOf(nextUpdate!)];
      return now !== undefined && next !== undefined && next <= now;
    },
  },
  ...timeRules<CrlSpecimen>('e_crl_', (list) => [
    list.thisUpdate,
    ...(list.nextUpdate ? [list.nextUpdate] : []),
    ...entriesOf(list).map(({ revokedAt }) => revokedAt),
  ]),
];

/** RFC 5280 section 5.2. */
const known: readonly string[] = [
  oids.authorityKeyIdentifier,
  oids.issuerAltName,
  oids.crlNumber,
  oids.deltaCrlIndicator,
  oids.issuingDistributionPoint,
  oids.freshestCrl,
  oids.authorityInfoAccess,
];

/** What a distribution point says of itself, by its number. */
const isSaid = (list: CrlSpecimen, number: number) =>
  sequenceOf(list, oids.issuingDistributionPoint)!.some(
    ({ tag, content }) => tag === context(number) && content[0] !== 0,
  );

const extensionRules: readonly CrlRule[] = [
  {
    name: 'e_crl_no_duplicate_extensions',
    source: 'Community',
    says: 'Each extension stands there once',
    appliesTo: ({ extensions }) => extensions.length > 0,
    isBrokenBy: hasDuplicates,
  },
  {
    name: 'w_crl_unknown_critical_extension',
    source: 'RFC5280',
    says: 'No extension is critical that RFC 5280 does not know, since such a CRL is of use to few',
    isBrokenBy: ({ extensions }) => extensions.some(({ oid, critical }) => critical && !known.includes(oid)),
  },
  {
    name: 'e_crl_has_authority_key_identifier',
    source: 'RFC5280',
    says: 'A CRL has the identifier of its issuer’s key',
    isBrokenBy: (list) => extensionOf(list, oids.authorityKeyIdentifier) === undefined,
  },
  aboutExtension(oids.authorityKeyIdentifier, {
    name: 'e_crl_authority_key_identifier_no_key_identifier',
    source: 'RFC5280',
    says: 'The identifier of the issuer’s key is a key identifier',
    isBrokenBy: (list) =>
      !sequenceOf(list, oids.authorityKeyIdentifier)!.some(({ tag }) => tag === context(0)),
  }),
  criticality(
    'e_crl_authority_key_identifier_critical',
    [oids.authorityKeyIdentifier, 'authority key identifier'],
    false,
  ),
  {
    name: 'e_crl_missing_crl_number',
    source: 'RFC5280',
    says: 'A CRL has a number',
    isBrokenBy: (list) => extensionOf(list, oids.crlNumber) === undefined,
  },
  criticality('e_crl_number_critical', [oids.crlNumber, 'CRL number'], false),
  aboutExtension(oids.crlNumber, {
    name: 'e_crl_number_out_of_range',
    source: 'RFC5280',
    says: 'The number of a CRL is not negative and takes 20 octets at most',
    isBrokenBy(list) {
      const { content } = readNode(extensionOf(list, oids.crlNumber)!.value);
      return content.length === 0 || content.length > 20 || content[0]! >= 0x80;
    },
  }),
  criticality('e_crl_delta_indicator_not_critical', [oids.deltaCrlIndicator, 'delta CRL indicator'], true),
  criticality(
    'e_crl_issuing_distribution_point_not_critical',
    [oids.issuingDistributionPoint, 'issuing distribution point'],
    true,
  ),
  aboutExtension(oids.issuingDistributionPoint, {
    name: 'e_crl_issuing_distribution_point_empty',
    source: 'RFC5280',
    says: 'An issuing distribution point says something',
    isBrokenBy: (list) => sequenceOf(list, oids.issuingDistributionPoint)!.length === 0,
  }),
  aboutExtension(oids.issuingDistributionPoint, {
    name: 'e_crl_issuing_distribution_point_contradictory',
    source: 'RFC5280',
    says: 'A CRL is limited to users, to CAs or to attributes, if at all',
    isBrokenBy: (list) => [1, 2, 5].filter((number) => isSaid(list, number)).length > 1,
  }),
  criticality('w_crl_issuer_alt_name_critical', [oids.issuerAltName, 'issuer alternative name'], false),
  criticality('e_crl_freshest_crl_critical', [oids.freshestCrl, 'freshest CRL'], false),
  aboutExtension(oids.freshestCrl, {
    name: 'e_crl_freshest_crl_in_delta',
    source: 'RFC5280',
    says: 'Complete CRLs alone say where deltas are',
    isBrokenBy: (list) => extensionOf(list, oids.deltaCrlIndicator) !== undefined,
  }),
];

/** RFC 5280 section 5.3. */
const knownOfEntries: readonly string[] = [oids.crlReason, oids.invalidityDate, oids.certificateIssuer];
const reasonOf = ({ value }: Mark) => readNode(value).content;
/** When RFC 2459, the first profile of CRLs, came out. */
const firstProfileMs = Date.UTC(1999, 0, 1);

const entryRules: readonly CrlRule[] = [
  {
    name: 'e_crl_empty_revoked_certificates',
    source: 'RFC5280',
    says: 'Without revoked certificates the list of them is left out',
    isBrokenBy: ({ entries }) => entries?.length === 0,
  },
  {
    name: 'e_crl_revoked_certificates_field_must_be_empty',
    source: 'RFC5280',
    says: 'Without revoked certificates the list of them is left out',
    appliesTo: (list) => entriesOf(list).length === 0,
    isBrokenBy: ({ entries }) => entries !== undefined,
  },
  aboutEntries({
    name: 'e_crl_serial_number_not_positive',
    source: 'RFC5280',
    says: 'A revoked certificate’s serial number is positive',
    isBrokenBy: ({ serial }) => serial.every((byte) => byte === 0) || serial[0]! >= 0x80,
  }),
  aboutEntries({
    name: 'e_crl_serial_number_longer_than_20_octets',
    source: 'RFC5280',
    says: 'A revoked certificate’s serial number takes 20 octets at most',
    isBrokenBy: ({ serial }) => serial.length > 20,
  }),
  {
    name: 'e_crl_unique_revoked_certificate',
    source: 'Community',
    says: 'Each revoked certificate stands there once',
    // With other issuers on the list the same number may mean several certificates.
    appliesTo: (list) => !entriesOf(list).some((entry) => extensionOf(entry, oids.certificateIssuer)),
    isBrokenBy(list) {
      const serials = entriesOf(list).map(({ serial }) => serial.toString('hex'));
      return new Set(serials).size < serials.length;
    },
  },
  aboutEntries({
    name: 'e_crl_revocation_time_after_this_update',
    source: 'RFC5280',
    says: 'No certificate was revoked after the CRL was made',
    isBrokenBy({ revokedAt }, { thisUpdate }) {
      const [revoked, made] = [instantOf(revokedAt), instantOf(thisUpdate)];
      return revoked !== undefined && made !== undefined && revoked > made;
    },
  }),
  aboutEntries({
    name: 'e_crl_revocation_date_too_early',
    source: 'Community',
    says: 'No certificate was revoked before there were CRLs of this kind',
    isBrokenBy: ({ revokedAt }) => (instantOf(revokedAt) ?? firstProfileMs) < firstProfileMs,
  }),
  aboutEntries({
    name: 'e_crl_revoked_certificate_crl_entry_has_no_duplicate_extensions',
    source: 'Community',
    says: 'Each extension of an entry stands there once',
    isBrokenBy: hasDuplicates,
  }),
  aboutEntries({
    name: 'w_crl_entry_unknown_critical_extension',
    source: 'RFC5280',
    says: 'No extension of an entry is critical that RFC 5280 does not know',
    isBrokenBy: ({ extensions }) =>
      extensions.some(({ oid, critical }) => critical && !knownOfEntries.includes(oid)),
  }),
  aboutEntryExtension(oids.crlReason, {
    name: 'e_crl_has_valid_reason_code',
    says: 'A reason is one of those of RFC 5280',
    isBrokenBy(extension) {
      const [code = 7, ...more] = reasonOf(extension);
      return more.length > 0 || code === 7 || code > 10;
    },
  }),
  aboutEntryExtension(oids.crlReason, {
    name: 'w_crl_reason_code_unspecified',
    says: 'Where no reason is known none is given',
    isBrokenBy: (extension) => reasonOf(extension)[0] === 0,
  }),
  aboutEntryExtension(oids.crlReason, {
    name: 'e_crl_remove_from_crl_in_complete_crl',
    says: 'Only deltas take certificates off the CRL',
    isBrokenBy: (extension, list) =>
      reasonOf(extension)[0] === 8 && extensionOf(list, oids.deltaCrlIndicator) === undefined,
  }),
  aboutEntryExtension(oids.crlReason, {
    name: 'e_crl_reason_code_critical',
    says: 'The reason is not marked critical',
    isBrokenBy: ({ critical }) => critical,
  }),
  aboutEntryExtension(oids.invalidityDate, {
    name: 'e_crl_invalidity_date_critical',
    says: 'The invalidity date is not marked critical',
    isBrokenBy: ({ critical }) => critical,
  }),
  aboutEntryExtension(oids.certificateIssuer, {
    name: 'e_crl_certificate_issuer_not_critical',
    says: 'The issuer of a certificate that is not the list’s is marked critical',
    isBrokenBy: ({ critical }) => !critical,
  }),
];

/** Rules about CRLs (RFC 5280 section 5), in the order of their names. */
export const crlRules: readonly CrlRule[] = [...frameRules, ...extensionRules, ...entryRules].toSorted(
  (a, b) => (a.name < b.name ? -1 : 1),
);
