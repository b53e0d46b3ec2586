import { Fault } from '../../base/fault.ts';
import type { Following } from '../../store/following.ts';
import type { Batch, Entry, Store } from '../../store/store.ts';

/** More conflicts than this in a row mean that something else is wrong. */
const attemptLimit = 10;

/** A record as it was read, with what a change of it is to expect. */
export interface Stored<T> {
  key: string;
  revision: number;
  value: T;
}

export interface AcmeStoreOptions {
  store: Store;
  /** Everything is below it. */
  prefix: string;
  /** What must hold in the store for anything written here to count. */
  guard: () => { key: string; revision: number };
  following?: Following;
}

/** Where ACME keeps what, as JSON; other nodes read and write the same. */
export class AcmeStore {
  readonly #options: AcmeStoreOptions;

  constructor(options: AcmeStoreOptions) {
    this.#options = options;
  }

  get prefix(): string {
    return this.#options.prefix;
  }

  readonly at = {
    settings: () => `${this.prefix}settings`,
    bindings: () => `${this.prefix}eab/`,
    binding: (id: string) => `${this.prefix}eab/${id}`,
    accounts: () => `${this.prefix}account/`,
    account: (id: string) => `${this.prefix}account/${id}`,
    /** The account of a key in a directory. */
    keyHolder: (thumbprint: string, directory: string) => `${this.prefix}key/${thumbprint}/${directory}`,
    orders: (accountId: string) => `${this.prefix}order/${accountId}/`,
    order: (accountId: string, id: string) => `${this.prefix}order/${accountId}/${id}`,
    authorizations: (accountId: string) => `${this.prefix}authorization/${accountId}/`,
    authorization: (accountId: string, id: string) => `${this.prefix}authorization/${accountId}/${id}`,
    validations: () => `${this.prefix}validation/`,
    validation: (authorizationId: string) => `${this.prefix}validation/${authorizationId}`,
    /** What was issued; by the serial in hexadecimal with dashes. */
    certificate: (serial: string) => `${this.prefix}certificate/${serial}`,
  };

  async read<T>(key: string): Promise<Stored<T> | undefined> {
    const entry = await this.#options.store.get(key);
    return entry && parsed<T>(entry);
  }

  async list<T>(prefix: string, range: { after?: string; limit?: number } = {}): Promise<Stored<T>[]> {
    const entries = await this.#options.store.list({ prefix, ...range });
    return entries.map((entry) => parsed<T>(entry));
  }

  /** @throws Fault `store.conflict` */
  async commit({ expect = [], ...batch }: Batch): Promise<number> {
    const { store, guard } = this.#options;
    return store.commit({ ...batch, expect: [guard(), ...expect] });
  }

  /** Decides, and writes what was decided unless what it was read from has changed; then it decides again. */
  async decideAndCommit<T>(decide: () => Promise<{ batch?: Batch; result: T }>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const { batch, result } = await decide();
      if (!batch) return result;
      try {
        await this.commit(batch);
        return result;
      } catch (error) {
        const conflict = error instanceof Fault && error.code === 'store.conflict';
        if (!conflict || attempt === attemptLimit) throw error;
        // What the guard is read from may be out of date, too.
        await this.#options.following?.fresh();
      }
    }
  }
}

function parsed<T>({ key, value, revision }: Entry): Stored<T> {
  return { key, revision, value: JSON.parse(value.toString()) as T };
}

/** For a batch. */
export function putting(key: string, value: unknown) {
  return { key, value: Buffer.from(JSON.stringify(value)) };
}

export function asRead({ key, revision }: Pick<Stored<unknown>, 'key' | 'revision'>) {
  return { key, revision };
}
