import { Fault } from '../base/fault.ts';
import type { Following } from '../store/following.ts';
import type { Batch, Store } from '../store/store.ts';
import { type Role, roleDefaults, settleRole } from './role.ts';

/** The roles of an authority, by name. */
export interface Roles {
  /** The same object as before while the role is as it was. */
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

/** Roles that are kept in memory at most. */
const knownLimit = 1_000;

export interface RolesOptions {
  store: Store;
  prefix: string;
  /** What must hold in the store for anything written here to count. */
  guard: () => { key: string; revision: number };
  /** Tells what other nodes change; none where nobody else writes to the store. */
  following?: Following;
}

/** Roles as they were last read, until one changes. */
function rolesInMemory({ store, prefix, following }: RolesOptions) {
  const below = `${prefix}role/`;
  const known = new Map<string, Role>();
  /** Grows with every change: what was read before one is not kept after it. */
  let changes = 0;
  const forget = () => {
    changes++;
    known.clear();
  };
  following?.follow([below], async () => forget());

  async function read(name: string): Promise<Role | undefined> {
    const before = changes;
    const entry = await store.get(below + name);
    const role = entry && readRole(entry.value);
    if (!role || before !== changes) return role;
    if (known.size >= knownLimit) known.clear();
    known.set(name, role);
    return role;
  }

  return { get: async (name: string) => known.get(name) ?? read(name), forget };
}

export function storedRoles(options: RolesOptions): Roles {
  const { store, guard } = options;
  const below = `${options.prefix}role/`;
  const { get, forget } = rolesInMemory(options);

  async function commit({ expect = [], ...batch }: Batch): Promise<void> {
    try {
      await store.commit({ expect: [guard(), ...expect], ...batch });
    } finally {
      forget();
    }
  }

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
    get,
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
