import { commitIfUnchanged } from '../../store/commit.ts';
import type { Store } from '../../store/store.ts';
import type { TokenRole } from './token-role.ts';

const prefix = 'token/role/';

/** The token roles of a server, by name. */
export interface TokenRoles {
  names(): Promise<string[]>;
  read(name: string): Promise<TokenRole | undefined>;
  /** Writes what `decide` makes of the role as it is. */
  change(name: string, decide: (before: TokenRole | undefined) => TokenRole): Promise<void>;
  remove(name: string): Promise<void>;
}

export function tokenRoles(store: Store): TokenRoles {
  return {
    async names() {
      return (await store.list({ prefix })).map(({ key }) => key.slice(prefix.length));
    },
    async read(name) {
      const entry = await store.get(prefix + name);
      return entry && (JSON.parse(entry.value.toString()) as TokenRole);
    },
    async change(name, decide) {
      const key = prefix + name;
      for (;;) {
        const entry = await store.get(key);
        const role = decide(entry && (JSON.parse(entry.value.toString()) as TokenRole));
        const expect = [{ key, revision: entry?.revision ?? 0 }];
        const puts = [{ key, value: Buffer.from(JSON.stringify(role)) }];
        if (await commitIfUnchanged(store, { expect, puts })) return;
      }
    },
    async remove(name) {
      await store.commit({ deletes: [prefix + name] });
    },
  };
}
