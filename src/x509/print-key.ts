import { algorithmName } from './algorithm-name.ts';
import { dsaKey, readDsaNumbers } from './dsa-key.ts';
import { oids } from './oid.ts';
import { type KeySpec, publicKeyAlgorithm, publicKeyBytes, readSpki, rsaNumbers } from './spki.ts';
import { hexLines, magnitude } from './text-layout.ts';

const known = new Set<string>([oids.ecPublicKey, oids.rsaEncryption, oids.ed25519]);

/** The lines under `Subject Public Key Info:`, of a supported algorithm or not. */
export function keyLines(spki: Buffer): string[] {
  const oid = publicKeyAlgorithm(spki);
  const title = '            Public Key Algorithm: ';
  if (oid === dsaKey) {
    const { p, q, g, y } = readDsaNumbers(spki);
    return [
      `${title}DSA`,
      ...numberLines('pub', y),
      ...numberLines('P', p),
      ...numberLines('Q', q),
      ...numberLines('G', g),
    ];
  }
  if (!known.has(oid)) {
    const bytes = hexLines(publicKeyBytes(spki), 15, 20);
    return [
      title + algorithmName(oid),
      '                Public-Key:',
      '                Raw Bytes:',
      ...bytes,
    ];
  }
  const spec = readSpki(spki);
  return [title + algorithmOf(spec), ...specLines(spec, publicKeyBytes(spki))];
}

function specLines(spec: KeySpec, bits: Buffer): string[] {
  switch (spec.type) {
    case 'rsa': {
      const { modulus, exponent } = rsaNumbers(bits);
      const number = exponent.readUIntBE(0, exponent.length);
      return [
        `                Public-Key: (${spec.bits} bit)`,
        ...numberLines('Modulus', modulus),
        `                Exponent: ${number} (0x${number.toString(16)})`,
      ];
    }
    case 'ec': {
      const size = (bits.length - 1) / 2;
      return [
        `                Public-Key: (${spec.curve.slice(2)} bit)`,
        ...numberLines('X', bits.subarray(1, 1 + size)),
        ...numberLines('Y', bits.subarray(1 + size)),
        `                Curve: ${spec.curve}`,
      ];
    }
    default:
      // The key's 32 bytes are called bits there, and are what follows without a heading.
      return [`                Public-Key: (${bits.length} bit)`, ...hexLines(bits, 15, 20)];
  }
}

function numberLines(name: string, number: Buffer): string[] {
  return [`                ${name}:`, ...hexLines(magnitude(number), 15, 20)];
}

function algorithmOf({ type }: KeySpec): string {
  return type === 'rsa' ? 'RSA' : type === 'ec' ? 'ECDSA' : 'Ed25519';
}

/** The key in a few words: `ECDSA P-256`, `RSA 2048`, `Ed25519 256`, `DSA 160`, or the algorithm alone. */
export function keyInWords(spki: Buffer): string {
  const oid = publicKeyAlgorithm(spki);
  if (oid === dsaKey) return `DSA ${magnitude(readDsaNumbers(spki).q).length * 8}`;
  if (!known.has(oid)) return algorithmName(oid);
  const spec = readSpki(spki);
  // Whole bytes, as Go counts a key's size.
  const size = spec.type === 'ec' ? spec.curve : spec.type === 'rsa' ? Math.ceil(spec.bits / 8) * 8 : 256;
  return `${algorithmOf(spec)} ${size}`;
}
