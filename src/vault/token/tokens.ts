import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { hourMs } from '../../base/duration.ts';
import { type Entropy, randomText } from '../../base/entropy.ts';
import type { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import { commitIfUnchanged } from '../commit.ts';
import { invalidRequest } from '../faults.ts';
import { type BatchTokens, batchPrefix, batchTokens } from './batch-tokens.ts';
import { isAlive, isOver, type NewToken, type PresentedToken, type Token } from './token.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** As long as Vault's, so that tools which look for leaked tokens know ours. */
const tokenLength = 91;
const accessorLength = 24;
const ancestorLimit = 100;
/** Expired tokens that one sweep removes at most; the next one follows at once. */
const sweepSize = 200;
const sweepRetryMs = 10_000;

const saltKey = 'token/salt';
const batchKey = 'token/batch-key';
const expiryPrefix = 'token/expiry/';
const keyOf = {
  token: (name: string) => `token/id/${name}`,
  accessor: (salted: string) => `token/accessor/${salted}`,
  child: (parent: string, name: string) => `token/child/${parent}/${name}`,
  expiry: (ms: number, name: string) => `${expiryPrefix}${String(ms).padStart(15, '0')}/${name}`,
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
  /**
   * Of either type; `id` is for service tokens.
   *
   * @throws Fault `vault.request.invalid` where `id` exists, or the parent does not any more
   */
  create(plan: NewToken, id?: string): Promise<IssuedToken>;
  /** Counts one use; answers the token as it now is, undefined where it was used up meanwhile. */
  use(presented: PresentedToken): Promise<Token | undefined>;
  /** Replaces a living token's lease. */
  extend(token: Token, change: (token: Token) => Token): Promise<Token>;
  /** Revokes the token of that name and all below it. */
  revoke(name: string): Promise<void>;
  /** Revokes the token of that name; those below it become orphans. */
  revokeAlone(name: string): Promise<void>;
  /** Revokes all tokens that were made below that path. */
  revokeMadeBelow(path: string): Promise<void>;
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
  const { store, entropy } = options;
  const salt = await ensureSecret(store, entropy, saltKey);
  const batch = batchTokens(await ensureSecret(store, entropy, batchKey), entropy);
  const tokens = new TokenTable(options, salt, batch);
  await tokens.sweep();
  return tokens;
}

interface TokenRecord {
  token: Token;
  revision: number;
}

class TokenTable implements Tokens {
  readonly #options: TokensOptions;
  /** Prepared once: every request names a token. */
  readonly #salt: KeyObject;
  readonly #batch: BatchTokens;
  #closed = false;
  #nextSweepMs = Infinity;
  #cancelSweep = () => {};

  constructor(options: TokensOptions, salt: Buffer, batch: BatchTokens) {
    this.#options = options;
    this.#salt = createSecretKey(salt);
    this.#batch = batch;
  }

  async lookup(id: string): Promise<PresentedToken | undefined> {
    if (id.startsWith(batchPrefix)) return this.#lookupBatch(id);
    const found = await this.#living(this.#salted(id));
    return found && { id, ...found };
  }

  async #lookupBatch(id: string): Promise<PresentedToken | undefined> {
    const held = this.#batch.open(id);
    if (!held || isOver(held, this.#options.clock.now())) return undefined;
    if (held.parent !== undefined && !(await this.#living(held.parent))) return undefined;
    return { id, token: { ...held, name: this.#salted(id) }, revision: 0 };
  }

  async byAccessor(accessor: string): Promise<Token | undefined> {
    const entry = await this.#store.get(keyOf.accessor(this.#salted(accessor)));
    if (!entry) return undefined;
    const { name } = JSON.parse(entry.value.toString()) as { name: string };
    return (await this.#living(name))?.token;
  }

  async accessors(): Promise<string[]> {
    const entries = await this.#store.list({ prefix: keyOf.accessor('') });
    return entries
      .map(({ value }) => (JSON.parse(value.toString()) as { accessor: string }).accessor)
      .toSorted();
  }

  async create(plan: NewToken, id?: string): Promise<IssuedToken> {
    return plan.type === 'batch' ? this.#createBatch(plan) : this.#createService(plan, id);
  }

  async #createBatch(plan: NewToken): Promise<IssuedToken> {
    if (plan.parent !== undefined && !(await this.#living(plan.parent))) throw noParent();
    const held = { ...plan, type: 'batch' as const, accessor: '' };
    const id = this.#batch.seal(held);
    return { id, token: { ...held, name: this.#salted(id) } };
  }

  async #createService(plan: NewToken, id = this.#draw(tokenLength, 'hvs.')): Promise<IssuedToken> {
    const name = this.#salted(id);
    const token: Token = { ...plan, name, type: 'service', accessor: this.#draw(accessorLength) };
    for (;;) {
      const expect = [{ key: keyOf.token(token.name), revision: 0 }];
      if (plan.parent !== undefined) {
        const parent = await this.#living(plan.parent);
        if (!parent) throw noParent();
        expect.push({ key: keyOf.token(plan.parent), revision: parent.revision });
      }
      if (await this.#record(token.name)) throw invalidRequest('cannot create a token with a duplicate ID');
      if (await commitIfUnchanged(this.#store, { expect, puts: this.#writes(token) })) break;
    }
    if (token.expiresMs !== undefined) this.#sweepBy(token.expiresMs);
    return { id, token };
  }

  async use({ token }: PresentedToken): Promise<Token | undefined> {
    if (token.numUses === 0) return token;
    return this.#change(token.name, (now) => ({ ...now, numUses: now.numUses === 1 ? -1 : now.numUses - 1 }));
  }

  async extend({ name }: Token, decide: (token: Token) => Token): Promise<Token> {
    const extended = await this.#change(name, decide);
    if (!extended) throw invalidRequest('token not found');
    return extended;
  }

  async revoke(name: string): Promise<void> {
    // Its own record first: from then on nothing below it is alive, and nothing more can come below it.
    await this.#remove(name);
    for (const { key, child } of await this.#children(name)) {
      await this.revoke(child);
      await this.#store.commit({ deletes: [key] });
    }
  }

  async revokeAlone(name: string): Promise<void> {
    await this.#orphanChildren(name);
    await this.#remove(name);
    // Those that it made meanwhile; from now on it makes none.
    await this.#orphanChildren(name);
  }

  async revokeMadeBelow(path: string): Promise<void> {
    const prefix = keyOf.token('');
    for (let after: string | undefined; ; ) {
      const page = await this.#store.list({ prefix, limit: sweepSize, ...(after ? { after } : {}) });
      for (const { value } of page) {
        const token = JSON.parse(value.toString()) as Token;
        if (token.path.startsWith(path)) await this.revoke(token.name);
      }
      if (page.length < sweepSize) return;
      after = page.at(-1)!.key;
    }
  }

  async sweep(): Promise<void> {
    const now = this.#options.clock.now();
    let nextMs = now + hourMs;
    // Tokens that are made meanwhile may end before any that is seen here.
    this.#nextSweepMs = Infinity;
    for (const { key } of await this.#store.list({ prefix: expiryPrefix, limit: sweepSize })) {
      const [ms, name] = key.slice(expiryPrefix.length).split('/') as [string, string];
      if (Number(ms) > now) {
        nextMs = Math.min(nextMs, Number(ms));
        break;
      }
      await this.revoke(name);
      await this.#store.commit({ deletes: [key] });
      nextMs = now;
    }
    this.#sweepAt(Math.min(nextMs, this.#nextSweepMs));
  }

  close(): void {
    this.#closed = true;
    this.#cancelSweep();
  }

  get #store(): Store {
    return this.#options.store;
  }

  #salted(text: string): string {
    return createHmac('sha256', this.#salt).update(text).digest('hex');
  }

  #draw(length: number, prefix = ''): string {
    return prefix + randomText(this.#options.entropy, length, base62);
  }

  async #remove(name: string): Promise<void> {
    const found = await this.#record(name);
    if (found) await this.#store.commit({ deletes: this.#writes(found.token).map(({ key }) => key) });
  }

  async #children(name: string): Promise<{ key: string; child: string }[]> {
    const prefix = keyOf.child(name, '');
    const entries = await this.#store.list({ prefix });
    return entries.map(({ key }) => ({ key, child: key.slice(prefix.length) }));
  }

  async #orphanChildren(name: string): Promise<void> {
    for (const { key, child } of await this.#children(name)) {
      while (!(await this.#orphan(child, key)));
    }
  }

  /** False where the token was changed meanwhile. */
  async #orphan(name: string, childKey: string): Promise<boolean> {
    const found = await this.#record(name);
    if (!found) return commitIfUnchanged(this.#store, { deletes: [childKey] });
    const { parent: _, ...orphan } = found.token;
    const expect = [{ key: keyOf.token(name), revision: found.revision }];
    return commitIfUnchanged(this.#store, { expect, puts: this.#writes(orphan), deletes: [childKey] });
  }

  async #record(name: string): Promise<TokenRecord | undefined> {
    const entry = await this.#store.get(keyOf.token(name));
    if (!entry) return undefined;
    // Records from before there were types are of service tokens.
    const token: Token = { type: 'service', ...(JSON.parse(entry.value.toString()) as Omit<Token, 'type'>) };
    return { token, revision: entry.revision };
  }

  /** The record of a token that is alive, as are all above it. */
  async #living(name: string): Promise<TokenRecord | undefined> {
    const now = this.#options.clock.now();
    const found = await this.#record(name);
    if (!found || !isAlive(found.token, now)) return undefined;
    let above = found.token.parent;
    for (let level = 0; above !== undefined; level++) {
      const ancestor = await this.#record(above);
      if (level > ancestorLimit || !ancestor || isOver(ancestor.token, now)) return undefined;
      above = ancestor.token.parent;
    }
    return found;
  }

  /** Reads, decides and writes until nothing came between. */
  async #change(name: string, decide: (token: Token) => Token): Promise<Token | undefined> {
    for (;;) {
      const found = await this.#living(name);
      if (!found) return undefined;
      const next = decide(found.token);
      const expect = [{ key: keyOf.token(name), revision: found.revision }];
      const deletes = staleExpiry(found.token, next);
      if (await commitIfUnchanged(this.#store, { expect, puts: this.#writes(next), deletes })) return next;
    }
  }

  /** Everything that stands in the store for `token`. */
  #writes(token: Token) {
    const text = (value: unknown) => Buffer.from(JSON.stringify(value));
    const { name, parent, accessor, expiresMs } = token;
    return [
      { key: keyOf.token(name), value: text(token) },
      { key: keyOf.accessor(this.#salted(accessor)), value: text({ accessor, name }) },
      ...(parent === undefined ? [] : [{ key: keyOf.child(parent, name), value: text({}) }]),
      ...(expiresMs === undefined ? [] : [{ key: keyOf.expiry(expiresMs, name), value: text({ name }) }]),
    ];
  }

  /** Sweeps at `atMs` at the latest. */
  #sweepBy(atMs: number): void {
    if (atMs < this.#nextSweepMs) this.#sweepAt(atMs);
  }

  #sweepAt(atMs: number): void {
    this.#cancelSweep();
    if (this.#closed) return;
    const { clock, log } = this.#options;
    this.#nextSweepMs = atMs;
    this.#cancelSweep = clock.after(Math.max(0, atMs - clock.now()), () => {
      this.sweep().catch((error: unknown) => {
        log.error('expired tokens could not be removed', { error: String(error) });
        this.#sweepAt(clock.now() + sweepRetryMs);
      });
    });
  }
}

/** An expiry that a renewal moved. */
function staleExpiry(before: Token, after: Token): string[] {
  if (before.expiresMs === undefined || before.expiresMs === after.expiresMs) return [];
  return [keyOf.expiry(before.expiresMs, before.name)];
}

/** 32 random bytes that stay the same from start to start and from node to node. */
async function ensureSecret(store: Store, entropy: Entropy, key: string): Promise<Buffer> {
  for (;;) {
    const found = await store.get(key);
    if (found) return found.value;
    await commitIfUnchanged(store, {
      expect: [{ key, revision: 0 }],
      puts: [{ key, value: entropy.bytes(32) }],
    });
  }
}

function noParent(): Fault {
  return invalidRequest('parent token lookup failed: no parent found');
}
