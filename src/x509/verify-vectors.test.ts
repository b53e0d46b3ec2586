import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import { readCertificates } from './certificate.ts';
import { type Verdict, verifyChain } from './verify.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = resolve(repository, process.env.CAPSTAN_VECTORS ?? '../shared/vectors');
const absent = !existsSync(folder);
const json = <T>(file: string) =>
  JSON.parse(absent ? '{}' : readFileSync(join(folder, file), 'utf8')) as Partial<T>;

/** A certificate that cannot be read is refused as surely as one that does not verify. */
function verdictOf(verify: () => Verdict): boolean {
  try {
    return verify().valid;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

interface LimboCase {
  id: string;
  validation_kind: 'CLIENT' | 'SERVER';
  trusted_certs: string[];
  untrusted_intermediates: string[];
  peer_certificate: string;
  validation_time: string | null;
  expected_peer_name: { value: string } | null;
  expected_result: 'SUCCESS' | 'FAILURE';
}

/** Cases that come out otherwise here, by what they ask for. */
const otherwise: Readonly<Record<string, readonly string[]>> = {
  'a limit of depth that the caller sets': [
    'pathlen::max-chain-depth-0-exhausted',
    'pathlen::max-chain-depth-1-exhausted',
  ],
  'that extensions which only help to find an issuer are there, complete and not critical': [
    'rfc5280::aki::critical-aki',
    'rfc5280::aki::cross-signed-root-missing-aki',
    'rfc5280::aki::intermediate-missing-aki',
    'rfc5280::aki::leaf-missing-aki',
    'rfc5280::ski::critical-ski',
    'rfc5280::ski::intermediate-missing-ski',
    'rfc5280::ski::root-missing-ski',
    'webpki::aki::root-with-aki-all-fields',
    'webpki::aki::root-with-aki-authoritycertissuer',
    'webpki::aki::root-with-aki-authoritycertserialnumber',
    'webpki::aki::root-with-aki-missing-keyidentifier',
    'webpki::aki::root-with-aki-ski-mismatch',
  ],
  'forms that CAs must keep to, and that take nothing from what is proven': [
    'rfc5280::ca-empty-subject',
    'rfc5280::ee-critical-aia-invalid',
    'rfc5280::ee-empty-issuer',
    'rfc5280::leaf-ku-keycertsign',
    'rfc5280::nc::permitted-dns-match-noncritical',
    'rfc5280::root-non-critical-basic-constraints',
    'rfc5280::san::noncritical-with-empty-subject',
    'rfc5280::serial::negative',
    'rfc5280::serial::zero',
    'webpki::malformed-aia',
    'webpki::san::san-critical-with-nonempty-subject',
  ],
  'what browsers ask of public CAs and private meshes do not keep to': [
    'webpki::ee-basicconstraints-ca',
    'webpki::eku::ee-anyeku',
    'webpki::eku::ee-critical-eku',
    'webpki::eku::ee-without-eku',
    'webpki::eku::root-has-eku',
    'webpki::san::public-suffix-wildcard-san',
  ],
  'a host in the common name, which RFC 9525 has done away with': ['rfc5280::nc::permitted-dn-match'],
};

const limbo = json<{ testcases: LimboCase[] }>('x509-limbo/limbo.json').testcases ?? [];
const differing = new Set(Object.values(otherwise).flat());

describe('x509-limbo by the defaults, which are those of a private mesh', () => {
  if (absent) test.skip('135 cases: there are no vectors beside this checkout', () => {});

  test.each(limbo)('$id', (limboCase) => {
    const { id, validation_kind, validation_time, expected_peer_name, expected_result } = limboCase;
    const verify = () => {
      const [leaf] = readCertificates(limboCase.peer_certificate);
      return verifyChain(leaf!, {
        roots: limboCase.trusted_certs.flatMap(readCertificates),
        intermediates: limboCase.untrusted_intermediates.flatMap(readCertificates),
        // Cases without a time are valid for decades around this one.
        at: validation_time === null ? Date.UTC(2026, 0, 1) : Date.parse(validation_time),
        usage: validation_kind === 'CLIENT' ? 'client auth' : 'server auth',
        ...(expected_peer_name ? { dnsName: expected_peer_name.value } : {}),
      });
    };
    expect(verdictOf(verify)).toBe((expected_result === 'SUCCESS') !== differing.has(id));
  });
});
