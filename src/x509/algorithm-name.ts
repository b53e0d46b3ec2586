import { oids } from './oid.ts';
import { algorithmOid, signatureAlgorithm } from './signature.ts';

/** Algorithms beyond those that this room verifies, by the names that Go and step print. */
const names: Readonly<Record<string, string>> = {
  [oids.md5WithRsa]: 'MD5-RSA',
  '1.3.14.3.2.29': 'SHA1-RSA',
  '1.2.840.10040.4.3': 'DSA-SHA1',
  '2.16.840.1.101.3.4.3.2': 'DSA-SHA256',
  ...family('2.16.840.1.101.3.4.3', 17, ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']),
  ...family('2.16.840.1.101.3.4.3', 20, slhDsa('SLH-DSA')),
  ...family('2.16.840.1.101.3.4.3', 32, ['HashML-DSA-44', 'HashML-DSA-65', 'HashML-DSA-87']),
  ...family('2.16.840.1.101.3.4.3', 35, slhDsa('HashSLH-DSA')),
};

/** Algorithms in one arc whose last components count up from `first`. */
function family(arc: string, first: number, members: readonly string[]): Record<string, string> {
  return Object.fromEntries(members.map((name, index) => [`${arc}.${first + index}`, name]));
}

/** FIPS 205's twelve parameter sets, in the order of their identifiers. */
function slhDsa(prefix: string): string[] {
  const sizes = ['128s', '128f', '192s', '192f', '256s', '256f'];
  return ['SHA2', 'SHAKE'].flatMap((hash) => sizes.map((size) => `${prefix}-${hash}-${size}`));
}

/** The name of an algorithm by its identifier, or the identifier itself. */
export function algorithmName(oid: string): string {
  return names[oid] ?? oid;
}

/** What a signature's AlgorithmIdentifier (DER) is called: `ECDSA-SHA256`, `SHA256-RSA`, or its identifier. */
export function signatureAlgorithmName(algorithm: Buffer): string {
  return signatureAlgorithm(algorithm)?.name ?? algorithmName(algorithmOid(algorithm));
}
