import { commitIfUnchanged } from '../../store/commit.ts';
import type { Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import { holdingKey } from '../token/holdings.ts';
import type { Token } from '../token/token.ts';
import type { Tokens } from '../token/tokens.ts';

const pathLimitBytes = 700;
const pageSize = 500;

/** What stands at one path of a cubbyhole. */
export type Values = Readonly<Record<string, unknown>>;

/** Values that belong to one token, which nobody else can reach and which end with it. */
export interface Cubbyhole {
  read(token: Token, path: string): Promise<Values | undefined>;
  write(token: Token, path: string, values: Values): Promise<void>;
  remove(token: Token, path: string): Promise<void>;
  /** Names and folders directly below `folder`, which is empty or ends in a slash. */
  list(token: Token, folder: string): Promise<string[]>;
}

/** Where a value stands in the store, and as what. */
export function cubbyholeEntry(token: string, path: string, values: Values) {
  return { key: holdingKey(token, 'cubbyhole', path), value: Buffer.from(JSON.stringify(values)) };
}

/** Each throws Fault `vault.request.invalid` for a batch token, which is not kept and so can keep nothing. */
export function cubbyhole({ store, tokens }: { store: Store; tokens: Tokens }): Cubbyhole {
  const keyOf = (token: Token, path: string) => {
    if (token.type === 'batch') {
      throw invalidRequest('cubbyhole operations are only supported by "service" type tokens');
    }
    if (Buffer.byteLength(path) > pathLimitBytes) throw invalidRequest('the path is too long');
    return holdingKey(token.name, 'cubbyhole', path);
  };
  return {
    async read(token, path) {
      const entry = await store.get(keyOf(token, path));
      return entry && (JSON.parse(entry.value.toString()) as Values);
    },
    async write(token, path, values) {
      keyOf(token, path);
      for (;;) {
        const guard = await tokens.guard(token.name);
        // It was revoked meanwhile; so is all that it held.
        if (!guard) return;
        const puts = [cubbyholeEntry(token.name, path, values)];
        if (await commitIfUnchanged(store, { expect: [guard], puts })) return;
      }
    },
    async remove(token, path) {
      await store.commit({ deletes: [keyOf(token, path)] });
    },
    async list(token, folder) {
      const prefix = keyOf(token, folder);
      const names = new Set<string>();
      for (let after: string | undefined; ; ) {
        const page = await store.list({ prefix, limit: pageSize, ...(after ? { after } : {}) });
        for (const { key } of page) names.add(/^[^/]*\/?/.exec(key.slice(prefix.length))![0]);
        if (page.length < pageSize) return [...names];
        after = page.at(-1)!.key;
      }
    },
  };
}
