import type { Certificate } from '../x509/certificate.ts';
import type { KeySpec } from '../x509/key.ts';
import { signatureAlgorithm } from '../x509/signature.ts';
import type { SignatureHash } from './ca-issuing.ts';
import type { Issuer } from './issuer.ts';
import { refused } from './refused.ts';

interface Algorithm {
  name: string;
  keyType: KeySpec['type'];
  /** Undefined for keys that hash by themselves. */
  hash: SignatureHash | undefined;
}

const hashes = ['SHA-256', 'SHA-384', 'SHA-512'] as const;

/** What an issuer may sign its CRLs with, as Go's crypto/x509 names it. */
const algorithms: readonly Algorithm[] = [
  ...hashes.map((hash) => ({ name: `${hash.replace('-', '')}WithRSA`, keyType: 'rsa' as const, hash })),
  ...hashes.map((hash) => ({ name: `ECDSAWith${hash.replace('-', '')}`, keyType: 'ec' as const, hash })),
  { name: 'Ed25519', keyType: 'ed25519', hash: undefined },
];

/**
 * The name of an algorithm that the key of `certificate` can sign with; empty for what goes with the key.
 *
 * @throws Fault `authority.issuer.algorithm`
 */
export function checkedRevocationAlgorithm(name: string, certificate: Certificate): string {
  if (name === '') return '';
  const wanted = name.toLowerCase().replace(/^pure/, '');
  const found = algorithms.find((algorithm) => algorithm.name.toLowerCase() === wanted);
  if (!found) {
    const known = algorithms.map((algorithm) => algorithm.name).join(', ');
    throw refused(
      'issuer.algorithm',
      `Unknown signature algorithm value: ${name} - valid values are ${known}`,
    );
  }
  const { type } = certificate.publicKey.spec;
  if (found.keyType === type) return found.name;
  throw refused(
    'issuer.algorithm',
    `unable to use issuer of type ${type} to sign with ${found.name} key type`,
  );
}

/** What a root was signed with: its CRLs are signed likewise. Empty where it cannot be chosen. */
export function rootsOwnAlgorithm({ signatureAlgorithm: identifier }: Certificate): string {
  const made = signatureAlgorithm(identifier);
  if (!made || made.padding === 'PSS') return '';
  return algorithms.find(({ keyType, hash }) => keyType === made.keyType && hash === made.hash)?.name ?? '';
}

/** The hash that an issuer's CRLs are signed with; undefined for what goes with its key. */
export function revocationHash({ revocationAlgorithm }: Issuer): SignatureHash | undefined {
  return algorithms.find(({ name }) => name === revocationAlgorithm)?.hash;
}
