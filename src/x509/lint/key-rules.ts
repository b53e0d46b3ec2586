import type { KeyUsage } from '../extension.ts';
import { oids } from '../oid.ts';
import { childrenOf, readNode } from './node.ts';
import { aboutExtension, criticality, type Rule } from './rule.ts';
import { extensionOf, isCa, isSubscriber, purposesOf, type Specimen, usagesOf } from './specimen.ts';

const has = (specimen: Specimen, ...wanted: readonly KeyUsage[]) =>
  (usagesOf(specimen) ?? []).some((usage) => wanted.includes(usage));

const isRsa = ({ keyAlgorithm }: Specimen) => keyAlgorithm.oid === oids.rsaEncryption;
const isEc = ({ keyAlgorithm }: Specimen) => keyAlgorithm.oid === oids.ecPublicKey;
const hasUsages = (specimen: Specimen) => extensionOf(specimen, oids.keyUsage) !== undefined;

/** What key usages each purpose goes with (RFC 5280 section 4.2.1.12). */
const usagesOfPurpose: Readonly<Record<string, readonly KeyUsage[]>> = {
  [oids.serverAuth]: ['digital signature', 'key encipherment', 'key agreement'],
  [oids.clientAuth]: ['digital signature', 'key agreement'],
  [oids.codeSigning]: ['digital signature'],
  [oids.emailProtection]: ['digital signature', 'content commitment', 'key encipherment', 'key agreement'],
  [oids.timeStamping]: ['digital signature', 'content commitment'],
  [oids.ocspSigning]: ['digital signature', 'content commitment'],
};

/** Each usage must serve one of the purposes; a purpose that nobody has tied to usages goes with any of them. */
function isInconsistent(specimen: Specimen): boolean {
  const allowed = purposesOf(specimen)!.map((purpose) => usagesOfPurpose[purpose]);
  if (allowed.length === 0 || allowed.includes(undefined)) return false;
  return !usagesOf(specimen)!.every((usage) => allowed.some((usages) => usages!.includes(usage)));
}

/** The two numbers of an RSA key, their signs as they stand; undefined where it has none. */
function rsaNumbers({ keyBits }: Specimen): readonly [Buffer, Buffer] | undefined {
  const [modulus, exponent] = keyBits.length > 0 ? childrenOf(readNode(keyBits)) : [];
  return modulus && exponent ? [modulus.content, exponent.content] : undefined;
}

const fermatRounds = 100;

/** 16,384 bits; a larger modulus is there to take the linter's time. */
const mostModulusBytes = 2049;

/**
 * Whether a modulus falls to Fermat's method, which finds two primes that are close together: it looks for a square
 * that differs from the modulus by a square, beginning at the root.
 */
function hasClosePrimes(modulus: Buffer): boolean {
  const n = BigInt(`0x${modulus.toString('hex')}`);
  if (n % 2n === 0n) return false;
  let a = squareRoot(n);
  if (a * a < n) a += 1n;
  for (let round = 0; round < fermatRounds; round++, a += 1n) {
    const difference = a * a - n;
    const b = squareRoot(difference);
    if (b * b === difference) return true;
  }
  return false;
}

/** The whole part of the root, by Newton's method. */
function squareRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(16).length * 4 + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** Rules about the key usages and the key (RFC 5280 section 4.2.1.3, RFC 3279, RFC 5480, RFC 8813). */
export const keyRules: readonly Rule[] = [
  criticality('w_ext_key_usage_not_critical', [oids.keyUsage, 'key usage'], true),
  aboutExtension(oids.keyUsage, {
    name: 'e_ext_key_usage_without_bits',
    source: 'RFC5280',
    says: 'At least one key usage is set',
    isBrokenBy: (specimen) => usagesOf(specimen)!.length === 0,
  }),
  aboutExtension(oids.keyUsage, {
    name: 'e_ext_key_usage_cert_sign_without_ca',
    source: 'RFC5280',
    says: 'Only CAs sign certificates',
    isBrokenBy: (specimen) => has(specimen, 'cert sign') && !isCa(specimen),
  }),
  aboutExtension(oids.keyUsage, {
    name: 'e_key_usage_incorrect_length',
    source: 'RFC5280',
    says: 'There are nine key usages at most',
    isBrokenBy(specimen) {
      const { content } = readNode(extensionOf(specimen, oids.keyUsage)!.value);
      return (content.length - 1) * 8 - (content[0] ?? 0) > 9;
    },
  }),
  aboutExtension(oids.keyUsage, {
    name: 'e_incorrect_ku_encoding',
    source: 'RFC5280',
    says: 'The count of unused bits is that of the zero bits at the end',
    isBrokenBy(specimen) {
      const [unused = 0, ...bytes] = readNode(extensionOf(specimen, oids.keyUsage)!.value).content;
      const last = bytes.findLastIndex((byte) => byte !== 0);
      if (last < 0) return false;
      const zeros = 31 - Math.clz32(bytes[last]! & -bytes[last]!) + 8 * (bytes.length - 1 - last);
      return zeros !== unused;
    },
  }),
  aboutExtension(oids.keyUsage, {
    name: 'e_superfluous_ku_encoding',
    source: 'RFC5280',
    says: 'No byte without a key usage stands at the end',
    isBrokenBy: (specimen) => extensionOf(specimen, oids.keyUsage)!.value.at(-1) === 0,
  }),
  {
    name: 'e_key_usage_and_extended_key_usage_inconsistent',
    source: 'RFC5280',
    says: 'Each key usage serves one of the purposes',
    appliesTo: (specimen) => !isCa(specimen) && hasUsages(specimen) && purposesOf(specimen) !== undefined,
    isBrokenBy: isInconsistent,
  },
  aboutExtension(oids.extendedKeyUsage, {
    name: 'w_eku_critical_improperly',
    source: 'RFC5280',
    says: 'Purposes that allow any are not critical',
    isBrokenBy: (specimen) =>
      extensionOf(specimen, oids.extendedKeyUsage)!.critical &&
      purposesOf(specimen)!.includes(oids.anyExtendedKeyUsage),
  }),
  {
    name: 'e_ecdsa_allowed_ku',
    source: 'RFC8813',
    says: 'Nothing is enciphered with an elliptic-curve key',
    appliesTo: (specimen) => isEc(specimen) && hasUsages(specimen),
    isBrokenBy: (specimen) => has(specimen, 'key encipherment', 'data encipherment'),
  },
  {
    name: 'n_ecdsa_ee_invalid_ku',
    source: 'RFC5480',
    says: 'The elliptic-curve key of a leaf signs data or agrees on keys',
    appliesTo: (specimen) => isSubscriber(specimen) && isEc(specimen) && hasUsages(specimen),
    isBrokenBy: (specimen) =>
      usagesOf(specimen)!.some(
        (usage) => !['digital signature', 'content commitment', 'key agreement'].includes(usage),
      ),
  },
  {
    name: 'e_rsa_allowed_ku_ca',
    source: 'RFC3279',
    says: 'The RSA key of a CA agrees on no keys',
    appliesTo: (specimen) => isRsa(specimen) && hasUsages(specimen) && isCa(specimen),
    isBrokenBy: (specimen) => has(specimen, 'key agreement', 'encipher only', 'decipher only'),
  },
  {
    name: 'e_rsa_allowed_ku_ee',
    source: 'RFC3279',
    says: 'The RSA key of a leaf signs data or has keys enciphered to it',
    appliesTo: (specimen) => isRsa(specimen) && hasUsages(specimen) && isSubscriber(specimen),
    isBrokenBy: (specimen) =>
      has(specimen, 'key agreement', 'cert sign', 'crl sign', 'encipher only', 'decipher only'),
  },
  {
    name: 'e_rsa_allowed_ku_no_encipherment_ca',
    source: 'RFC3279',
    says: 'Nothing is enciphered with the RSA key with which a CA signs',
    appliesTo: (specimen) => isRsa(specimen) && hasUsages(specimen) && isCa(specimen),
    isBrokenBy: (specimen) =>
      has(specimen, 'cert sign', 'crl sign') && has(specimen, 'key encipherment', 'data encipherment'),
  },
  {
    name: 'e_rsa_no_public_key',
    source: 'Community',
    says: 'An RSA key has a modulus and an exponent',
    appliesTo: isRsa,
    isBrokenBy: (specimen) => rsaNumbers(specimen) === undefined,
  },
  {
    name: 'e_rsa_exp_negative',
    source: 'Community',
    says: 'The exponent of an RSA key is not negative',
    appliesTo: isRsa,
    isBrokenBy: (specimen) => (rsaNumbers(specimen)?.[1][0] ?? 0) >= 0x80,
  },
  {
    name: 'e_rsa_fermat_factorization',
    source: 'Community',
    says: 'The two primes of an RSA key are not close together',
    appliesTo(specimen) {
      const length = isRsa(specimen) ? (rsaNumbers(specimen)?.[0].length ?? 0) : 0;
      return length > 0 && length <= mostModulusBytes;
    },
    isBrokenBy: (specimen) => hasClosePrimes(rsaNumbers(specimen)![0]),
  },
];
