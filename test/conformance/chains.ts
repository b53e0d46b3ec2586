import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readCertificates } from '../../src/x509/certificate.ts';
import { type Verdict, type VerifyOptions, verifyChain } from '../../src/x509/verify.ts';
import { type ConformanceSet, validityDifference, verdictOf } from './vectors.ts';

/** When the test data's default time is. */
const defaultTime = Date.UTC(2021, 9, 5, 12);

type Purpose = Pick<VerifyOptions, 'usage' | 'usageRules'>;

const purposes: Readonly<Record<string, Purpose>> = {
  ANY_EKU: {},
  SERVER_AUTH: { usage: 'server auth' },
  SERVER_AUTH_STRICT: { usage: 'server auth', usageRules: 'path' },
  SERVER_AUTH_STRICT_LEAF: { usage: 'server auth', usageRules: 'leaf' },
  CLIENT_AUTH: { usage: 'client auth' },
  CLIENT_AUTH_STRICT: { usage: 'client auth', usageRules: 'path' },
  CLIENT_AUTH_STRICT_LEAF: { usage: 'client auth', usageRules: 'leaf' },
  MLS_CLIENT_AUTH: { usage: 'rcs mls client' },
  C2PA_MANIFEST: { usage: 'c2pa manifest' },
  C2PA_TIMESTAMPING: { usage: 'c2pa time stamping' },
};

/** BoringSSL's test chains: an anchor of some kind of trust, a purpose, and the errors they must have. */
export const chains: ConformanceSet = {
  name: 'chains',
  size: 197,
  exempt: {
    'chains/many-names/ok-all-types.test':
      'the leaf has t171.test to t340.test, its CA permits t0.test to t170.test only (RFC 5280 section 4.2.1.10); ' +
      "BoringSSL's own tests leave the case out",
  },
  cases: (folder) =>
    globSync('chains/*/*.test', { cwd: folder })
      .toSorted()
      .map((file) => ({ id: file, difference: () => difference(join(folder, file)) })),
};

function difference(file: string): string | undefined {
  const [head = '', errors = ''] = readFileSync(file, 'utf8').split('expected_errors:');
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(head)?.[1];
  const pem = readFileSync(join(dirname(file), field('chain')!), 'utf8');
  const verdict = verdictOf(() => verify(pem, field));
  const wrong = validityDifference(verdict, !errors.includes('ERROR:'));
  const expected = field('expected_user_constrained_policy_set')?.split(', ').toSorted().join();
  if (wrong !== undefined || !verdict.valid || expected === undefined) return wrong;
  const found = [...verdict.policies].toSorted().join();
  return found === expected ? undefined : `holds under the policies ${found || 'none'}`;
}

function verify(pem: string, field: (name: string) => string | undefined): Verdict {
  const [leaf, ...above] = readCertificates(pem);
  const last = above.at(-1) ?? leaf!;
  const trust = field('last_cert_trust')!;
  const asLeaf = trust.includes('LEAF');
  const asAnchor = trust.startsWith('TRUSTED_ANCHOR');
  const trusted = above.length === 0 ? asLeaf || asAnchor : asAnchor || trust === 'DISTRUSTED';
  return verifyChain(leaf!, {
    roots: trusted ? [last] : [],
    intermediates: above,
    at: readTime(field('utc_time')!),
    ...purposes[field('key_purpose')!]!,
    anchorRules: {
      dates: asLeaf || trust.includes('EXPIRATION'),
      limits: asLeaf || trust.replace('REQUIRE_BASIC_CONSTRAINTS', '').includes('CONSTRAINTS'),
      mustSayCa: trust.includes('REQUIRE_BASIC_CONSTRAINTS'),
    },
    leafMayBeAnchor: trust.endsWith('SELF_SIGNED') ? 'self-signed' : asLeaf ? 'always' : 'never',
    distrusted: trust === 'DISTRUSTED' ? [last] : [],
    legacyAlgorithms: field('digest_policy') === 'STRONG' ? [] : ['SHA-1'],
  });
}

/** UTCTime. */
function readTime(text: string): number {
  if (text === 'DEFAULT') return defaultTime;
  const [year, month, ...rest] = text.match(/\d\d/g)!.map(Number);
  const [day, hour, minute, second] = rest;
  return Date.UTC(2000 + year!, month! - 1, day, hour, minute, second);
}
