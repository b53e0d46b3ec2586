import { Fault } from '../base/fault.ts';
import type { Batch, Store } from '../store/store.ts';
import { type Role, roleDefaults, settleRole } from './role.ts';

/** The roles of an authority, by name, read from the store each time: other nodes may have changed them. */
export interface Roles {
  get(name: string): Promise<Role | undefined>;
  /** In order. */
  names(range: { after?: string; limit?: number }): Promise<string[]>;
  /**
   * Puts a role in the place of the one before; durable once it resolves.
   *
   * @throws Fault `authority.role` for what the rules refuse
   */
  put(name: string, given: Partial<Role>): Promise<Role>;
  /** The same, what is not given staying as it was; undefined where there is no such role. */
  patch(name: string, given: Partial<Role>): Promise<Role | undefined>;
  delete(name: string): Promise<void>;
}

/** More conflicts than this in a row mean that something else is wrong. */
const attemptLimit = 10;

/** `guard`: what must hold in the store for anything written here to count. */
export function storedRoles(options: {
  store: Store;
  prefix: string;
  guard: () => { key: string; revision: number };
}): Roles {
  const { store, guard } = options;
  const below = `${options.prefix}role/`;
  const commit = ({ expect = [], ...batch }: Batch) =>
    store.commit({ expect: [guard(), ...expect], ...batch });
  const entryOf = (name: string, role: Role) => ({
    key: below + name,
    value: Buffer.from(JSON.stringify(role)),
  });

  async function patchOnce(name: string, given: Partial<Role>): Promise<Role | undefined> {
    const entry = await store.get(below + name);
    if (!entry) return undefined;
    const role = settleRole({ ...readRole(entry.value), ...given });
    await commit({ expect: [{ key: entry.key, revision: entry.revision }], puts: [entryOf(name, role)] });
    return role;
  }

  return {
    get: async (name) => {
      const entry = await store.get(below + name);
      return entry && readRole(entry.value);
    },
    names: async ({ after, limit }) => {
      const entries = await store.list({
        prefix: below,
        ...(after ? { after: below + after } : {}),
        ...(limit !== undefined && limit > 0 ? { limit } : {}),
      });
      return entries.map(({ key }) => key.slice(below.length));
    },
    put: async (name, given) => {
      const role = settleRole({ ...roleDefaults, ...given });
      await commit({ puts: [entryOf(name, role)] });
      return role;
    },
    patch: async (name, given) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await patchOnce(name, given);
        } catch (error) {
          const conflict = error instanceof Fault && error.code === 'store.conflict';
          if (!conflict || attempt === attemptLimit) throw error;
        }
      }
    },
    delete: async (name) => {
      await commit({ deletes: [below + name] });
    },
  };
}

function readRole(value: Buffer): Role {
  return { ...roleDefaults, ...(JSON.parse(value.toString()) as Partial<Role>) };
}
