import { createHash } from 'node:crypto';
import { Fault } from '../../base/fault.ts';
import { writeDer } from '../../x509/der.ts';
import { type Curve, type PublicKey, readPublicKey } from '../../x509/key.ts';
import { oids } from '../../x509/oid.ts';
import type { NewHash, RemoteSignature } from '../../x509/signature.ts';
import { curves } from '../../x509/spki.ts';
import { attribute, classes, hashNumbers, keyTypes, neverTold } from '../pkcs11/constants.ts';
import { type Attribute, longs, type Mechanism, type Session } from '../pkcs11/session.ts';
import { type CurveName, type ManagedKey, mechanisms } from './managed-key.ts';

/** A key pair that was found in a session: the private key by its handle. */
export interface HsmKey {
  handle: bigint;
  publicKey: PublicKey;
}

const generateRsa = 0x0000;
const generateEc = 0x1040;
const idBytes = 16;

const nodeHash = { 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' } as const;
const digestOid = { 'SHA-256': oids.sha256, 'SHA-384': oids.sha384, 'SHA-512': oids.sha512 };
const saltBytes = { 'SHA-256': 32n, 'SHA-384': 48n, 'SHA-512': 64n };
const curveOf: Readonly<Record<CurveName, Curve>> = { P256: 'P-256', P384: 'P-384', P521: 'P-521' };

/** Once found it is remembered for as long as the session lasts. @throws Fault `vault.seal.*` */
export async function findHsmKey(session: Session, key: ManagedKey): Promise<HsmKey> {
  const place = JSON.stringify([key.keyLabel, key.keyId, key.mechanism]);
  const known = session.memory.get(place) as HsmKey | undefined;
  if (known) return known;
  const ofClass = (kind: bigint): Attribute[] => [
    [attribute.class, kind],
    [attribute.keyType, isEc(key) ? keyTypes.ec : keyTypes.rsa],
    ...(key.keyLabel ? [[attribute.label, Buffer.from(key.keyLabel)] as const] : []),
    ...(key.keyId ? [[attribute.id, Buffer.from(key.keyId, 'hex')] as const] : []),
  ];
  const handle = await session.find(ofClass(classes.private));
  if (handle === undefined) throw absent(key);
  const publicHandle = await session.find(ofClass(classes.public));
  if (publicHandle === undefined) throw halved(key);
  const found = { handle, publicKey: readPublicKey(await spkiOf(session, publicHandle, isEc(key))) };
  session.memory.set(place, found);
  return found;
}

function isEc({ mechanism }: ManagedKey): boolean {
  return mechanism === 'ECDSA';
}

/** Makes the pair; the private key can never be read, nor leave the token. */
export async function generateHsmKey(
  session: Session,
  key: ManagedKey,
  id: (length: number) => Buffer,
): Promise<void> {
  const own: readonly Attribute[] = [
    [attribute.token, true],
    [attribute.label, Buffer.from(key.keyLabel)],
    // Tells the two halves to be one pair, as tools for HSMs expect.
    [attribute.id, key.keyId ? Buffer.from(key.keyId, 'hex') : id(idBytes)],
  ];
  const curve = curves[curveOf[key.curve || 'P256']];
  const kind: readonly Attribute[] = isEc(key)
    ? [[attribute.ecParameters, writeDer((writer) => writer.oid(curve.oid))]]
    : [
        [attribute.modulusBits, BigInt(key.keyBits || 2_048)],
        [attribute.publicExponent, Buffer.from([1, 0, 1])],
      ];
  await session.generateKeyPair(
    { type: isEc(key) ? generateEc : generateRsa },
    [...kind, [attribute.verify, true], ...own],
    [[attribute.sign, true], ...neverTold, ...own],
  );
}

/** SubjectPublicKeyInfo of a public key object. */
async function spkiOf(session: Session, handle: bigint, ec: boolean): Promise<Buffer> {
  const types = ec
    ? [attribute.ecParameters, attribute.ecPoint]
    : [attribute.modulus, attribute.publicExponent];
  const [first, second] = await session.attributes(handle, types);
  if (!first || !second) {
    throw new Fault('the token does not tell the public key', {
      code: 'vault.seal.config',
      blame: 'operator',
      fix: 'see to it that its public key object is whole',
    });
  }
  return ec ? ecSpki(first, second) : rsaSpki(first, second);
}

/** `parameters`: the curve's object identifier, DER. `point`: in an octet string, or bare as some tokens have it. */
export function ecSpki(parameters: Buffer, point: Buffer): Buffer {
  const curve = Object.values(curves).find(({ oid }) =>
    writeDer((writer) => writer.oid(oid)).equals(parameters),
  );
  const size = curve && 1 + 2 * Math.ceil(curve.bits / 8);
  return writeDer((writer) =>
    writer.sequence(() => {
      writer.sequence(() => writer.oid(oids.ecPublicKey).raw(parameters));
      writer.bitString(size === undefined ? point : point.subarray(-size));
    }),
  );
}

export function rsaSpki(modulus: Buffer, exponent: Buffer): Buffer {
  const numbers = writeDer((writer) =>
    writer.sequence(() => writer.unsignedInteger(modulus).unsignedInteger(exponent)),
  );
  return writeDer((writer) =>
    writer.sequence(() => {
      writer.sequence(() => writer.oid(oids.rsaEncryption).null());
      writer.bitString(numbers);
    }),
  );
}

/** A signature as certificates hold it. The hash is taken here: every token can do the rest. */
export async function signInHsm(
  session: Session,
  { handle, publicKey }: HsmKey,
  bytes: Uint8Array,
  { hash, padding }: RemoteSignature,
): Promise<Buffer> {
  const digest = createHash(nodeHash[hash]).update(bytes).digest();
  const { spec } = publicKey;
  if (spec.type === 'ec') {
    // Of a longer hash the curve takes the bits at its front (FIPS 186-5 section 6.4.1), and some tokens take no more.
    const front = digest.subarray(0, Math.ceil(curves[spec.curve].bits / 8));
    return ecdsaDer(await session.sign(handle, { type: mechanisms.ECDSA }, front));
  }
  if (padding === 'PSS') return session.sign(handle, pssMechanism(hash), digest);
  return session.sign(handle, { type: mechanisms.RSA_PKCS }, digestInfo(hash, digest));
}

/** ECDSA-Sig-Value (RFC 5480) of r and s side by side. */
export function ecdsaDer(pair: Buffer): Buffer {
  const half = pair.length / 2;
  return writeDer((writer) =>
    writer.sequence(() =>
      writer.unsignedInteger(pair.subarray(0, half)).unsignedInteger(pair.subarray(half)),
    ),
  );
}

/** RFC 8017 section 9.2. */
function digestInfo(hash: NewHash, digest: Buffer): Buffer {
  return writeDer((writer) =>
    writer.sequence(() => {
      writer.sequence(() => writer.oid(digestOid[hash]).null());
      writer.octetString(digest);
    }),
  );
}

function pssMechanism(hash: NewHash): Mechanism {
  const [number, mask] = hashNumbers[nodeHash[hash]];
  // CK_RSA_PKCS_PSS_PARAMS: hash, mask, bytes of salt.
  const parameters = () => ({ bytes: longs(number, mask, saltBytes[hash]), holds: [] });
  return { type: mechanisms.RSA_PKCS_PSS, parameters };
}

function named({ keyLabel, keyId }: ManagedKey): string {
  const names = [keyLabel && `labelled ${JSON.stringify(keyLabel)}`, keyId && `of id ${keyId}`];
  return names.filter(Boolean).join(' ');
}

/** Looked for anew in another session: some tokens that are away look like empty ones. */
function absent(key: ManagedKey): Fault {
  return new Fault(`the token has no private key ${named(key)} for this mechanism`, {
    code: 'vault.seal.absent',
    blame: 'operator',
    fix: 'correct key_label, key_id or mechanism, make the key, or set allow_generate_key',
  });
}

function halved(key: ManagedKey): Fault {
  return new Fault(`the token has a private key ${named(key)}, but no such public key`, {
    code: 'vault.seal.config',
    blame: 'operator',
    fix: 'add its public key object, with the same label and id',
  });
}
