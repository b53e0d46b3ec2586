import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  type ECDH,
  generateKeyPair,
  generateKeyPairSync,
  hash,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from 'node:crypto';
import { inspect, promisify } from 'node:util';
import type { Entropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import { contextConstructed, writeDer } from './der.ts';
import { mldsaSupported, seedOnly, unsupportedMldsa } from './mldsa.ts';
import { oids } from './oid.ts';
import { decodePem, encodePem, type PemBlock } from './pem.ts';
import { type Curve, curves, type KeySpec, publicKeyBytes, readSpki } from './spki.ts';

export { type Curve, formatKeySpec, type KeySpec, type MldsaLevel } from './spki.ts';

/** A public key that this room can verify with. */
export interface PublicKey {
  readonly spec: KeySpec;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  /** Imported on first use. @throws Fault `x509.key.malformed` where the point or number is no key. */
  readonly key: KeyObject;
}

/** A private key. It prints and serialises as dots; `writePrivateKey` alone gives it away. */
export interface PrivateKey {
  readonly spec: KeySpec;
  readonly publicKey: PublicKey;
  /** Imported on first use. */
  readonly key: KeyObject;
}

const rsaBits = { least: 2048, most: 8192 };
const generateKeyPairAsync = promisify(generateKeyPair);

class LazyPublicKey implements PublicKey {
  readonly spec: KeySpec;
  readonly spki: Buffer;
  #key: KeyObject | undefined;

  constructor(spec: KeySpec, spki: Buffer, key?: KeyObject) {
    this.spec = spec;
    this.spki = spki;
    this.#key = key;
  }

  get key(): KeyObject {
    try {
      // Node 24 takes half as long over PEM as over the same DER.
      this.#key ??= createPublicKey(encodePem('PUBLIC KEY', this.spki));
    } catch (cause) {
      if (this.spec.type === 'mldsa' && !mldsaSupported()) throw unsupportedMldsa();
      throw malformed('the public key is none: its point or number is not valid', cause);
    }
    return this.#key;
  }
}

const dots = '••••••';

class LazyPrivateKey implements PrivateKey {
  readonly spec: KeySpec;
  readonly publicKey: PublicKey;
  /** Imported, or SEC 1 as it was generated: one that is made for somebody else may never be used here. */
  #key: KeyObject | { sec1: Buffer };

  constructor(publicKey: PublicKey, key: KeyObject | { sec1: Buffer }) {
    this.spec = publicKey.spec;
    this.publicKey = publicKey;
    this.#key = key;
  }

  get key(): KeyObject {
    if (!('sec1' in this.#key)) return this.#key;
    this.#key = createPrivateKey({ key: this.#key.sec1, format: 'der', type: 'sec1' });
    return this.#key;
  }

  /** SEC 1 or PKCS #1, DER. */
  traditional(): Buffer {
    if ('sec1' in this.#key) return this.#key.sec1;
    return this.#key.export({ format: 'der', type: this.spec.type === 'ec' ? 'sec1' : 'pkcs1' });
  }

  toString(): string {
    return dots;
  }

  toJSON(): string {
    return dots;
  }

  [inspect.custom](): string {
    return dots;
  }
}

/**
 * A new key pair. EC keys come from `entropy`; RSA, Ed25519 and ML-DSA keys come from node:crypto, whose generators take no
 * randomness from outside. RSA blocks the thread for up to seconds: prefer `generateKeyAsync`.
 *
 * @throws Fault `x509.key.size` for RSA outside of 2048 to 8192 bits, `x509.key.unsupported` for ML-DSA where Node has
 *   none.
 */
export function generateKey(spec: KeySpec, entropy: Entropy): PrivateKey {
  if (spec.type === 'ec') return generateEcKey(spec.curve, entropy);
  if (spec.type === 'ed25519') return fromPair(generateKeyPairSync('ed25519'));
  if (spec.type === 'mldsa') {
    if (!mldsaSupported()) throw unsupportedMldsa();
    return fromPair(generateKeyPairSync(`ml-dsa-${spec.level}`));
  }
  return fromPair(generateKeyPairSync('rsa', { modulusLength: checkedBits(spec.bits) }));
}

/** Like `generateKey`, with the slow kinds off the main thread. */
export async function generateKeyAsync(spec: KeySpec, entropy: Entropy): Promise<PrivateKey> {
  if (spec.type !== 'rsa') return generateKey(spec, entropy);
  return fromPair(await generateKeyPairAsync('rsa', { modulusLength: checkedBits(spec.bits) }));
}

function checkedBits(bits: number): number {
  if (Number.isInteger(bits) && bits >= rsaBits.least && bits <= rsaBits.most) return bits;
  throw new Fault(`an RSA key of ${bits} bits cannot be generated`, {
    code: 'x509.key.size',
    blame: 'caller',
    fix: `take from ${rsaBits.least} to ${rsaBits.most} bits`,
  });
}

/** Each made once: that takes longer than to use it. The last scalar stays in it until the next. */
const multipliers: Partial<Record<Curve, ECDH>> = {};

/** Draws a scalar until it is in range (FIPS 186-5 appendix A.2.2), and writes the key down without OpenSSL's help. */
function generateEcKey(curve: Curve, entropy: Entropy): PrivateKey {
  const { bits } = curves[curve];
  const size = Math.ceil(bits / 8);
  const ecdh = (multipliers[curve] ??= createECDH(curves[curve].opensslName));
  let scalar = drawScalar();
  while (!accepts(ecdh, scalar)) scalar = drawScalar();
  const point = ecdh.getPublicKey();
  const publicKey = new LazyPublicKey({ type: 'ec', curve }, ecSpki(curve, point));
  const sec1 = ecPrivateKey(curve, scalar, point);
  return new LazyPrivateKey(publicKey, { sec1 });

  function drawScalar(): Buffer {
    const bytes = entropy.bytes(size);
    bytes[0]! &= 0xff >> (8 * size - bits);
    return bytes;
  }
}

function accepts(ecdh: ECDH, scalar: Buffer): boolean {
  try {
    ecdh.setPrivateKey(scalar);
    return true;
  } catch {
    return false;
  }
}

/** RFC 5480 section 2. */
function ecSpki(curve: Curve, point: Buffer): Buffer {
  return writeDer((writer) =>
    writer.sequence(() => {
      writer.sequence(() => writer.oid(oids.ecPublicKey).oid(curves[curve].oid));
      writer.bitString(point);
    }),
  );
}

/** RFC 5915 section 3. */
function ecPrivateKey(curve: Curve, scalar: Buffer, point: Buffer): Buffer {
  return writeDer((writer) =>
    writer.sequence(() =>
      writer
        .smallInteger(1)
        .octetString(scalar)
        .wrap(contextConstructed(0), () => writer.oid(curves[curve].oid))
        .wrap(contextConstructed(1), () => writer.bitString(point)),
    ),
  );
}

function fromPair({ publicKey, privateKey }: KeyPairKeyObjectResult): PrivateKey {
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return new LazyPrivateKey(new LazyPublicKey(readSpki(spki), spki, publicKey), privateKey);
}

/**
 * The public key in a SubjectPublicKeyInfo. Its form is checked at once, the point or number when it is first used.
 *
 * @throws Fault `x509.der.*`; `x509.key.unsupported` for an algorithm or curve that this room does not know;
 * `x509.key.malformed`.
 */
export function readPublicKey(spki: Buffer): PublicKey {
  return new LazyPublicKey(readSpki(spki), spki);
}

/**
 * The first private key in PEM text (PKCS#8, SEC 1 or PKCS#1; parameters and certificates around it are passed
 * over), or the one in DER.
 *
 * @throws Fault `x509.key.encrypted`, `x509.key.absent` where there is none, `x509.key.malformed`,
 * `x509.key.unsupported`, `x509.pem.*`. None of them holds anything of the key.
 */
export function readPrivateKey(pemOrDer: string | Buffer): PrivateKey {
  const block = typeof pemOrDer === 'string' ? privateKeyBlock(decodePem(pemOrDer)) : derBlock(pemOrDer);
  const type = derTypes[block.label];
  let key: KeyObject;
  try {
    key = importPrivateKey(block.bytes, type);
  } catch {
    // Without its cause: OpenSSL's words are of no help here and must not carry bytes of the key along.
    throw malformed('the private key is not valid, or not of a kind that is known');
  }
  const publicKey = createPublicKey(key);
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return new LazyPrivateKey(new LazyPublicKey(readSpki(spki), spki, publicKey), key);
}

type DerType = 'pkcs8' | 'sec1' | 'pkcs1';

const derTypes: Readonly<Record<string, DerType>> = {
  'PRIVATE KEY': 'pkcs8',
  'EC PRIVATE KEY': 'sec1',
  'RSA PRIVATE KEY': 'pkcs1',
};

function privateKeyBlock(blocks: readonly PemBlock[]): PemBlock {
  const block = blocks.find(({ label }) => label.endsWith('PRIVATE KEY'));
  if (block?.label === 'ENCRYPTED PRIVATE KEY') {
    throw new Fault('the private key is encrypted', {
      code: 'x509.key.encrypted',
      blame: 'caller',
      fix: 'decrypt it first, such as with openssl pkey',
    });
  }
  if (block && derTypes[block.label]) return block;
  const found = blocks.map(({ label }) => label).join(', ');
  throw new Fault(found ? `there is no private key, only ${found}` : 'there is no private key in PEM form', {
    code: 'x509.key.absent',
    blame: 'caller',
  });
}

/** DER does not say of which form it is; the label stays open. */
function derBlock(bytes: Buffer): PemBlock {
  return { label: '', bytes };
}

function importPrivateKey(bytes: Buffer, type: DerType | undefined): KeyObject {
  if (type) return createPrivateKey({ key: bytes, format: 'der', type });
  let failure: unknown;
  for (const candidate of Object.values(derTypes)) {
    try {
      return createPrivateKey({ key: bytes, format: 'der', type: candidate });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/**
 * PEM of a private key: PKCS#8 (PRIVATE KEY), or traditional: EC PRIVATE KEY (SEC 1) and RSA PRIVATE KEY (PKCS#1).
 * Ed25519 and ML-DSA have no traditional form and are PKCS#8 in both; ML-DSA is its seed alone, as RFC 9881 would have it.
 */
export function writePrivateKey(key: PrivateKey, form: 'pkcs8' | 'traditional'): string {
  const { type } = key.spec;
  if (form === 'traditional' && (type === 'ec' || type === 'rsa')) {
    const label = type === 'ec' ? 'EC PRIVATE KEY' : 'RSA PRIVATE KEY';
    return encodePem(label, (key as LazyPrivateKey).traditional());
  }
  const der = key.key.export({ format: 'der', type: 'pkcs8' });
  return encodePem('PRIVATE KEY', type === 'mldsa' ? seedOnly(der) : der);
}

/** Key identifier after RFC 5280 section 4.2.1.2, method 1: SHA-1 of the bits of the public key. */
export function keyIdentifier(publicKey: PublicKey): Buffer {
  return hash('sha1', publicKeyBytes(publicKey.spki), 'buffer');
}

export function samePublicKey(a: PublicKey, b: PublicKey): boolean {
  return a.spki.equals(b.spki);
}

function malformed(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'x509.key.malformed', blame: 'caller', cause });
}
