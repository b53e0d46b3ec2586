import { Fault } from '../base/fault.ts';
import { DerReader, readDer, readInside, tags } from './der.ts';
import { oids } from './oid.ts';

export type Curve = 'P-224' | 'P-256' | 'P-384' | 'P-521';

/** What kind of key: the curve, or the size. */
export type KeySpec =
  | { type: 'ec'; curve: Curve }
  | { type: 'rsa'; bits: number }
  | { type: 'ed25519' }
  | { type: 'mldsa'; level: MldsaLevel };

/** The parameter sets of ML-DSA (FIPS 204), by the numbers in their names. */
export type MldsaLevel = 44 | 65 | 87;

/** `bytes`: of a public key (RFC 9881). */
export const mldsa: Readonly<Record<MldsaLevel, { oid: string; bytes: number; signatureBytes: number }>> = {
  44: { oid: oids.mldsa44, bytes: 1_312, signatureBytes: 2_420 },
  65: { oid: oids.mldsa65, bytes: 1_952, signatureBytes: 3_309 },
  87: { oid: oids.mldsa87, bytes: 2_592, signatureBytes: 4_627 },
};

export const mldsaLevels: readonly MldsaLevel[] = [44, 65, 87];

export const curves: Readonly<Record<Curve, { oid: string; bits: number; opensslName: string }>> = {
  'P-224': { oid: oids.p224, bits: 224, opensslName: 'secp224r1' },
  'P-256': { oid: oids.p256, bits: 256, opensslName: 'prime256v1' },
  'P-384': { oid: oids.p384, bits: 384, opensslName: 'secp384r1' },
  'P-521': { oid: oids.p521, bits: 521, opensslName: 'secp521r1' },
};

const curveOfOid = new Map(Object.entries(curves).map(([curve, { oid }]) => [oid, curve as Curve]));

/** Largest RSA modulus accepted: verifying with a larger one is an attack on the verifier's time. */
const mostRsaBits = 16_384;

/** In the words of the field: `P-256`, `RSA 2048`, `Ed25519`, `ML-DSA-65`. */
export function formatKeySpec(spec: KeySpec): string {
  if (spec.type === 'ec') return spec.curve;
  if (spec.type === 'mldsa') return `ML-DSA-${spec.level}`;
  return spec.type === 'rsa' ? `RSA ${spec.bits}` : 'Ed25519';
}

export interface RsaNumbers {
  /** Big-endian, without leading zeros. */
  modulus: Buffer;
  exponent: Buffer;
}

/**
 * What kind of key a SubjectPublicKeyInfo holds (RFC 3279, 5480, 8410, 9881). Points must be uncompressed, numbers
 * positive; whether a point is on its curve is left to the import.
 *
 * @throws Fault `x509.der.*`, `x509.key.unsupported`, `x509.key.malformed`.
 */
export function readSpki(spki: Buffer): KeySpec {
  return readDer(spki, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      const algorithm = readInside(inner, tags.sequence, readAlgorithm);
      const bits = inner.bitStringBytes();
      if (algorithm.type === 'rsa') return { type: 'rsa', bits: rsaBitLength(rsaNumbers(bits)) };
      const size = keyBytes(algorithm);
      if (bits.length !== size || (algorithm.type === 'ec' && bits[0] !== 4)) {
        throw malformed(
          `the ${formatKeySpec(algorithm)} public key is not ${size} bytes of the uncompressed form`,
        );
      }
      return algorithm;
    }),
  );
}

/** How long a public key is, RSA's left out. */
function keyBytes(spec: Exclude<KeySpec, { type: 'rsa' }>): number {
  if (spec.type === 'ec') return 1 + 2 * Math.ceil(curves[spec.curve].bits / 8);
  return spec.type === 'mldsa' ? mldsa[spec.level].bytes : 32;
}

function readAlgorithm(reader: DerReader): KeySpec {
  const oid = reader.oid();
  const level = mldsaLevels.find((one) => mldsa[one].oid === oid);
  if (level) return { type: 'mldsa', level };
  switch (oid) {
    case oids.ecPublicKey: {
      const curveOid = reader.oid();
      const curve = curveOfOid.get(curveOid);
      if (!curve) throw unsupported(`elliptic curve ${curveOid}`);
      return { type: 'ec', curve };
    }
    case oids.rsaEncryption:
      reader.null();
      return { type: 'rsa', bits: 0 };
    case oids.ed25519:
      return { type: 'ed25519' };
    default:
      throw unsupported(`public keys of algorithm ${oid}`);
  }
}

/** The two numbers of an RSA public key (RFC 8017 appendix A.1.1). */
export function rsaNumbers(bits: Buffer): RsaNumbers {
  return readDer(bits, (reader) =>
    readInside(reader, tags.sequence, (inner) => ({
      modulus: positive(inner.integer()),
      exponent: positive(inner.integer()),
    })),
  );
}

function positive(content: Buffer): Buffer {
  if (content[0]! >= 0x80) throw malformed('a number of the RSA public key is negative');
  return content[0] === 0 ? content.subarray(1) : content;
}

function rsaBitLength({ modulus, exponent }: RsaNumbers): number {
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  if (modulus.length === 0 || bits > mostRsaBits || exponent.length === 0 || exponent.length > 4) {
    throw malformed('the RSA public key has a modulus or an exponent of a size that is not accepted');
  }
  return bits;
}

/** The bits of a public key: a point, RSA's two numbers, or 32 bytes. */
export function publicKeyBytes(spki: Buffer): Buffer {
  return readDer(spki, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      inner.element(tags.sequence);
      return inner.bitStringBytes();
    }),
  );
}

/** The algorithm of a public key of any kind, known or not, dotted. */
export function publicKeyAlgorithm(spki: Buffer): string {
  return new DerReader(spki).enter(tags.sequence).enter(tags.sequence).oid();
}

function unsupported(what: string): Fault {
  return new Fault(`${what} are not supported`, { code: 'x509.key.unsupported', blame: 'caller' });
}

function malformed(message: string): Fault {
  return new Fault(message, { code: 'x509.key.malformed', blame: 'caller' });
}
