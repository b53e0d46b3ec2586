import { constants, createVerify, type KeyObject, type SignKeyObjectInput, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { Fault } from '../base/fault.ts';
import { contextConstructed, DerReader, type DerWriter, readWhole, tags, writeDer } from './der.ts';
import type { KeySpec, PrivateKey, PublicKey } from './key.ts';
import { oids } from './oid.ts';
import { type MldsaLevel, mldsa, mldsaLevels } from './spki.ts';

export type Hash = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** What makes signatures: a key in memory here, or one that lives elsewhere. */
export interface Signer {
  readonly publicKey: PublicKey;
  /** AlgorithmIdentifier, DER. */
  readonly algorithm: Buffer;
  sign(bytes: Uint8Array): Buffer | Promise<Buffer>;
}

/** A private key that lives elsewhere, such as in an HSM, never comes here and signs there: ECDSA or RSA. */
export interface RemoteKey {
  readonly spec: KeySpec;
  readonly publicKey: PublicKey;
  /** What finds it again; the store keeps that in a key's place. */
  readonly reference: string;
  /** The one that it signs with whatever is asked for; absent where it can both. */
  readonly padding?: Padding | undefined;
  /** ECDSA's answer is DER, as in certificates. */
  sign(bytes: Uint8Array, how: RemoteSignature): Promise<Buffer>;
}

export interface RemoteSignature {
  hash: NewHash;
  /** For RSA. */
  padding: Padding;
}

/** A private key, here or elsewhere. */
export type SigningKey = PrivateKey | RemoteKey;

export function isRemote(key: SigningKey): key is RemoteKey {
  return 'reference' in key;
}

/** What an AlgorithmIdentifier of a signature asks for. */
export interface SignatureAlgorithm {
  /** As Go names it: `ECDSA-SHA256`, `SHA256-RSA`, `SHA256-RSAPSS`, `Ed25519`. */
  name: string;
  keyType: KeySpec['type'];
  /** Absent for Ed25519 and ML-DSA, which hash by themselves. */
  hash?: Hash;
  padding?: Padding;
  /** Of ML-DSA alone, whose parameter sets are algorithms of their own. */
  level?: MldsaLevel;
}

/** The hashes that signatures are made with. */
export type NewHash = Exclude<Hash, 'SHA-1'>;

const nodeHash = { 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' } as const;
const ecdsaOid = {
  'SHA-256': oids.ecdsaWithSha256,
  'SHA-384': oids.ecdsaWithSha384,
  'SHA-512': oids.ecdsaWithSha512,
};
const rsaOid = {
  'SHA-256': oids.sha256WithRsa,
  'SHA-384': oids.sha384WithRsa,
  'SHA-512': oids.sha512WithRsa,
};
const digestOid = { 'SHA-256': oids.sha256, 'SHA-384': oids.sha384, 'SHA-512': oids.sha512 };
const saltLength = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 };
const sha1WithRsa: SignatureAlgorithm = {
  name: 'SHA1-RSA',
  keyType: 'rsa',
  hash: 'SHA-1',
  padding: 'PKCS#1 v1.5',
};
const newHashes = ['SHA-256', 'SHA-384', 'SHA-512'] as const;

/**
 * Every AlgorithmIdentifier that this room verifies, by its bytes (RFC 3279, 4055, 5758, 8410, 9881): what differs from
 * them by as much as a parameter is another algorithm, and unknown. RSA's NULL may be left out by others; RFC 4055
 * section 5 asks to accept that.
 */
const algorithms: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  ...newHashes.flatMap((hash) => {
    const short = hash.replace('-', '');
    const rsa: SignatureAlgorithm = { name: `${short}-RSA`, keyType: 'rsa', hash, padding: 'PKCS#1 v1.5' };
    return [
      entry(ecdsaOid[hash], 'absent', { name: `ECDSA-${short}`, keyType: 'ec', hash }),
      entry(rsaOid[hash], 'null', rsa),
      entry(rsaOid[hash], 'absent', rsa),
      entry(oids.rsaPss, pssParameters(hash), {
        name: `${short}-RSAPSS`,
        keyType: 'rsa',
        hash,
        padding: 'PSS',
      }),
    ];
  }),
  entry(oids.ecdsaWithSha1, 'absent', { name: 'ECDSA-SHA1', keyType: 'ec', hash: 'SHA-1' }),
  entry(oids.sha1WithRsa, 'null', sha1WithRsa),
  entry(oids.sha1WithRsa, 'absent', sha1WithRsa),
  entry(oids.ed25519, 'absent', { name: 'Ed25519', keyType: 'ed25519' }),
  ...mldsaLevels.map((level) =>
    entry(mldsa[level].oid, 'absent', { name: `ML-DSA-${level}`, keyType: 'mldsa', level }),
  ),
] as const);

type Parameters = 'absent' | 'null' | ((writer: DerWriter) => void);

function algorithmIdentifier(oid: string, parameters: Parameters): Buffer {
  return writeDer((writer) =>
    writer.sequence(() => {
      writer.oid(oid);
      if (parameters === 'null') writer.null();
      else if (parameters !== 'absent') parameters(writer);
    }),
  );
}

function entry(
  oid: string,
  parameters: Parameters,
  algorithm: SignatureAlgorithm,
): [string, SignatureAlgorithm] {
  return [algorithmIdentifier(oid, parameters).toString('latin1'), algorithm];
}

/** RFC 4055 section 3.1, with the hash for both the message and the mask, and a salt of its length. */
function pssParameters(hash: NewHash): (writer: DerWriter) => void {
  return (writer) => {
    const digest = () => writer.sequence(() => writer.oid(digestOid[hash]).null());
    const mask = () =>
      writer.sequence(() => {
        writer.oid(oids.mgf1);
        digest();
      });
    writer.sequence(() =>
      writer
        .wrap(contextConstructed(0), digest)
        .wrap(contextConstructed(1), mask)
        .wrap(contextConstructed(2), () => writer.smallInteger(saltLength[hash])),
    );
  };
}

/** What an AlgorithmIdentifier asks for; undefined where this room cannot verify it. */
export function signatureAlgorithm(algorithm: Buffer): SignatureAlgorithm | undefined {
  return algorithms.get(algorithm.toString('latin1'));
}

/** The object identifier of an AlgorithmIdentifier, known or not. */
export function algorithmOid(algorithm: Buffer): string {
  return new DerReader(algorithm).enter(tags.sequence).oid();
}

/** Reads the AlgorithmIdentifier that comes next: checks its form, answers it whole. */
export function readAlgorithmIdentifier(reader: DerReader): Buffer {
  return readWhole(reader, tags.sequence, (inner) => {
    inner.oid();
    if (!inner.atEnd) inner.anything();
  }).der;
}

/** The hash that goes with a key: as strong as the key, and what Go and Vault choose. */
function defaultHash(spec: KeySpec): NewHash {
  if (spec.type !== 'ec') return 'SHA-256';
  return spec.curve === 'P-521' ? 'SHA-512' : spec.curve === 'P-384' ? 'SHA-384' : 'SHA-256';
}

const signAsync = promisify(
  (
    hash: string | undefined,
    bytes: Uint8Array,
    key: KeyObject | SignKeyObjectInput,
    done: (error: Error | null, signature: Buffer) => void,
  ) => sign(hash, bytes, key, done),
);

export type Padding = 'PKCS#1 v1.5' | 'PSS';

/**
 * A signer over a private key. Here P-256, P-224 and Ed25519 sign at once, in some 30 µs; the others take a
 * millisecond or more and sign off the main thread. Ed25519 and ML-DSA take no `hash`, RSA alone a `padding`.
 */
export function signerOf(
  key: SigningKey,
  hash: NewHash = defaultHash(key.spec),
  padding: Padding = 'PKCS#1 v1.5',
): Signer {
  const { spec, publicKey } = key;
  if (isRemote(key)) return remoteSigner(key, { hash, padding: key.padding ?? padding });
  if (spec.type === 'ed25519') {
    return { publicKey, algorithm: ed25519Algorithm, sign: (bytes) => sign(undefined, bytes, key.key) };
  }
  if (spec.type === 'mldsa') {
    const algorithm = mldsaAlgorithm[spec.level];
    return { publicKey, algorithm, sign: (bytes) => signAsync(undefined, bytes, { key: key.key }) };
  }
  const name = nodeHash[hash];
  if (spec.type === 'rsa') {
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: saltLength[hash] };
    return {
      publicKey,
      algorithm: padding === 'PSS' ? pssAlgorithm[hash] : rsaAlgorithm[hash],
      sign: (bytes) => signAsync(name, bytes, padding === 'PSS' ? { key: key.key, ...pss } : key.key),
    };
  }
  const atOnce = spec.curve === 'P-256' || spec.curve === 'P-224';
  return {
    publicKey,
    algorithm: ecdsaAlgorithm[hash],
    sign: atOnce ? (bytes) => sign(name, bytes, key.key) : (bytes) => signAsync(name, bytes, key.key),
  };
}

function remoteSigner(key: RemoteKey, how: RemoteSignature): Signer {
  const rsa = how.padding === 'PSS' ? pssAlgorithm : rsaAlgorithm;
  return {
    publicKey: key.publicKey,
    algorithm: (key.spec.type === 'rsa' ? rsa : ecdsaAlgorithm)[how.hash],
    sign: (bytes) => key.sign(bytes, how),
  };
}

/** The AlgorithmIdentifiers that we write, encoded once. */
const ed25519Algorithm = algorithmIdentifier(oids.ed25519, 'absent');
const mldsaAlgorithm = {
  44: algorithmIdentifier(oids.mldsa44, 'absent'),
  65: algorithmIdentifier(oids.mldsa65, 'absent'),
  87: algorithmIdentifier(oids.mldsa87, 'absent'),
};
const ecdsaAlgorithm = forEachHash((hash) => algorithmIdentifier(ecdsaOid[hash], 'absent'));
const rsaAlgorithm = forEachHash((hash) => algorithmIdentifier(rsaOid[hash], 'null'));
const pssAlgorithm = forEachHash((hash) => algorithmIdentifier(oids.rsaPss, pssParameters(hash)));

function forEachHash(make: (hash: NewHash) => Buffer): Readonly<Record<NewHash, Buffer>> {
  return { 'SHA-256': make('SHA-256'), 'SHA-384': make('SHA-384'), 'SHA-512': make('SHA-512') };
}

export interface SignedBytes {
  /** AlgorithmIdentifier, DER. */
  algorithm: Buffer;
  bytes: Uint8Array;
  signature: Uint8Array;
  publicKey: PublicKey;
}

/**
 * Whether the signature over `bytes` is the key's. False also for an algorithm that is unknown, that belongs to
 * another kind of key or that rests on SHA-1, and for a public key that is none.
 */
export function verifySignature(signed: SignedBytes): boolean {
  const algorithm = signatureAlgorithm(signed.algorithm);
  return algorithm !== undefined && algorithm.hash !== 'SHA-1' && verifyWith(algorithm, signed);
}

/** Like `verifySignature`, SHA-1 included. It tells what made a signature; it is no ground for trust. */
export function matchesSignature(signed: SignedBytes): boolean {
  const algorithm = signatureAlgorithm(signed.algorithm);
  return algorithm !== undefined && verifyWith(algorithm, signed);
}

function verifyWith(algorithm: SignatureAlgorithm, { bytes, signature, publicKey }: SignedBytes): boolean {
  const { spec } = publicKey;
  if (algorithm.keyType !== spec.type || (spec.type === 'mldsa' && algorithm.level !== spec.level))
    return false;
  const hash = algorithm.hash === undefined ? undefined : nodeHash[algorithm.hash];
  try {
    const { key } = publicKey;
    if (hash === undefined) return verify(hash, bytes, key, signature);
    // A third cheaper than `verify` for a key that was just imported.
    if (algorithm.padding !== 'PSS') return createVerify(hash).update(bytes).verify(key, signature);
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return verify(hash, bytes, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature);
  } catch (error) {
    if (error instanceof Fault) return false;
    // OpenSSL refuses some keys only when they are used, such as RSA of a few bits.
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_OSSL')) return false;
    throw error;
  }
}
