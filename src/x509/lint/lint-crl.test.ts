import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exampleChain, exampleNow } from '../../../test/support/example-chain.ts';
import { mutate, mutations } from '../../../test/support/mutation.ts';
import { hourMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import { buildCrl } from '../crl.ts';
import { context, contextConstructed, tags, writeDer } from '../der.ts';
import { oids } from '../oid.ts';
import { decodePem } from '../pem.ts';
import { signerOf } from '../signature.ts';
import { crlRules } from './crl-rules.ts';
import { defects, lint, lintCertificate, lintCrl } from './lint.ts';
import { severityOf } from './rule.ts';

const { root, leaf } = await exampleChain();

const names = (der: Buffer) => defects(lintCrl(der)).map(({ rule }) => rule.name);

interface Extra {
  oid: string;
  critical?: boolean;
  value: Buffer;
}

interface Entry {
  serial?: Buffer;
  revokedAt?: Buffer;
  extensions?: readonly Extra[];
}

/** A CRL in good order but for what is given; nobody has signed it. */
interface Made {
  version?: number;
  outer?: Buffer;
  both?: Buffer;
  issuer?: Buffer;
  thisUpdate?: Buffer;
  nextUpdate?: Buffer;
  entries?: readonly Entry[];
  without?: string;
  extensions?: readonly Extra[];
}

const sequence = (...parts: Buffer[]) =>
  writeDer((writer) => writer.sequence(() => parts.forEach((part) => writer.raw(part))));
const integer = (...bytes: number[]) =>
  writeDer((writer) => writer.primitive(tags.integer, Buffer.from(bytes)));
const enumerated = (value: number) => writeDer((writer) => writer.smallInteger(value, tags.enumerated));
const utc = (text: string) => writeDer((writer) => writer.primitive(tags.utcTime, Buffer.from(text)));
const generalized = (text: string) =>
  writeDer((writer) => writer.primitive(tags.generalizedTime, Buffer.from(text)));
const algorithm = (dotted: string, ...parameters: Buffer[]) =>
  sequence(
    writeDer((writer) => writer.oid(dotted)),
    ...parameters,
  );
const nothing = Buffer.from('0500', 'hex');
const flag = (number: number) => writeDer((writer) => writer.primitive(context(number), Buffer.from([0xff])));
const keyIdentifier = sequence(
  writeDer((writer) => writer.primitive(context(0), Buffer.from('key identifier'))),
);

function extensionList(extensions: readonly Extra[]): Buffer {
  return sequence(
    ...extensions.map(({ oid, critical = false, value }) =>
      writeDer((writer) =>
        writer.sequence(() => {
          writer.oid(oid);
          if (critical) writer.raw(Buffer.from('0101ff', 'hex'));
          writer.primitive(tags.octetString, value);
        }),
      ),
    ),
  );
}

function make({
  version = 1,
  both = algorithm(oids.sha256WithRsa, nothing),
  outer = both,
  issuer = root.certificate.subject.der,
  thisUpdate = utc('260601120000Z'),
  nextUpdate = utc('260602120000Z'),
  entries,
  without,
  extensions = [],
}: Made): Buffer {
  const usual: Extra[] = [
    { oid: oids.authorityKeyIdentifier, value: keyIdentifier },
    { oid: oids.crlNumber, value: integer(1) },
  ];
  const all = [...usual.filter(({ oid }) => oid !== without), ...extensions];
  const tbs = sequence(
    ...(version === 0 ? [] : [integer(version)]),
    ...[both, issuer, thisUpdate, nextUpdate],
    ...(entries ? [sequence(...entries.map(writeEntry))] : []),
    writeDer((writer) => writer.wrap(contextConstructed(0), () => writer.raw(extensionList(all)))),
  );
  return sequence(
    tbs,
    outer,
    writeDer((writer) => writer.bitString(Buffer.alloc(8))),
  );
}

function writeEntry({ serial = Buffer.of(1), revokedAt = utc('260601000000Z'), extensions }: Entry): Buffer {
  return sequence(integer(...serial), revokedAt, ...(extensions ? [extensionList(extensions)] : []));
}

const reason = (code: number, critical = false): Made => ({
  entries: [{ extensions: [{ oid: oids.crlReason, critical, value: enumerated(code) }] }],
});
const delta: Extra = { oid: oids.deltaCrlIndicator, critical: true, value: integer(1) };
const point = (...parts: Buffer[]): Extra => ({
  oid: oids.issuingDistributionPoint,
  critical: true,
  value: sequence(...parts),
});
const instead = (oid: string, value: Buffer, critical = false): Made => ({
  without: oid,
  extensions: [{ oid, critical, value }],
});
const unknown: Extra = { oid: '1.2.3', critical: true, value: nothing };

/** For every rule what breaks it, and what else that breaks. */
const made: Record<string, Made & { also?: string[] }> = {
  e_crl_version_not_2: { version: 0 },
  e_crl_sig_alg_not_match_tbs_sig_alg: { outer: algorithm(oids.sha512WithRsa, nothing) },
  e_crl_sigalgo_missing_null_params: { both: algorithm(oids.sha256WithRsa) },
  e_crl_issuer_field_empty: { issuer: sequence() },
  e_crl_has_next_update: { nextUpdate: Buffer.alloc(0) },
  e_crl_next_update_not_after_this_update: { nextUpdate: utc('260601120000Z') },
  e_crl_wrong_time_format_pre2050: { nextUpdate: generalized('20260602120000Z') },
  e_crl_utc_time_does_not_include_seconds: { thisUpdate: utc('2606011200Z') },
  e_crl_utc_time_not_in_zulu: { entries: [{ revokedAt: utc('260601000000+0000') }] },
  e_crl_generalized_time_does_not_include_seconds: { nextUpdate: generalized('205606021200Z') },
  e_crl_generalized_time_includes_fraction_seconds: { nextUpdate: generalized('20560602120000.5Z') },
  e_crl_generalized_time_not_in_zulu: { nextUpdate: generalized('20560602120000+0000') },
  e_crl_no_duplicate_extensions: {
    extensions: [
      { ...unknown, critical: false },
      { ...unknown, critical: false },
    ],
  },
  w_crl_unknown_critical_extension: { extensions: [unknown] },
  e_crl_has_authority_key_identifier: { without: oids.authorityKeyIdentifier },
  e_crl_authority_key_identifier_no_key_identifier: instead(oids.authorityKeyIdentifier, sequence()),
  e_crl_authority_key_identifier_critical: instead(oids.authorityKeyIdentifier, keyIdentifier, true),
  e_crl_missing_crl_number: { without: oids.crlNumber },
  e_crl_number_critical: instead(oids.crlNumber, integer(1), true),
  e_crl_number_out_of_range: instead(oids.crlNumber, integer(...Buffer.alloc(21, 1))),
  e_crl_delta_indicator_not_critical: { extensions: [{ ...delta, critical: false }] },
  e_crl_issuing_distribution_point_not_critical: { extensions: [{ ...point(flag(1)), critical: false }] },
  e_crl_issuing_distribution_point_empty: { extensions: [point()] },
  e_crl_issuing_distribution_point_contradictory: { extensions: [point(flag(1), flag(2))] },
  w_crl_issuer_alt_name_critical: {
    extensions: [{ oid: oids.issuerAltName, critical: true, value: sequence() }],
  },
  e_crl_freshest_crl_critical: {
    extensions: [{ oid: oids.freshestCrl, critical: true, value: sequence() }],
  },
  e_crl_freshest_crl_in_delta: { extensions: [delta, { oid: oids.freshestCrl, value: sequence() }] },
  e_crl_empty_revoked_certificates: {
    entries: [],
    also: ['e_crl_revoked_certificates_field_must_be_empty'],
  },
  e_crl_revoked_certificates_field_must_be_empty: {
    entries: [],
    also: ['e_crl_empty_revoked_certificates'],
  },
  e_crl_serial_number_not_positive: { entries: [{ serial: Buffer.of(0x80) }] },
  e_crl_serial_number_longer_than_20_octets: { entries: [{ serial: Buffer.alloc(21, 1) }] },
  e_crl_unique_revoked_certificate: { entries: [{}, {}] },
  e_crl_revocation_time_after_this_update: { entries: [{ revokedAt: utc('260601120001Z') }] },
  e_crl_revocation_date_too_early: { entries: [{ revokedAt: utc('981231235959Z') }] },
  e_crl_revoked_certificate_crl_entry_has_no_duplicate_extensions: {
    entries: [{ extensions: [...reason(1).entries![0]!.extensions!, ...reason(1).entries![0]!.extensions!] }],
  },
  w_crl_entry_unknown_critical_extension: { entries: [{ extensions: [unknown] }] },
  e_crl_has_valid_reason_code: reason(7),
  w_crl_reason_code_unspecified: reason(0),
  e_crl_remove_from_crl_in_complete_crl: reason(8),
  e_crl_reason_code_critical: reason(1, true),
  e_crl_invalidity_date_critical: {
    entries: [
      { extensions: [{ oid: oids.invalidityDate, critical: true, value: generalized('20260601000000Z') }] },
    ],
  },
  e_crl_certificate_issuer_not_critical: {
    entries: [{ extensions: [{ oid: oids.certificateIssuer, value: sequence() }] }],
  },
};

test('rules are named once, after their severity, and each has what breaks it', () => {
  const all = crlRules.map(({ name }) => name);
  expect(new Set(all).size).toBe(all.length);
  expect(all).toEqual(all.toSorted());
  expect(all.filter((name) => !/^[ew]_crl_[a-z0-9_]+$/.test(name))).toEqual([]);
  expect(Object.keys(made).toSorted()).toEqual(all);
});

test.each<Made>([
  {},
  { entries: [{}, { serial: Buffer.of(0, 0x80), revokedAt: utc('260601120000Z') }] },
  { ...reason(1), extensions: [delta, point(flag(1))] },
  { ...reason(8), extensions: [delta] },
  instead(oids.crlNumber, integer(0x7f, ...Buffer.alloc(19, 0xff))),
  { nextUpdate: generalized('20560602120000Z') },
  // Two issuers may have given out the same serial number.
  {
    entries: [{}, { extensions: [{ oid: oids.certificateIssuer, critical: true, value: sequence() }] }],
  },
])('a CRL in good order breaks none: %#', (parts) => {
  expect(names(make(parts))).toEqual([]);
});

test.each(Object.entries(made))('%s', (name, { also = [], ...parts }) => {
  expect(names(make(parts)).toSorted()).toEqual([name, ...also].toSorted());
});

const signed = await buildCrl(
  {
    ...{ issuer: root.certificate.subject, number: 3, deltaOf: 2 },
    ...{ thisUpdate: exampleNow, nextUpdate: exampleNow + hourMs },
    authorityKeyId: root.certificate.subjectKeyId!,
    revoked: [{ serial: Buffer.of(1), revokedAt: exampleNow, reason: 'superseded' }],
  },
  signerOf(root.key),
);

test('what is a CRL is told from what is a certificate', () => {
  expect(lint(signed)).toEqual(lintCrl(signed));
  const old = make({ version: 0 });
  expect(lint(old)).toEqual(lintCrl(old));
  expect(lint(leaf.certificate.der)).toEqual(lintCertificate(leaf.certificate.der));
});

test('whatever the bytes are, there is a result or a fault', () => {
  expect(names(signed)).toEqual([]);
  fc.assert(
    fc.property(mutations, (changes) => {
      try {
        expect(lintCrl(mutate(signed, changes))).toHaveLength(crlRules.length);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
    { numRuns: 500 },
  );
});

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const folder = resolve(repository, process.env.CAPSTAN_VECTORS ?? '../shared/vectors', 'lint');

/** ZLint's lists, and which of its rules, or of those that stand for its rules for public CAs, each breaks. */
const broken: readonly (readonly [string, ...string[]])[] = [
  [
    'crlEntrustNoRevokedCerts02.pem',
    'e_crl_empty_revoked_certificates',
    'e_crl_revoked_certificates_field_must_be_empty',
  ],
  ['crl_empty_revoked_certificates_ko.pem', 'e_crl_empty_revoked_certificates'],
  ['crlNotHaveNextUpdate.pem', 'e_crl_has_next_update'],
  ['crl_nextupdate_nup0_sub0_len0_eff0.pem', 'e_crl_has_next_update'],
  ['crlReasonCodeCrit.pem', 'e_crl_reason_code_critical'],
  ['crlWithAutkeyIDMissingKeyID.pem', 'e_crl_authority_key_identifier_no_key_identifier'],
  ['crlWithReasonCode7.pem', 'e_crl_has_valid_reason_code'],
  ['crl_no_crl_number.pem', 'e_crl_missing_crl_number'],
  ['crl_number_negative.pem', 'e_crl_number_out_of_range'],
  ['crl_number_too_large.pem', 'e_crl_number_out_of_range'],
  ['crl_revocation_date_too_early.pem', 'e_crl_revocation_date_too_early'],
  ['crl_rsa_sha224_nul0_eff1.pem', 'e_crl_sigalgo_missing_null_params'],
  ['crl_rsa_sha256_nul0_eff0.pem', 'e_crl_sigalgo_missing_null_params'],
  ['crl_rsa_sha256_nul0_eff1.pem', 'e_crl_sigalgo_missing_null_params'],
  ['crl_rsa_sha512_nul0_eff1.pem', 'e_crl_sigalgo_missing_null_params'],
];
const kept: readonly (readonly [string, string])[] = [
  ['crlHasNextUpdate.pem', 'e_crl_has_next_update'],
  ['crlWithReasonCode5.pem', 'e_crl_has_valid_reason_code'],
  ['crlWithReasonCode5.pem', 'e_crl_reason_code_critical'],
  ['crlThisUpdate20230505.pem', 'e_crl_has_authority_key_identifier'],
  [
    'crlWithAuthKeyIDContainsAuthorityCertSerialNumber.pem',
    'e_crl_authority_key_identifier_no_key_identifier',
  ],
  ['crl_ecc_sha384_nulx_effx.pem', 'e_crl_sigalgo_missing_null_params'],
  ['crl_rsa_sha224_nul1_effx.pem', 'e_crl_sigalgo_missing_null_params'],
  ['crl_no_duplicate_ext.pem', 'e_crl_no_duplicate_extensions'],
  ['crl_number_valid.pem', 'e_crl_number_out_of_range'],
  ['crl_revocation_time_before_this_update.pem', 'e_crl_revocation_time_after_this_update'],
  ['crl_revocation_time_equals_this_update.pem', 'e_crl_revocation_time_after_this_update'],
  ['crl_valid_revocation_date.pem', 'e_crl_revocation_date_too_early'],
];

describe('ZLint’s CRLs', () => {
  if (!existsSync(folder)) {
    test.skip(`${broken.length + kept.length} vectors: there are none beside this checkout`, () => {});
    return;
  }
  const results = (file: string) => {
    const [block] = decodePem(readFileSync(join(folder, file), 'latin1'));
    return new Map(lint(block!.bytes).map(({ rule, result }) => [rule.name, result]));
  };

  test.each(broken)('%s breaks %s', (file, ...rules) => {
    const all = results(file);
    for (const name of rules) expect([name, all.get(name)]).toEqual([name, severityOf({ name })]);
  });

  test.each(kept)('%s keeps to %s', (file, name) => {
    expect(results(file).get(name)).toMatch(/^(?:pass|NA)$/);
  });
});
