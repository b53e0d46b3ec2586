import { signatureAlgorithmName } from './algorithm-name.ts';
import { curveParameters } from './curve-parameters.ts';
import { dsaKey, readDsaNumbers } from './dsa-key.ts';
import { oids } from './oid.ts';
import { algorithmOid } from './signature.ts';
import { type Curve, curves, publicKeyAlgorithm, publicKeyBytes, readSpki, rsaNumbers } from './spki.ts';
import { magnitude } from './text-layout.ts';

const algorithmNames: Readonly<Record<string, string>> = {
  [oids.rsaEncryption]: 'RSA',
  [dsaKey]: 'DSA',
  [oids.ecPublicKey]: 'ECDSA',
  [oids.ed25519]: 'Ed25519',
  '1.3.101.110': 'X25519',
};

/** The kind of a public key as zcrypto names it. */
export function keyAlgorithmJson(spki: Buffer): { name: string } {
  return { name: algorithmNames[publicKeyAlgorithm(spki)] ?? 'unknown_algorithm' };
}

/** A signature's algorithm. zcrypto finds its identifier by its name, and of several the last. */
export function algorithmJson(algorithm: Buffer): { name: string; oid: string } {
  const oid = algorithmOid(algorithm);
  return {
    name: signatureAlgorithmName(algorithm),
    oid: oid === oids.sha1WithRsa ? '1.3.14.3.2.29' : oid,
  };
}

/** A public key as zcrypto writes it, numbers in base64; of an Ed25519 key only the kind. */
export function keyJson(spki: Buffer): Record<string, unknown> {
  const key_algorithm = keyAlgorithmJson(spki);
  const bits = publicKeyBytes(spki);
  switch (key_algorithm.name) {
    case 'RSA':
      return { key_algorithm, rsa_public_key: rsaJson(bits) };
    case 'DSA':
      return { key_algorithm, dsa_public_key: dsaJson(spki) };
    case 'ECDSA': {
      const spec = readSpki(spki);
      return spec.type === 'ec'
        ? { key_algorithm, ecdsa_public_key: ecJson(spec.curve, bits) }
        : { key_algorithm };
    }
    default:
      return { key_algorithm };
  }
}

function rsaJson(bits: Buffer) {
  const { modulus, exponent } = rsaNumbers(bits);
  return {
    exponent: exponent.readUIntBE(0, exponent.length),
    modulus: modulus.toString('base64'),
    length: modulus.length * 8,
  };
}

function dsaJson(spki: Buffer) {
  const { g, p, q, y } = readDsaNumbers(spki);
  return { g: base64(g), p: base64(p), q: base64(q), y: base64(y) };
}

function ecJson(curve: Curve, point: Buffer) {
  const { b, gx, gy, n, p } = curveParameters[curve];
  const size = (point.length - 1) / 2;
  const parameter = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
  return {
    b: parameter(b),
    curve,
    gx: parameter(gx),
    gy: parameter(gy),
    length: curves[curve].bits,
    n: parameter(n),
    p: parameter(p),
    pub: point.toString('base64'),
    x: base64(point.subarray(1, 1 + size)),
    y: base64(point.subarray(1 + size)),
  };
}

function base64(number: Buffer): string {
  return magnitude(number).toString('base64');
}
