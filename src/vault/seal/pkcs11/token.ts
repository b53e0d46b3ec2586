import { Fault } from '../../../base/fault.ts';
import type { SecretText } from '../../../base/secret.ts';
import type { Cryptoki, Structure } from './cryptoki.ts';

/** Which token of an HSM, and who to be there. */
export interface TokenSettings {
  /** By its number, or by its token's label. */
  slot?: bigint | undefined;
  tokenLabel?: string | undefined;
  pin: SecretText;
}

const flagSerial = 4n;
const flagWrite = 2n;
const userRole = 1n;
const alreadyLoggedIn = 0x100;
const tokenInfoBytes = 256;
const labelBytes = 32;
const longBytes = 8;
const mostObjects = 2n;

/** One field of a template: a number is CK_ULONG, a truth value CK_BBOOL. */
export type Attribute = readonly [type: number, value: Buffer | bigint | boolean];

/** An open session at a token, logged in. */
export class Session {
  readonly #cryptoki: Cryptoki;
  readonly #handle: bigint;

  private constructor(cryptoki: Cryptoki, handle: bigint) {
    this.#cryptoki = cryptoki;
    this.#handle = handle;
  }

  /** Opens one for as long as `work` takes. @throws Fault `vault.seal.away`, `vault.seal.pin`, `vault.seal.config` */
  static async use<T>(
    cryptoki: Cryptoki,
    settings: TokenSettings,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const slot = settings.slot ?? (await slotOf(cryptoki, settings.tokenLabel ?? ''));
    const handle = Buffer.alloc(longBytes);
    await cryptoki.call('C_OpenSession', [slot, flagSerial | flagWrite, null, null, handle]);
    const session = new Session(cryptoki, handle.readBigUInt64LE());
    const pin = Buffer.from(settings.pin.reveal());
    try {
      await cryptoki.call('C_Login', [session.#handle, userRole, pin, pin.length], [alreadyLoggedIn]);
      return await work(session);
    } finally {
      pin.fill(0);
      // The last one that is closed logs out.
      await cryptoki.call('C_CloseSession', [session.#handle]).catch(() => {});
    }
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

  async #crypt(
    [init, run]: readonly ['C_EncryptInit', 'C_Encrypt'] | readonly ['C_DecryptInit', 'C_Decrypt'],
    key: bigint,
    mechanism: Mechanism,
    text: Buffer,
  ): Promise<Buffer> {
    const how = this.#mechanism(mechanism);
    await this.#cryptoki.call(init, [this.#handle, how, key]);
    // No key of a seal, and no RSA block, is longer.
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

async function slotOf(cryptoki: Cryptoki, label: string): Promise<bigint> {
  const count = Buffer.alloc(longBytes);
  await cryptoki.call('C_GetSlotList', [1, null, count]);
  const slots = Buffer.alloc(Number(count.readBigUInt64LE()) * longBytes);
  if (slots.length > 0) await cryptoki.call('C_GetSlotList', [1, slots, count]);
  const labels: string[] = [];
  for (let at = 0; at < slots.length; at += longBytes) {
    const info = Buffer.alloc(tokenInfoBytes);
    const slot = slots.readBigUInt64LE(at);
    await cryptoki.call('C_GetTokenInfo', [slot, info]);
    const found = info.toString('utf8', 0, labelBytes).trimEnd();
    if (found === label) return slot;
    labels.push(JSON.stringify(found));
  }
  throw new Fault(
    `the HSM has no token labelled ${JSON.stringify(label)}${labels.length > 0 ? `, only ${labels.join(', ')}` : ''}`,
    { code: 'vault.seal.away', blame: 'operator', fix: 'correct token_label, or connect the token' },
  );
}
