import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { attribute, classes, hashNumbers, keyTypes, neverTold } from '../pkcs11/constants.ts';
import type { Pkcs11Library, TokenSettings } from '../pkcs11/library.ts';
import { type Attribute, longs, type Mechanism, type Session } from '../pkcs11/session.ts';
import type { AutoSeal } from './auto-seal.ts';

export interface Pkcs11Settings extends TokenSettings {
  keyLabel: string;
  /** CKA_ID, for keys of one label. */
  keyId?: Buffer | undefined;
  mechanism: MechanismName;
  /** For RSA_PKCS_OAEP. */
  oaepHash: OaepHash;
  /** Make the key where there is none, before anything is locked. */
  generatesKey: boolean;
}

export type MechanismName = 'AES_GCM' | 'RSA_PKCS_OAEP';
export type OaepHash = keyof typeof hashNumbers;

const ivBytes = 12;
const tagBits = 128n;

/** What lies in the store. */
interface Locked {
  key_label: string;
  mechanism: MechanismName;
  iv: string;
  value: string;
}

/** A seal whose key is in an HSM and never leaves it: by AES-GCM, or by RSA with OAEP. */
export function pkcs11Seal(library: Pkcs11Library, settings: Pkcs11Settings, entropy: Entropy): AutoSeal {
  return {
    type: 'pkcs11',
    lock: (name, secret) =>
      library.use(settings, async (session) => {
        const iv = settings.mechanism === 'AES_GCM' ? entropy.bytes(ivBytes) : Buffer.alloc(0);
        const key = await keyToLock(session, settings);
        const value = await session.encrypt(key, mechanismFor(settings, { iv, name }), Buffer.from(secret));
        const locked: Locked = {
          key_label: settings.keyLabel,
          mechanism: settings.mechanism,
          iv: iv.toString('base64'),
          value: value.toString('base64'),
        };
        return Buffer.from(JSON.stringify(locked));
      }),
    unlock: (name, bytes) =>
      library.use(settings, async (session) => {
        const { key_label: keyLabel, mechanism, iv, value } = read(bytes);
        const kept = { ...settings, mechanism, keyLabel };
        const key = await findKey(session, kept, mechanism === 'AES_GCM' ? 'secret' : 'private');
        if (key === undefined) throw noKey(keyLabel);
        const how = mechanismFor(kept, { iv: Buffer.from(iv, 'base64'), name });
        return session.decrypt(key, how, Buffer.from(value, 'base64'));
      }),
    async isStale(bytes) {
      const { key_label: label, mechanism } = read(bytes);
      return label !== settings.keyLabel || mechanism !== settings.mechanism;
    },
    close() {},
  };
}

function read(bytes: Uint8Array): Locked {
  return JSON.parse(Buffer.from(bytes).toString()) as Locked;
}

async function keyToLock(session: Session, settings: Pkcs11Settings): Promise<bigint> {
  const kind = settings.mechanism === 'AES_GCM' ? 'secret' : 'public';
  const found = await findKey(session, settings, kind);
  if (found !== undefined) return found;
  if (!settings.generatesKey) throw noKey(settings.keyLabel);
  if (settings.mechanism === 'AES_GCM') return session.generateKey({ type: 0x1080 }, aesKey(settings));
  const [forPublic, forPrivate] = rsaKeys(settings);
  await session.generateKeyPair({ type: 0x0000 }, forPublic, forPrivate);
  return (await findKey(session, settings, kind))!;
}

function findKey(
  session: Session,
  { keyLabel, keyId }: Pkcs11Settings,
  kind: keyof typeof classes,
): Promise<bigint | undefined> {
  return session.find([
    [attribute.class, classes[kind]],
    [attribute.label, Buffer.from(keyLabel)],
    ...(keyId ? [[attribute.id, keyId] as const] : []),
  ]);
}

function named({ keyLabel, keyId }: Pkcs11Settings): readonly Attribute[] {
  return [
    [attribute.token, true],
    [attribute.label, Buffer.from(keyLabel)],
    ...(keyId ? [[attribute.id, keyId] as const] : []),
  ];
}

function aesKey(settings: Pkcs11Settings): readonly Attribute[] {
  return [
    [attribute.class, classes.secret],
    [attribute.keyType, keyTypes.aes],
    [attribute.valueLength, 32n],
    [attribute.encrypt, true],
    [attribute.decrypt, true],
    ...neverTold,
    ...named(settings),
  ];
}

function rsaKeys(settings: Pkcs11Settings): readonly [readonly Attribute[], readonly Attribute[]] {
  const own = named(settings);
  const forPublic: readonly Attribute[] = [
    [attribute.keyType, keyTypes.rsa],
    [attribute.modulusBits, 3_072n],
    [attribute.publicExponent, Buffer.from([1, 0, 1])],
    [attribute.encrypt, true],
    ...own,
  ];
  return [forPublic, [[attribute.keyType, keyTypes.rsa], [attribute.decrypt, true], ...neverTold, ...own]];
}

/** The name that a secret is kept under is authenticated with it, where the mechanism can. */
function mechanismFor(
  { mechanism, oaepHash }: Pkcs11Settings,
  { iv, name }: { iv: Buffer; name: string },
): Mechanism {
  if (mechanism === 'RSA_PKCS_OAEP') {
    const [hash, mask] = hashNumbers[oaepHash];
    // CK_RSA_PKCS_OAEP_PARAMS: hash, mask, that the label is data, and no label.
    return { type: 0x0009, parameters: () => ({ bytes: longs(hash, mask, 1n, 0n, 0n), holds: [] }) };
  }
  const aad = Buffer.from(name);
  return {
    type: 0x1087,
    // CK_GCM_PARAMS: the nonce, its bytes and bits, what is authenticated besides, the tag's bits.
    parameters: (address) => ({
      bytes: longs(
        ...[address(iv), BigInt(iv.length), BigInt(iv.length * 8)],
        ...[address(aad), BigInt(aad.length), tagBits],
      ),
      holds: [iv, aad],
    }),
  };
}

function noKey(label: string): Fault {
  return new Fault(`the token has no key labelled ${JSON.stringify(label)} for this mechanism`, {
    code: 'vault.seal.away',
    blame: 'operator',
    fix: 'correct key_label, make the key, or set generate_key = true before the server is initialised',
  });
}
