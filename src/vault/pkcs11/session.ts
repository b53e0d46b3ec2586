import { Fault } from '../../base/fault.ts';
import type { SecretText } from '../../base/secret.ts';
import type { Cryptoki, Structure } from './cryptoki.ts';

const flagSerial = 4n;
const flagWrite = 2n;
const userRole = 1n;
const alreadyLoggedIn = 0x100;
const longBytes = 8;
const mostObjects = 2n;
/** CK_UNAVAILABLE_INFORMATION: the length of an attribute that is not told. */
const unavailable = 2n ** 64n - 1n;
/** What C_GetAttributeValue answers where some of what was asked for is not told: sensitive, or of no such type. */
const attributeRefusals = [0x11, 0x12];

/** One field of a template: a number is CK_ULONG, a truth value CK_BBOOL. */
export type Attribute = readonly [type: number, value: Buffer | bigint | boolean];

/** An open session at a token, logged in. */
export class Session {
  /** What was found out in it, and holds as long as it does. */
  readonly memory = new Map<string, unknown>();
  readonly #cryptoki: Cryptoki;
  readonly #handle: bigint;

  private constructor(cryptoki: Cryptoki, handle: bigint) {
    this.#cryptoki = cryptoki;
    this.#handle = handle;
  }

  /** @throws Fault `vault.seal.away`, `vault.seal.pin` */
  static async open(cryptoki: Cryptoki, slot: bigint, pin: SecretText): Promise<Session> {
    const handle = Buffer.alloc(longBytes);
    await cryptoki.call('C_OpenSession', [slot, flagSerial | flagWrite, null, null, handle]);
    const session = new Session(cryptoki, handle.readBigUInt64LE());
    try {
      await session.#login(pin);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async #login(pin: SecretText): Promise<void> {
    const bytes = Buffer.from(pin.reveal());
    const login = () =>
      this.#cryptoki.call('C_Login', [this.#handle, userRole, bytes, bytes.length], [alreadyLoggedIn]);
    try {
      // A login that was left behind says nothing of this PIN.
      if ((await login()) !== alreadyLoggedIn) return;
      await this.#cryptoki.call('C_Logout', [this.#handle]);
      await login();
    } finally {
      bytes.fill(0);
    }
  }

  /** The last one that is closed at a token logs out. */
  async close(): Promise<void> {
    await this.#cryptoki.call('C_CloseSession', [this.#handle]).catch(() => {});
  }

  /** The one object that is so; undefined where there is none. @throws Fault `vault.seal.config` where there are several */
  async find(attributes: readonly Attribute[]): Promise<bigint | undefined> {
    const template = this.#template(attributes);
    const found = Buffer.alloc(longBytes * Number(mostObjects));
    const count = Buffer.alloc(longBytes);
    await this.#cryptoki.call('C_FindObjectsInit', [this.#handle, template, attributes.length]);
    try {
      await this.#cryptoki.call('C_FindObjects', [this.#handle, found, mostObjects, count]);
    } finally {
      await this.#cryptoki.call('C_FindObjectsFinal', [this.#handle]);
    }
    if (count.readBigUInt64LE() <= 1n)
      return count.readBigUInt64LE() === 0n ? undefined : found.readBigUInt64LE();
    throw new Fault('the token has several keys of that label', {
      code: 'vault.seal.config',
      blame: 'operator',
      fix: 'give key_id too, or label them apart',
    });
  }

  /** The values of attributes of an object; undefined for one that it does not have, or does not tell. */
  async attributes(object: bigint, types: readonly number[]): Promise<(Buffer | undefined)[]> {
    const ask = async (buffers: readonly (Buffer | undefined)[]) => {
      const fields = types.flatMap((type, at) => {
        const buffer = buffers[at];
        return [BigInt(type), buffer ? this.#cryptoki.address(buffer) : 0n, BigInt(buffer?.length ?? 0)];
      });
      const template: Structure = { bytes: longs(...fields), holds: buffers };
      const args = [this.#handle, object, template, types.length];
      await this.#cryptoki.call('C_GetAttributeValue', args, attributeRefusals);
      return types.map((_, at) => template.bytes.readBigUInt64LE((at * 3 + 2) * longBytes));
    };
    const lengths = await ask(types.map(() => undefined));
    const buffers = lengths.map((length) =>
      length === unavailable ? undefined : Buffer.alloc(Number(length)),
    );
    await ask(buffers);
    return buffers;
  }

  async generateKey(mechanism: Mechanism, attributes: readonly Attribute[]): Promise<bigint> {
    const handle = Buffer.alloc(longBytes);
    const template = this.#template(attributes);
    const how = this.#mechanism(mechanism);
    await this.#cryptoki.call('C_GenerateKey', [...[this.#handle, how, template, attributes.length, handle]]);
    return handle.readBigUInt64LE();
  }

  async generateKeyPair(
    mechanism: Mechanism,
    publicKey: readonly Attribute[],
    privateKey: readonly Attribute[],
  ): Promise<void> {
    const [forPublic, forPrivate] = [this.#template(publicKey), this.#template(privateKey)];
    const handles = [Buffer.alloc(longBytes), Buffer.alloc(longBytes)] as const;
    await this.#cryptoki.call('C_GenerateKeyPair', [
      ...[this.#handle, this.#mechanism(mechanism), forPublic, publicKey.length],
      ...[forPrivate, privateKey.length, ...handles],
    ]);
  }

  encrypt(key: bigint, mechanism: Mechanism, text: Buffer): Promise<Buffer> {
    return this.#crypt(['C_EncryptInit', 'C_Encrypt'], key, mechanism, text);
  }

  decrypt(key: bigint, mechanism: Mechanism, text: Buffer): Promise<Buffer> {
    return this.#crypt(['C_DecryptInit', 'C_Decrypt'], key, mechanism, text);
  }

  sign(key: bigint, mechanism: Mechanism, text: Buffer): Promise<Buffer> {
    return this.#crypt(['C_SignInit', 'C_Sign'], key, mechanism, text);
  }

  async #crypt(
    [init, run]: readonly [
      'C_EncryptInit' | 'C_DecryptInit' | 'C_SignInit',
      'C_Encrypt' | 'C_Decrypt' | 'C_Sign',
    ],
    key: bigint,
    mechanism: Mechanism,
    text: Buffer,
  ): Promise<Buffer> {
    const how = this.#mechanism(mechanism);
    await this.#cryptoki.call(init, [this.#handle, how, key]);
    // No key of a seal, no RSA block and no signature is longer.
    const out = Buffer.alloc(text.length + 1_024);
    const length = Buffer.alloc(longBytes);
    length.writeBigUInt64LE(BigInt(out.length));
    await this.#cryptoki.call(run, [this.#handle, text, text.length, out, length]);
    const answer = Buffer.from(out.subarray(0, Number(length.readBigUInt64LE())));
    out.fill(0);
    return answer;
  }

  /** CK_MECHANISM: its number, and where its parameters are. */
  #mechanism({ type, parameters }: Mechanism): Structure {
    const held = parameters?.((buffer) => this.#cryptoki.address(buffer));
    const bytes = longs(
      BigInt(type),
      held ? this.#cryptoki.address(held.bytes) : 0n,
      BigInt(held?.bytes.length ?? 0),
    );
    return { bytes, holds: held ? [held] : [] };
  }

  /** CK_ATTRIBUTE after CK_ATTRIBUTE: a number, where the value is and how long. */
  #template(attributes: readonly Attribute[]): Structure {
    const values = attributes.map(([, value]) => valueBytes(value));
    const fields = attributes.flatMap(([type], at) => [
      BigInt(type),
      this.#cryptoki.address(values[at]!),
      BigInt(values[at]!.length),
    ]);
    return { bytes: longs(...fields), holds: values };
  }
}

export interface Mechanism {
  type: number;
  /** Its parameters, as a structure that points to others by the addresses it is given. */
  parameters?: (address: (buffer: Buffer) => bigint) => Structure;
}

export function longs(...values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(values.length * longBytes);
  for (const [at, value] of values.entries()) bytes.writeBigUInt64LE(value, at * longBytes);
  return bytes;
}

function valueBytes(value: Attribute[1]): Buffer {
  if (Buffer.isBuffer(value)) return value;
  return typeof value === 'bigint' ? longs(value) : Buffer.from([value ? 1 : 0]);
}
