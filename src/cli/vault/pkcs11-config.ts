import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Entropy } from '../../base/entropy.ts';
import { SecretText } from '../../base/secret.ts';
import type { AutoSeal } from '../../vault/seal/auto-seal.ts';
import type { MechanismName, OaepHash, Pkcs11Settings } from '../../vault/seal/pkcs11-seal.ts';
import { configFault, flag, type Settings, text, unreadable } from './config-blocks.ts';
import { variable } from './environment.ts';
import type { Pkcs11Libraries } from './pkcs11-libraries.ts';

/** `seal "pkcs11"`: the PIN as it is written, `file:///path` included. */
export interface Pkcs11Config extends Pkcs11Settings {
  lib: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** By name, or by number as pkcs11t.h has it. */
const mechanisms: Readonly<Record<string, MechanismName>> = {
  AES_GCM: 'AES_GCM',
  CKM_AES_GCM: 'AES_GCM',
  '0x1087': 'AES_GCM',
  RSA_PKCS_OAEP: 'RSA_PKCS_OAEP',
  CKM_RSA_PKCS_OAEP: 'RSA_PKCS_OAEP',
  '0x0009': 'RSA_PKCS_OAEP',
  '0x9': 'RSA_PKCS_OAEP',
};

const hashNames: readonly OaepHash[] = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'];

/** What the environment says wins, so that a PIN can be kept out of the file. @throws Fault `cli.config` */
export function readPkcs11(seal: Settings, env: Env): Pkcs11Config {
  const either = (name: string) => {
    const written = text(seal, name);
    return variable(env, `HSM_${name.toUpperCase()}`) || written;
  };
  const needed = (name: string) => {
    const value = either(name);
    if (value) return value;
    throw configFault(`${seal.where}${name} is missing, and VAULT_HSM_${name.toUpperCase()} is not set`);
  };
  const slot = either('slot');
  const tokenLabel = either('token_label');
  if (!slot && !tokenLabel) throw configFault(`${seal.where}token_label is missing; give it, or slot`);
  if (slot && !/^\d+$/.test(slot)) throw configFault(`${seal.where}slot takes a decimal number in quotes`);
  const keyId = either('key_id');
  return {
    lib: needed('lib'),
    slot: slot ? BigInt(slot) : undefined,
    tokenLabel,
    pin: new SecretText(needed('pin')),
    keyLabel: needed('key_label'),
    keyId: keyId ? idOf(seal, keyId) : undefined,
    mechanism: mechanismOf(seal, either('mechanism') ?? 'AES_GCM'),
    oaepHash: hashOf(seal, either('rsa_oaep_hash') ?? 'sha256'),
    generatesKey: flag(seal, 'generate_key') ?? false,
  };
}

function idOf(seal: Settings, written: string): Buffer {
  const [, digits] = /^(?:0x)?((?:[0-9a-fA-F]{2})+)$/.exec(written) ?? [];
  if (digits) return Buffer.from(digits, 'hex');
  throw configFault(`${seal.where}key_id takes hexadecimal digits`);
}

function mechanismOf(seal: Settings, name: string): MechanismName {
  const mechanism = Object.hasOwn(mechanisms, name) ? mechanisms[name] : undefined;
  if (mechanism) return mechanism;
  throw configFault(
    `${seal.where}mechanism ${JSON.stringify(name)} is not supported; use "AES_GCM" or "RSA_PKCS_OAEP"`,
  );
}

function hashOf(seal: Settings, name: string): OaepHash {
  const hash = hashNames.find((known) => known === name);
  if (hash) return hash;
  throw configFault(
    `${seal.where}rsa_oaep_hash ${JSON.stringify(name)} is not known; use ${hashNames.join(', ')}`,
  );
}

/** @throws Fault `cli.config`, `vault.seal.config` */
export async function openPkcs11(
  { lib, pin, ...settings }: Pkcs11Config,
  { folder, entropy, libraries }: { folder: string; entropy: Entropy; libraries: Pkcs11Libraries },
): Promise<AutoSeal> {
  const { pkcs11Seal } = await import('../../vault/seal/pkcs11-seal.ts');
  const written = pin.reveal();
  const read = written.startsWith('file://') ? readPin(resolve(folder, written.slice(7))) : pin;
  return pkcs11Seal(await libraries.load(lib), { ...settings, pin: read }, entropy);
}

function readPin(path: string): SecretText {
  try {
    return new SecretText(readFileSync(path, 'utf8').trim());
  } catch (error) {
    throw unreadable('seal "pkcs11": pin', error);
  }
}
