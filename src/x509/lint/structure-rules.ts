import { oids } from '../oid.ts';
import { hasNull, rsaSignatures } from './algorithm-rules.ts';
import type { Rule } from './rule.ts';
import type { Specimen } from './specimen.ts';
import { instantOf, timeRules } from './time-rules.ts';

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
  ...timeRules<Specimen>('e_', ({ notBefore, notAfter }) => [notBefore, notAfter]),
];
