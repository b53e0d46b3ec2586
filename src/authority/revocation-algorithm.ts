import type { Certificate } from '../x509/certificate.ts';
import type { KeySpec } from '../x509/key.ts';
import { type Signer, type SigningKey, signatureAlgorithm, signerOf } from '../x509/signature.ts';
import type { SignatureHash } from './ca-issuing.ts';
import type { Issuer } from './issuer.ts';
import { refused } from './refused.ts';

interface Algorithm {
  name: string;
  keyType: KeySpec['type'];
  /** Undefined for keys that hash by themselves. */
  hash: SignatureHash | undefined;
  pss: boolean;
}

const hashes = ['SHA-256', 'SHA-384', 'SHA-512'] as const;

/** What an issuer may sign its CRLs with, as Go's crypto/x509 names it. */
const algorithms: readonly Algorithm[] = [
  ...hashes.flatMap((hash): Algorithm[] => {
    const short = hash.replace('-', '');
    return [
      { name: `${short}WithRSA`, keyType: 'rsa', hash, pss: false },
      { name: `${short}WithRSAPSS`, keyType: 'rsa', hash, pss: true },
      { name: `ECDSAWith${short}`, keyType: 'ec', hash, pss: false },
    ];
  }),
  { name: 'Ed25519', keyType: 'ed25519', hash: undefined, pss: false },
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
  const pss = made?.padding === 'PSS';
  const found = algorithms.find(
    (one) => one.keyType === made?.keyType && one.hash === made.hash && one.pss === pss,
  );
  return found?.name ?? '';
}

/** What signs an issuer's CRLs with its key. */
export function revocationSigner({ revocationAlgorithm }: Issuer, key: SigningKey): Signer {
  const found = algorithms.find(({ name }) => name === revocationAlgorithm);
  return found?.pss ? signerOf(key, found.hash, 'PSS') : signerOf(key, found?.hash);
}
