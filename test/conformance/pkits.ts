import { readdirSync, readFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { type Certificate, readCertificate } from '../../src/x509/certificate.ts';
import { readCrl } from '../../src/x509/crl.ts';
import { oids } from '../../src/x509/oid.ts';
import { verifyChain } from '../../src/x509/verify.ts';
import { type ConformanceSet, validityDifference, verdictOf } from './vectors.ts';

interface PkitsTest {
  suite: string;
  name: string;
  /** The anchor first, the leaf last. */
  certs: [string, ...string[]];
  crls: string[];
  should_validate: boolean;
  SetInitialExplicitPolicy?: string;
  SetInitialPolicyMappingInhibit?: string;
  SetInitialInhibitAnyPolicy?: string;
  SetInitialPolicySet?: [string];
  SetUserConstrainedPolicySet?: [string];
}

/** When BoringSSL, whose expectations these are, judges them. */
const at = Date.UTC(2011, 3, 15);

/** NIST's Public Key Interoperability Test Suite, with revocation and the policy inputs of each case. */
export const pkits: ConformanceSet = {
  name: 'pkits',
  size: 249,
  exempt: {},
  cases(folder) {
    const { tests } = JSON.parse(readFileSync(join(folder, 'pkits/pkits.json'), 'utf8')) as {
      tests: PkitsTest[];
    };
    const certificates = load(join(folder, 'pkits/certs'));
    const lists = load(join(folder, 'pkits/crls'));
    return tests.map((pkitsTest) => ({
      id: `${pkitsTest.suite}.${pkitsTest.name}`,
      difference: () => difference(pkitsTest, certificates, lists),
    }));
  },
};

function load(folder: string): ReadonlyMap<string, Buffer> {
  return new Map(readdirSync(folder).map((file) => [parse(file).name, readFileSync(join(folder, file))]));
}

function difference(
  pkitsTest: PkitsTest,
  certificates: ReadonlyMap<string, Buffer>,
  lists: ReadonlyMap<string, Buffer>,
): string | undefined {
  const verdict = verdictOf(() => {
    const [root, ...rest] = pkitsTest.certs.map(
      (name): Certificate => readCertificate(certificates.get(name)!),
    );
    const acceptable = policies(pkitsTest.SetInitialPolicySet);
    return verifyChain(rest.pop()!, {
      roots: [root!],
      intermediates: rest,
      at,
      revocationLists: pkitsTest.crls.map((name) => readCrl(lists.get(name)!)),
      legacyAlgorithms: ['DSA'],
      policies: {
        ...(acceptable ? { acceptable } : {}),
        requireExplicitPolicy: pkitsTest.SetInitialExplicitPolicy === 'true',
        inhibitPolicyMapping: pkitsTest.SetInitialPolicyMappingInhibit === 'true',
        inhibitAnyPolicy: pkitsTest.SetInitialInhibitAnyPolicy === 'true',
      },
    });
  });
  const wrong = validityDifference(verdict, pkitsTest.should_validate);
  const expected = policies(pkitsTest.SetUserConstrainedPolicySet);
  if (wrong !== undefined || !verdict.valid || !expected) return wrong;
  const found = [...verdict.policies].toSorted().join();
  return found === expected.toSorted().join() ? undefined : `holds under the policies ${found || 'none'}`;
}

/** `NIST-test-policy-1,anyPolicy` as object identifiers. */
function policies(given: [string] | undefined): string[] | undefined {
  return given?.[0]
    .split(',')
    .filter((name) => name !== '')
    .map((name) =>
      name === 'anyPolicy' ? oids.anyPolicy : name.replace('NIST-test-policy-', '2.16.840.1.101.3.2.1.48.'),
    );
}
