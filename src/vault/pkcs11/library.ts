import { Fault } from '../../base/fault.ts';
import type { SecretText } from '../../base/secret.ts';
import type { Cryptoki } from './cryptoki.ts';
import { Session } from './session.ts';

/** Which token of an HSM, and who to be there. */
export interface TokenSettings {
  /** By its number, or by its token's label. */
  slot?: bigint | undefined;
  tokenLabel?: string | undefined;
  pin: SecretText;
}

/**
 * A PKCS#11 library in this process, for all who have keys in its HSM: one call after the other, since a token has few
 * sessions to give and one login for all of them.
 */
export interface Pkcs11Library {
  /**
   * Does `work` in a session, logged in, which is kept for the next. Where the token went away meanwhile it is opened
   * anew, once, and `work` done again.
   *
   * @throws Fault `vault.seal.away`, `vault.seal.pin`, `vault.seal.config`; what `work` throws
   */
  use<T>(settings: TokenSettings, work: (session: Session) => Promise<T>): Promise<T>;
}

/** What another session may find otherwise: the token is back, or what it holds is seen. */
const worthAnother: ReadonlySet<string> = new Set(['vault.seal.away', 'vault.seal.absent']);
/** More than this that wait for an HSM would not be answered in time. */
const mostWaiting = 256;
const tokenInfoBytes = 256;
const labelBytes = 32;
const longBytes = 8;

/** `open` is called when the library is first needed, and again until that succeeds. */
export function pkcs11Library(open: () => Promise<Cryptoki>): Pkcs11Library {
  return new SharedLibrary(open);
}

interface Kept {
  pin: SecretText;
  session: Session;
}

class SharedLibrary implements Pkcs11Library {
  readonly #open: () => Promise<Cryptoki>;
  #cryptoki: Cryptoki | undefined;
  /** By slot. */
  readonly #kept = new Map<bigint, Kept>();
  readonly #slots = new Map<string, bigint>();
  /** By slot and PIN. */
  readonly #refusals = new Map<string, Fault>();
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Whether the library has to begin anew before it is used. */
  #left = false;

  constructor(open: () => Promise<Cryptoki>) {
    this.#open = open;
  }

  use<T>(settings: TokenSettings, work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#waiting >= mostWaiting) {
      const details = { code: 'vault.seal.away', blame: 'operator', fix: 'see why the HSM is slow' } as const;
      return Promise.reject(new Fault('too many requests wait for the HSM', details));
    }
    this.#waiting += 1;
    const done = this.#turn.then(() => this.#use(settings, work));
    this.#turn = done.catch(() => {}).finally(() => (this.#waiting -= 1));
    return done;
  }

  async #use<T>(settings: TokenSettings, work: (session: Session) => Promise<T>): Promise<T> {
    for (;;) {
      const used = this.#kept.size > 0;
      try {
        return await work(await this.#session(settings));
      } catch (error) {
        if (!(error instanceof Fault) || !worthAnother.has(error.code)) throw error;
        await this.#leave();
        if (!used) throw error;
      }
    }
  }

  async #session(settings: TokenSettings): Promise<Session> {
    this.#cryptoki ??= await this.#open();
    if (this.#left) await this.#cryptoki.restart();
    this.#left = false;
    const slot = settings.slot ?? (await this.#slotOf(this.#cryptoki, settings.tokenLabel ?? ''));
    const pin = settings.pin.reveal();
    const kept = this.#kept.get(slot);
    if (kept?.pin.reveal() === pin) return kept.session;
    // An HSM locks a PIN that was wrong a few times; whoever tries again by itself would see to that.
    const name = `${slot} ${pin}`;
    const refusal = this.#refusals.get(name);
    if (refusal) throw refusal;
    // All sessions at a token share one login: another PIN would not be looked at while it lasts.
    await kept?.session.close();
    this.#kept.delete(slot);
    try {
      const session = await Session.open(this.#cryptoki, slot, settings.pin);
      this.#kept.set(slot, { pin: settings.pin, session });
      return session;
    } catch (error) {
      if (error instanceof Fault && error.code === 'vault.seal.pin') this.#refusals.set(name, error);
      throw error;
    }
  }

  /** Begins anew: only that lets some libraries see a token that was gone. */
  async #leave(): Promise<void> {
    for (const { session } of this.#kept.values()) await session.close();
    this.#kept.clear();
    this.#slots.clear();
    this.#left = this.#cryptoki !== undefined;
  }

  async #slotOf(cryptoki: Cryptoki, label: string): Promise<bigint> {
    const known = this.#slots.get(label) ?? (await slotOf(cryptoki, label));
    this.#slots.set(label, known);
    return known;
  }
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
