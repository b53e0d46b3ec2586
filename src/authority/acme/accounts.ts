import type { Clock } from '../../base/clock.ts';
import { type Entropy, uuid } from '../../base/entropy.ts';
import type { Batch } from '../../store/store.ts';
import type { EabPolicy } from './acme-settings.ts';
import { type AcmeStore, asRead, putting, type Stored } from './acme-store.ts';
import { type Binding, provenBinding } from './external-account.ts';
import { type AccountKey, accountKeyOf } from './jwk.ts';
import { malformed, Problem, unauthorized } from './problem.ts';

export type AccountStatus = 'valid' | 'deactivated' | 'revoked';

export interface Account {
  id: string;
  /** The only one that it is known in. */
  directory: string;
  status: AccountStatus;
  contact: readonly string[];
  termsAgreed: boolean;
  jwk: AccountKey['jwk'];
  createdMs: number;
  /** When it ended; absent while it is valid. */
  endedMs?: number;
  /** Until when its orders that are gone were of use. */
  lastOrderEndMs?: number;
  /** The binding that it came by. */
  boundTo?: Pick<Binding, 'id' | 'createdMs'>;
}

/** A request for a new account, already verified to be signed by `key`. */
export interface AccountRequest {
  directory: string;
  /** As it was asked: what an external binding must name too. */
  url: string;
  key: AccountKey;
  payload: Readonly<Record<string, unknown>>;
}

/** Another key for an account. */
export interface KeyChange {
  /** The thumbprint of the one before. */
  from: string;
  to: AccountKey;
  /** The URL of an account. */
  locate: (id: string) => string;
}

export interface Accounts {
  /**
   * Makes the account of a key, or finds it.
   *
   * @throws Problem `accountDoesNotExist` where only an existing one is asked for, `externalAccountRequired`,
   *   `invalidContact`, `unsupportedContact`, `unauthorized`, `malformed`
   */
  open(request: AccountRequest, policy: EabPolicy): Promise<{ account: Account; made: boolean }>;
  /** The account that may act. @throws Problem `accountDoesNotExist`, `unauthorized`, `externalAccountRequired` */
  acting(id: string, directory: string, policy: EabPolicy): Promise<Account>;
  /** All of them, ended ones too, in the order of their ids. */
  ids(range: { after?: string; limit?: number }): Promise<string[]>;
  get(id: string): Promise<Account | undefined>;
  /** An operator's word; undefined where there is no such account. @throws Problem `malformed` for one that its holder ended */
  setStatus(id: string, status: 'valid' | 'revoked'): Promise<Account | undefined>;
  /** Changes contacts, or ends the account. */
  update(id: string, payload: Readonly<Record<string, unknown>>): Promise<Account>;
  /** @throws Problem `malformed` with status 409 and the `holder` where another account has the key */
  changeKey(id: string, change: KeyChange): Promise<Account>;
}

class StoredAccounts implements Accounts {
  readonly #store: AcmeStore;
  readonly #clock: Clock;
  readonly #entropy: Entropy;

  constructor(store: AcmeStore, { clock, entropy }: { clock: Clock; entropy: Entropy }) {
    this.#store = store;
    this.#clock = clock;
    this.#entropy = entropy;
  }

  open(request: AccountRequest, policy: EabPolicy): Promise<{ account: Account; made: boolean }> {
    return this.#store.decideAndCommit(async () => {
      const { directory, key, payload } = request;
      const found = await this.#holderOf(key.thumbprint, directory);
      if (found) {
        checkStanding(found.value, policy);
        return { result: { account: found.value, made: false } };
      }
      if (payload.onlyReturnExisting === true) {
        throw new Problem('accountDoesNotExist', 'there is no account with this key');
      }
      const shown = payload.externalAccountBinding;
      const binding = shown === undefined ? undefined : await provenBinding(this.#store, shown, request);
      if (!binding && policy !== 'not-required') throw bindingRequired();
      return this.#make(request, binding);
    });
  }

  #make({ directory, key, payload }: AccountRequest, binding: Stored<Binding> | undefined) {
    const { at } = this.#store;
    const account: Account = {
      id: uuid(this.#entropy),
      directory,
      status: 'valid',
      contact: readContact(payload.contact),
      termsAgreed: payload.termsOfServiceAgreed === true,
      jwk: key.jwk,
      createdMs: this.#clock.now(),
      ...(binding ? { boundTo: { id: binding.value.id, createdMs: binding.value.createdMs } } : {}),
    };
    const holder = at.keyHolder(key.thumbprint, directory);
    const batch: Batch = {
      expect: [{ key: holder, revision: 0 }, ...(binding ? [asRead(binding)] : [])],
      puts: [putting(at.account(account.id), account), putting(holder, account.id)],
      // It is good once.
      ...(binding ? { deletes: [binding.key] } : {}),
    };
    return { batch, result: { account, made: true } };
  }

  async acting(id: string, directory: string, policy: EabPolicy): Promise<Account> {
    const { value: account } = await this.#existing(id);
    if (account.directory !== directory) {
      throw new Problem('accountDoesNotExist', 'the account is one of another directory');
    }
    checkStanding(account, policy);
    return account;
  }

  async ids({ after, limit }: { after?: string; limit?: number }): Promise<string[]> {
    const { at } = this.#store;
    const found = await this.#store.list<Account>(at.accounts(), {
      ...(after ? { after: at.account(after) } : {}),
      ...(limit !== undefined && limit > 0 ? { limit } : {}),
    });
    return found.map(({ value }) => value.id);
  }

  async get(id: string): Promise<Account | undefined> {
    return (await this.#store.read<Account>(this.#store.at.account(id)))?.value;
  }

  setStatus(id: string, status: 'valid' | 'revoked'): Promise<Account | undefined> {
    return this.#store.decideAndCommit(async () => {
      const found = await this.#store.read<Account>(this.#store.at.account(id));
      if (!found || found.value.status === status) return { result: found?.value };
      const account = withStatus(found.value, status, this.#clock.now());
      return { batch: { expect: [asRead(found)], puts: [putting(found.key, account)] }, result: account };
    });
  }

  update(id: string, payload: Readonly<Record<string, unknown>>): Promise<Account> {
    return this.#store.decideAndCommit(async () => {
      const found = await this.#existing(id);
      const account = updated(found.value, payload, this.#clock.now());
      return { batch: { expect: [asRead(found)], puts: [putting(found.key, account)] }, result: account };
    });
  }

  changeKey(id: string, { from, to, locate }: KeyChange): Promise<Account> {
    const { at } = this.#store;
    return this.#store.decideAndCommit(async () => {
      const found = await this.#existing(id);
      const { directory, jwk } = found.value;
      if (accountKeyOf(jwk).thumbprint !== from) throw unauthorized('the key of the account has changed');
      const taken = await this.#holderOf(to.thumbprint, directory);
      if (taken) {
        const headers = { Location: locate(taken.value.id) };
        throw new Problem('malformed', 'the new key is that of an account', { status: 409, headers });
      }
      const account: Account = { ...found.value, jwk: to.jwk };
      const holder = at.keyHolder(to.thumbprint, directory);
      return {
        batch: {
          expect: [asRead(found), { key: holder, revision: 0 }],
          puts: [putting(found.key, account), putting(holder, id)],
          deletes: [at.keyHolder(from, directory)],
        },
        result: account,
      };
    });
  }

  async #holderOf(thumbprint: string, directory: string): Promise<Stored<Account> | undefined> {
    const { at } = this.#store;
    const holder = await this.#store.read<string>(at.keyHolder(thumbprint, directory));
    return holder && (await this.#store.read<Account>(at.account(holder.value)));
  }

  async #existing(id: string): Promise<Stored<Account>> {
    const found = await this.#store.read<Account>(this.#store.at.account(id));
    if (found) return found;
    throw new Problem('accountDoesNotExist', 'there is no such account');
  }
}

export function storedAccounts(store: AcmeStore, world: { clock: Clock; entropy: Entropy }): Accounts {
  return new StoredAccounts(store, world);
}

/** Whether the account may do anything. @throws Problem */
export function checkStanding({ status, boundTo }: Account, policy: EabPolicy): void {
  if (status !== 'valid') throw unauthorized(`the account is ${status}`);
  if (policy === 'always-required' && boundTo === undefined) throw bindingRequired();
}

function bindingRequired(): Problem {
  return new Problem(
    'externalAccountRequired',
    'accounts of this directory need an external account binding',
  );
}

/** @throws Problem `malformed`: what its holder ended stays ended (RFC 8555 section 7.3.6) */
function withStatus(before: Account, status: 'valid' | 'revoked', nowMs: number): Account {
  if (before.status === 'deactivated') throw malformed('the account is deactivated by its holder');
  const { endedMs: _, ...account } = before;
  return status === 'valid' ? { ...account, status } : { ...account, status, endedMs: nowMs };
}

/** What becomes of an account that is to be changed; pure. @throws Problem */
export function updated(
  account: Account,
  payload: Readonly<Record<string, unknown>>,
  nowMs: number,
): Account {
  if (account.status !== 'valid') throw unauthorized(`the account is ${account.status}`);
  const { status, contact } = payload;
  if (status === 'deactivated') return { ...account, status, endedMs: nowMs };
  if (status !== undefined && status !== account.status) {
    throw malformed(`an account cannot be made ${JSON.stringify(status)}, only deactivated`);
  }
  return { ...account, contact: contact === undefined ? account.contact : readContact(contact) };
}

const mostContacts = 10;
const longestContact = 500;

/** @throws Problem `malformed`, `unsupportedContact`, `invalidContact` */
function readContact(value: unknown = []): string[] {
  if (!Array.isArray(value) || value.length > mostContacts) {
    throw malformed(`contact is a list of ${mostContacts} URLs at most`);
  }
  for (const url of value as unknown[]) {
    if (typeof url !== 'string' || url.length > longestContact) throw malformed('a contact is a URL');
    if (!url.startsWith('mailto:')) {
      throw new Problem('unsupportedContact', `only mailto: URLs are taken, not ${JSON.stringify(url)}`);
    }
    // RFC 8555 section 7.3: one address, and no fields of a mail.
    if (!/^mailto:[^@,?\s]+@[^@,?\s]+$/.test(url)) {
      throw new Problem('invalidContact', `${JSON.stringify(url)} is not one mail address`);
    }
  }
  return value as string[];
}
