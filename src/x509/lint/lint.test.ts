import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exampleChain, exampleNow, type Issued, issue } from '../../../test/support/example-chain.ts';
import { mutate, mutations } from '../../../test/support/mutation.ts';
import { Fault } from '../../base/fault.ts';
import { context, contextConstructed, tags, writeDer } from '../der.ts';
import { type Extension, keyUsage, subjectAltName } from '../extension.ts';
import type { GeneralName } from '../general-name.ts';
import { nameOf, readName } from '../name.ts';
import { oids } from '../oid.ts';
import { defects, lintCertificate, rules } from './lint.ts';

const { root, intermediate, leaf } = await exampleChain();

const names = (der: Buffer) => defects(lintCertificate(der)).map(({ rule }) => rule.name);

test('rules are named once, after their severity', () => {
  const all = rules.map(({ name }) => name);
  expect(new Set(all).size).toBe(all.length);
  expect(all).toEqual(all.toSorted());
  expect(all.filter((name) => !/^[ewn]_[a-z0-9_]+$/.test(name))).toEqual([]);
  expect(all.length).toBeGreaterThan(140);
});

test('a chain in good order breaks none', () => {
  for (const { certificate } of [root, intermediate, leaf]) expect(names(certificate.der)).toEqual([]);
});

const extension = (oid: string, value: Buffer, critical = false): Extension => ({ oid, critical, value });
const sequence = (...parts: Buffer[]) =>
  writeDer((writer) => writer.sequence(() => parts.forEach((part) => writer.raw(part))));
const oid = (dotted: string) => writeDer((writer) => writer.oid(dotted));
const ianOf = (...list: GeneralName[]) => ({ ...subjectAltName(list), oid: oids.issuerAltName });
const dns = (value: string): GeneralName => ({ type: 'dns', value });
const attribute = (type: string, tag: number, value: string) =>
  readName(
    writeDer((writer) =>
      writer.sequence(() => writer.set(() => writer.sequence(() => writer.oid(type).text(tag, value)))),
    ),
  );

/** What only a certificate made for it shows, for rules that no vector breaks. */
const made: Record<string, Omit<Issued, 'name' | 'issuer'>> = {
  e_serial_number_longer_than_20_octets: { override: { serial: Buffer.alloc(21, 1) } },
  e_validity_time_not_positive: { override: { notBefore: exampleNow, notAfter: exampleNow - 1_000 } },
  e_ca_subject_field_empty: { ca: true, override: { subject: nameOf({}) } },
  e_subject_empty_without_san: { override: { subject: nameOf({}), extensions: [] } },
  e_subject_organizational_unit_name_max_length: {
    override: { subject: nameOf({ organizationalUnit: ['u'.repeat(65)] }) },
  },
  e_subject_dn_serial_number_max_length: { override: { subject: nameOf({ serialNumber: '1'.repeat(65) }) } },
  e_subject_dn_serial_number_not_printable_string: {
    override: { subject: attribute(oids.serialNumber, tags.utf8String, '1') },
  },
  e_subject_postal_code_max_length: { override: { subject: nameOf({ postalCode: ['1'.repeat(17)] }) } },
  e_subject_email_max_length: {
    override: { subject: attribute(oids.emailAddress, tags.ia5String, 'a'.repeat(256)) },
  },
  e_subj_email_not_in_san: {
    override: { subject: attribute(oids.emailAddress, tags.ia5String, 'a@example.com') },
  },
  e_utf8_latin1_mixup: { override: { subject: nameOf({ organization: ['GrÃ¶ÃŸe'] }) } },
  w_subject_dn_leading_whitespace: { override: { subject: nameOf({ organization: [' a'] }) } },
  w_subject_dn_trailing_whitespace: { override: { subject: nameOf({ organization: ['a '] }) } },
  w_subject_given_name_recommended_max_length: {
    override: { subject: attribute(oids.givenName, tags.utf8String, 'a'.repeat(65)) },
  },
  w_issuer_dn_trailing_whitespace: { override: { issuer: nameOf({ organization: ['a '] }) } },
  w_multiple_issuer_rdn: { override: { issuer: nameOf({ organization: ['a', 'b'] }) } },
  e_issuer_dn_country_not_printable_string: {
    override: { issuer: attribute(oids.country, tags.utf8String, 'CH') },
  },
  e_ext_key_usage_without_bits: { override: { extensions: [keyUsage([])] } },
  e_ecdsa_allowed_ku: { override: { extensions: [keyUsage(['data encipherment'])] } },
  e_rsa_allowed_ku_ee: {
    spec: { type: 'rsa', bits: 2048 },
    override: { extensions: [keyUsage(['key agreement'])] },
  },
  w_ext_subject_key_identifier_missing_sub_cert: { override: { extensions: [] } },
  e_ext_subject_key_identifier_critical: {
    override: { extensions: [extension(oids.subjectKeyIdentifier, Buffer.from('0400', 'hex'), true)] },
  },
  e_ext_aia_marked_critical: { extensions: [extension(oids.authorityInfoAccess, sequence(), true)] },
  e_ext_freshest_crl_marked_critical: { extensions: [extension(oids.freshestCrl, sequence(), true)] },
  e_ext_subject_directory_attr_critical: {
    extensions: [extension(oids.subjectDirectoryAttributes, sequence(), true)],
  },
  e_path_len_constraint_zero_or_less: {
    override: {
      extensions: [
        extension(
          oids.basicConstraints,
          sequence(Buffer.from('0101ff', 'hex'), Buffer.from('0201ff', 'hex')),
          true,
        ),
      ],
    },
  },
  e_ext_san_no_entries: { override: { extensions: [extension(oids.subjectAltName, sequence())] } },
  e_ext_san_dns_not_ia5_string: {
    override: { extensions: [extension(oids.subjectAltName, Buffer.from('30038201e9', 'hex'))] },
  },
  e_ext_san_space_dns_name: { override: { extensions: [subjectAltName([dns(' ')])] } },
  e_ext_san_uri_relative: { override: { extensions: [subjectAltName([{ type: 'uri', value: 'web' }])] } },
  e_san_dns_name_includes_null_char: { override: { extensions: [subjectAltName([dns('a\0.example')])] } },
  e_san_wildcard_not_first: { override: { extensions: [subjectAltName([dns('a.*.example')])] } },
  w_rfc_dnsname_underscore_in_trd: { override: { extensions: [subjectAltName([dns('a_b.web.example')])] } },
  w_ext_ian_critical: { extensions: [{ ...ianOf(dns('a.example')), critical: true }] },
  e_ext_ian_no_entries: { extensions: [extension(oids.issuerAltName, sequence())] },
  e_ext_ian_uri_format_invalid: { extensions: [ianOf({ type: 'uri', value: 'http:' })] },
  e_ian_bare_wildcard: { extensions: [ianOf(dns('*'))] },
  e_ian_wildcard_not_first: { extensions: [ianOf(dns('a.*.example'))] },
  e_ian_dns_name_starts_with_period: { extensions: [ianOf(dns('.example'))] },
  e_name_constraint_maximum_not_absent: {
    ca: true,
    extensions: [
      extension(
        oids.nameConstraints,
        writeDer((writer) =>
          writer.sequence(() =>
            writer.wrap(contextConstructed(0), () =>
              writer.sequence(() => writer.text(context(2), 'example').smallInteger(3, context(1))),
            ),
          ),
        ),
        true,
      ),
    ],
  },
  w_name_constraint_on_registered_id: {
    ca: true,
    extensions: [
      extension(
        oids.nameConstraints,
        writeDer((writer) =>
          writer.sequence(() =>
            writer.wrap(contextConstructed(0), () => writer.sequence(() => writer.oid('1.2.3', context(8)))),
          ),
        ),
        true,
      ),
    ],
  },
  e_ext_cert_policy_disallowed_any_policy_qualifier: {
    extensions: [
      extension(
        oids.certificatePolicies,
        sequence(sequence(oid(oids.anyPolicy), sequence(sequence(oid('1.2.3'), oid('1.2.3'))))),
      ),
    ],
  },
  w_ext_policy_map_not_in_cert_policy: {
    ca: true,
    extensions: [extension(oids.policyMappings, sequence(sequence(oid('1.2.3'), oid('1.2.4'))), true)],
  },
};

describe('a certificate made to break a rule', () => {
  test.each(Object.entries(made))('%s', async (name, issued) => {
    const { certificate } = await issue({ name: 'web.example', issuer: intermediate, ...issued });
    expect(names(certificate.der)).toContain(name);
  });

  test('texts of notices', async () => {
    const notice = async (text: string) => {
      const words = writeDer((writer) => writer.text(tags.utf8String, text));
      const qualifier = sequence(oid(oids.userNoticeQualifier), sequence(words));
      const value = sequence(sequence(oid('1.2.3'), sequence(qualifier)));
      const extensions = [extension(oids.certificatePolicies, value)];
      return names((await issue({ name: 'web.example', issuer: intermediate, extensions })).certificate.der);
    };
    expect(await notice('a'.repeat(200))).toEqual([]);
    expect(await notice('a'.repeat(201))).toEqual(['e_ext_cert_policy_explicit_text_too_long']);
    expect(await notice('e\u0301')).toEqual(['w_ext_cert_policy_explicit_text_not_nfc']);
  });
});

/** UTCTimes and GeneralizedTimes of forms that the writer does not write, put in the place of others of their length. */
test.each([
  ['e_utc_time_does_not_include_seconds', /17 0d (?:[\da-f]{2} ){13}/, '170b', '2601010000Z'],
  ['e_generalized_time_does_not_include_seconds', /17 0d (?:[\da-f]{2} ){13}/, '180d', '205601010000Z'],
  ['e_generalized_time_includes_fraction_seconds', /17 0d (?:[\da-f]{2} ){13}/, '1811', '20560101000000.5Z'],
  ['e_generalized_time_not_in_zulu', /17 0d (?:[\da-f]{2} ){13}/, '1813', '20560101000000+0000'],
])('%s', (name, time, header, text) => {
  const hex = leaf.certificate.der.toString('hex').replace(/../g, '$& ');
  const from = time.exec(hex)!;
  const at = from.index / 3;
  const other = Buffer.concat([Buffer.from(header, 'hex'), Buffer.from(text)]);
  const der = Buffer.concat([
    leaf.certificate.der.subarray(0, at),
    other,
    leaf.certificate.der.subarray(at + 15),
  ]);
  const grown = other.length - 15;
  // The validity's own length is one byte; that of what is around it takes two after 0x82.
  const outline = [...der];
  outline[at - 1]! += grown;
  for (const start of [2, 6]) {
    const length = (outline[start]! << 8) + outline[start + 1]! + grown;
    outline[start] = length >> 8;
    outline[start + 1] = length & 0xff;
  }
  expect(names(Buffer.from(outline))).toContain(name);
});

test('whatever the bytes are, there is a result or a fault', () => {
  fc.assert(
    fc.property(fc.constantFrom(root, intermediate, leaf), mutations, ({ certificate }, changes) => {
      try {
        expect(lintCertificate(mutate(certificate.der, changes))).toHaveLength(rules.length);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
    { numRuns: 500 },
  );
});
