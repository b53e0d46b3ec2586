import { createHmac } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { hourMs } from '../../base/duration.ts';
import { type Entropy, randomText } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { Batch, Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import { isAlive, type PresentedToken, type Token } from './token.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** As long as Vault's, so that tools which look for leaked tokens know ours. */
const tokenLength = 91;
const accessorLength = 24;
const ancestorLimit = 100;

const saltKey = 'token/salt';
const keyOf = {
  token: (name: string) => `token/id/${name}`,
  accessor: (salted: string) => `token/accessor/${salted}`,
  child: (parent: string, name: string) => `token/child/${parent}/${name}`,
  expiry: (ms: number, name: string) => `token/expiry/${String(ms).padStart(15, '0')}/${name}`,
};

/** A new token; `id` is shown once, to whoever asked for it. */
export interface IssuedToken {
  id: string;
  token: Token;
}

/**
 * The tokens of a server, kept under salted names: whoever reads the store learns no token, and looking one up
 * compares no secret byte by byte. A token is dead once its record is gone or its time is over, and so is every
 * token below it, whatever is still to be cleaned up.
 */
export interface Tokens {
  /** Undefined for one that is unknown, over, used up, or below one that is. */
  lookup(id: string): Promise<PresentedToken | undefined>;
  byAccessor(accessor: string): Promise<Token | undefined>;
  accessors(): Promise<string[]>;
  /** @throws Fault `vault.request.invalid` where `id` exists, or the parent does not any more. */
  create(plan: Omit<Token, 'name' | 'accessor'>, id?: string): Promise<IssuedToken>;
  /** Counts one use; answers the token as it now is, undefined where it was used up meanwhile. */
  use(presented: PresentedToken): Promise<Token | undefined>;
  /** Replaces a living token's lease. */
  extend(token: Token, change: (token: Token) => Token): Promise<Token>;
  /** Revokes the token of that name and all below it. */
  revoke(name: string): Promise<void>;
  /** Removes what has expired; called by itself as time goes on. */
  sweep(): Promise<void>;
  close(): void;
}

export interface TokensOptions {
  store: Store;
  clock: Clock;
  entropy: Entropy;
  log: Log;
}

export async function openTokens(options: TokensOptions): Promise<Tokens> {
  const { store, clock, entropy, log } = options;
  const salt = await ensureSalt(store, entropy);
  const salted = (text: string) => createHmac('sha256', salt).update(text).digest('hex');
  let closed = false;
  let cancelSweep = () => {};

  async function record(name: string): Promise<{ token: Token; revision: number } | undefined> {
    const entry = await store.get(keyOf.token(name));
    return entry && { token: JSON.parse(entry.value.toString()) as Token, revision: entry.revision };
  }

  /** The record of a token that is alive, as are all above it. */
  async function living(name: string): Promise<{ token: Token; revision: number } | undefined> {
    const found = await record(name);
    if (!found || !isAlive(found.token, clock.now())) return undefined;
    let above = found.token.parent;
    for (let level = 0; above !== undefined; level++) {
      const ancestor = await record(above);
      // A parent that is at its last use still counts as there: its child was made before.
      if (level > ancestorLimit || !ancestor || isOver(ancestor.token)) return undefined;
      above = ancestor.token.parent;
    }
    return found;
  }

  function isOver({ expiresMs }: Token): boolean {
    return expiresMs !== undefined && clock.now() >= expiresMs;
  }

  /** Reads, decides and writes until nothing came between. */
  async function change(
    name: string,
    decide: (token: Token) => Token | undefined,
  ): Promise<Token | undefined> {
    for (;;) {
      const found = await living(name);
      const next = found && decide(found.token);
      if (!next) return undefined;
      const expect = [{ key: keyOf.token(name), revision: found.revision }];
      if (await committed(store, { expect, puts: records(next), deletes: staleExpiry(found.token, next) })) {
        return next;
      }
    }
  }

  /** What is to be written for `token`. */
  function records(token: Token) {
    const text = (value: unknown) => Buffer.from(JSON.stringify(value));
    const { name, parent, accessor, expiresMs } = token;
    return [
      { key: keyOf.token(name), value: text(token) },
      { key: keyOf.accessor(salted(accessor)), value: text({ accessor, name }) },
      ...(parent === undefined ? [] : [{ key: keyOf.child(parent, name), value: text({}) }]),
      ...(expiresMs === undefined ? [] : [{ key: keyOf.expiry(expiresMs, name), value: text({ name }) }]),
    ];
  }

  async function childrenOf(name: string): Promise<string[]> {
    const prefix = keyOf.child(name, '');
    return (await store.list({ prefix })).map(({ key }) => key.slice(prefix.length));
  }

  async function remove(name: string): Promise<void> {
    const found = await record(name);
    if (!found) return;
    const { token } = found;
    await store.commit({ deletes: records(token).map(({ key }) => key) });
  }

  async function revoke(name: string): Promise<void> {
    // Its own record first: from then on nothing below it is alive, and nothing more can come below it.
    await remove(name);
    for (const child of await childrenOf(name)) {
      await revoke(child);
      await store.commit({ deletes: [keyOf.child(name, child)] });
    }
  }

  async function sweep(): Promise<void> {
    cancelSweep();
    const prefix = 'token/expiry/';
    const due = await store.list({ prefix, limit: 200 });
    let nextMs = clock.now() + hourMs;
    for (const { key } of due) {
      const [ms, name] = key.slice(prefix.length).split('/') as [string, string];
      if (Number(ms) > clock.now()) {
        nextMs = Math.min(nextMs, Number(ms));
        break;
      }
      await revoke(name);
      await store.commit({ deletes: [key] });
      nextMs = clock.now();
    }
    scheduleSweep(nextMs);
  }

  function scheduleSweep(atMs: number): void {
    if (closed) return;
    cancelSweep();
    cancelSweep = clock.after(Math.max(0, atMs - clock.now()), () => {
      sweep().catch((error: unknown) => {
        log.error('expired tokens could not be removed', { error: String(error) });
        scheduleSweep(clock.now() + 10_000);
      });
    });
  }

  const tokens: Tokens = {
    async lookup(id) {
      const found = await living(salted(id));
      return found && { id, ...found };
    },
    async byAccessor(accessor) {
      const entry = await store.get(keyOf.accessor(salted(accessor)));
      if (!entry) return undefined;
      const { name } = JSON.parse(entry.value.toString()) as { name: string };
      return (await living(name))?.token;
    },
    async accessors() {
      const entries = await store.list({ prefix: keyOf.accessor('') });
      return entries
        .map(({ value }) => (JSON.parse(value.toString()) as { accessor: string }).accessor)
        .toSorted();
    },
    async create(plan, id = `hvs.${randomText(entropy, tokenLength, base62)}`) {
      const accessor = randomText(entropy, accessorLength, base62);
      const token: Token = { name: salted(id), accessor, ...plan };
      for (;;) {
        const parent = plan.parent === undefined ? undefined : await living(plan.parent);
        if (plan.parent !== undefined && !parent) {
          throw invalidRequest('parent token lookup failed: no parent found');
        }
        if (await record(token.name)) throw invalidRequest('cannot create a token with a duplicate ID');
        const expect = [
          { key: keyOf.token(token.name), revision: 0 },
          ...(parent ? [{ key: keyOf.token(parent.token.name), revision: parent.revision }] : []),
        ];
        if (await committed(store, { expect, puts: records(token) })) break;
      }
      if (token.expiresMs !== undefined) scheduleSweep(Math.min(token.expiresMs, clock.now() + hourMs));
      return { id, token };
    },
    async use({ token }) {
      if (token.numUses === 0) return token;
      return change(token.name, (now) => ({ ...now, numUses: now.numUses === 1 ? -1 : now.numUses - 1 }));
    },
    async extend({ name }, decide) {
      const extended = await change(name, decide);
      if (!extended) throw invalidRequest('token not found');
      return extended;
    },
    revoke,
    sweep,
    close() {
      closed = true;
      cancelSweep();
    },
  };
  await sweep();
  return tokens;
}

/** An expiry that a renewal moved. */
function staleExpiry(before: Token, after: Token): string[] {
  if (before.expiresMs === undefined || before.expiresMs === after.expiresMs) return [];
  return [keyOf.expiry(before.expiresMs, before.name)];
}

/** False where an expectation no longer holds. */
async function committed(store: Store, batch: Batch): Promise<boolean> {
  try {
    await store.commit(batch);
    return true;
  } catch (error) {
    if (error instanceof Fault && error.code === 'store.conflict') return false;
    throw error;
  }
}

async function ensureSalt(store: Store, entropy: Entropy): Promise<Buffer> {
  const found = await store.get(saltKey);
  if (found) return found.value;
  const salt = entropy.bytes(32);
  await store.commit({ expect: [{ key: saltKey, revision: 0 }], puts: [{ key: saltKey, value: salt }] });
  return salt;
}
