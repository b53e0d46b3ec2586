import { Fault } from '../base/fault.ts';
import { type KeySpec, type PrivateKey, writePrivateKey } from '../x509/key.ts';
import type { CertificateSpec } from './kinds.ts';

const curves = { 256: 'P-256', 384: 'P-384', 521: 'P-521' } as const;
const rsaBits = { least: 2_048, most: 8_192 };

/**
 * The kind of key that a Certificate asks for; RSA of 2048 bits where it does not say.
 *
 * @throws Fault `certmanager.key.size`, `certmanager.key.algorithm`
 */
export function keySpecFor({ privateKey = {} }: CertificateSpec): KeySpec {
  const { algorithm = 'RSA', size } = privateKey;
  switch (algorithm) {
    case 'RSA': {
      const bits = size || rsaBits.least;
      if (bits < rsaBits.least || bits > rsaBits.most) {
        throw sizeFault(algorithm, bits, `choose ${rsaBits.least} to ${rsaBits.most}`);
      }
      return { type: 'rsa', bits };
    }
    case 'ECDSA': {
      const curve = curves[(size || 256) as keyof typeof curves];
      if (curve === undefined) throw sizeFault(algorithm, size, 'choose 256, 384 or 521');
      return { type: 'ec', curve };
    }
    case 'Ed25519':
      return { type: 'ed25519' };
    default:
      throw new Fault(`spec.privateKey.algorithm ${JSON.stringify(algorithm)} is not known`, {
        code: 'certmanager.key.algorithm',
        blame: 'caller',
        fix: 'choose RSA, ECDSA or Ed25519',
      });
  }
}

function sizeFault(algorithm: string, size: number | undefined, fix: string): Fault {
  return new Fault(`spec.privateKey.size ${size} is not possible for ${algorithm}`, {
    code: 'certmanager.key.size',
    blame: 'caller',
    fix,
  });
}

/** The fields of `spec` that a key does not fulfil. */
export function keyMismatches(key: KeySpec, spec: CertificateSpec): string[] {
  const wanted = keySpecFor(spec);
  if (key.type !== wanted.type) return ['spec.privateKey.algorithm'];
  const sized =
    (key.type === 'rsa' && wanted.type === 'rsa' && key.bits !== wanted.bits) ||
    (key.type === 'ec' && wanted.type === 'ec' && key.curve !== wanted.curve);
  return sized ? ['spec.privateKey.size'] : [];
}

/** tls.key as the Certificate wants it. PKCS1 means the algorithm's own form, which Ed25519 does not have. */
export function encodePrivateKey(key: PrivateKey, { privateKey }: CertificateSpec): string {
  const traditional = (privateKey?.encoding ?? 'PKCS1') === 'PKCS1' && key.spec.type !== 'ed25519';
  return writePrivateKey(key, traditional ? 'traditional' : 'pkcs8');
}
