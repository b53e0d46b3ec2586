import { Fault } from '../base/fault.ts';
import type { Curve, KeySpec, MldsaLevel } from '../x509/key.ts';
import type { CertificateRequest } from '../x509/request.ts';
import { type NewHash, type Signer, type SigningKey, signerOf } from '../x509/signature.ts';
import { refused } from './refused.ts';
import { type Role, settleKey } from './role.ts';

const curveOfBits: Readonly<Record<number, Curve>> = {
  224: 'P-224',
  256: 'P-256',
  384: 'P-384',
  521: 'P-521',
};
const bitsOfCurve: Readonly<Record<Curve, number>> = {
  'P-224': 224,
  'P-256': 256,
  'P-384': 384,
  'P-521': 521,
};
const hashOfBits: Readonly<Record<number, NewHash>> = { 256: 'SHA-256', 384: 'SHA-384', 512: 'SHA-512' };

/** Whatever a role says of sizes, no less than this. */
const rsaMinimumBits = 2_048;

/**
 * Holds the key of a request against what the role asks for.
 *
 * @throws Fault `authority.request.key` in Vault's words
 */
export function checkLeafKey(csr: CertificateRequest, role: Role): void {
  const spec = specOf(csr);
  if (role.key_type !== 'any' && spec.type !== role.key_type) {
    throw refused('request.key', `role requires keys of type ${role.key_type}`);
  }
  if (spec.type === 'ed25519') return;
  const bits = spec.type === 'rsa' ? spec.bits : spec.type === 'mldsa' ? spec.level : bitsOfCurve[spec.curve];
  if (role.key_type === 'any') {
    if (spec.type === 'rsa' && bits < rsaMinimumBits) {
      throw refused('request.key', 'RSA keys < 2048 bits are unsafe and not supported');
    }
  } else if (bits < role.key_bits) {
    throw refused(
      'request.key',
      `role requires a minimum of a ${role.key_bits}-bit key, but CSR's key is ${bits} bits`,
    );
  }
}

function specOf(csr: CertificateRequest): KeySpec {
  try {
    return csr.publicKey.spec;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw refused('request.key', `Refusing to sign CSR with unusable PublicKey: ${error.message}`, error);
  }
}

/** What may be asked of a key that is made here; of effect only where the role leaves it open. */
export interface WantedLeafKey {
  type?: string;
  bits?: number;
}

/**
 * The kind of key that is made for a leaf.
 *
 * @throws Fault `authority.request.key`, `authority.role`
 */
export function leafKeySpec(wanted: WantedLeafKey, role: Role): { spec: KeySpec; warnings: string[] } {
  if (role.key_type !== 'any') {
    const ignored = wanted.type !== undefined || wanted.bits !== undefined;
    const warning = 'parameters key_type and key_bits ignored as role had specific values';
    return { spec: specFor(role), warnings: ignored ? [warning] : [] };
  }
  if (wanted.type === undefined) {
    throw refused(
      'request.key',
      'role key type "any" not allowed for issuing certificates without providing key_type and/or key_bits ' +
        'request parameters',
    );
  }
  const { type: key_type, bits: asked = role.key_bits } = wanted;
  if (key_type === 'any') throw refused('request.key', 'unknown key type: any');
  const { key_bits } = settleKey({ key_type, key_bits: asked, signature_bits: role.signature_bits });
  return { spec: specFor({ key_type, key_bits }), warnings: [] };
}

function specFor({ key_type, key_bits }: Pick<Role, 'key_type' | 'key_bits'>): KeySpec {
  if (key_type === 'rsa') return { type: 'rsa', bits: key_bits };
  if (key_type === 'mldsa') return { type: 'mldsa', level: key_bits as MldsaLevel };
  return key_type === 'ec' ? { type: 'ec', curve: curveOfBits[key_bits]! } : { type: 'ed25519' };
}

/**
 * What an issuer signs a leaf with. RSA takes the role's hash and padding; a curve brings its own hash, as Vault's
 * documentation has it, and Ed25519 and ML-DSA none.
 *
 * @throws Fault `authority.role` for a hash that is none
 */
export function leafSigner(key: SigningKey, { signature_bits: bits, use_pss: pss }: Role): Signer {
  const hash = hashOfBits[bits];
  if (bits !== 0 && !hash) throw refused('role', `unsupported hash signature algorithm: ${bits}`);
  return key.spec.type === 'rsa' ? signerOf(key, hash, pss ? 'PSS' : 'PKCS#1 v1.5') : signerOf(key);
}
