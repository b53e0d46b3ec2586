import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { base62, type Entropy, randomText } from '../../base/entropy.ts';
import type { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { commitIfUnchanged } from '../../store/commit.ts';
import type { Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import { type Due, Expiry } from '../lease/expiry.ts';
import {
  dueLeaseKey,
  leasePathLimitBytes,
  leasePrefix,
  type TokenLeaseEntry,
  tokenLeaseId,
} from '../lease/lease-keys.ts';
import { type BatchTokens, batchPrefix, batchTokens } from './batch-tokens.ts';
import { type HoldingKind, holdingKey, holdingsOf, readHolding } from './holdings.ts';
import { isAlive, isOver, type NewToken, type PresentedToken, type Token } from './token.ts';

/** As long as Vault's, so that tools which look for leaked tokens know ours. */
const tokenLength = 91;
const accessorLength = 24;
const ancestorLimit = 100;
/** Tokens that are ended, and things of one token that end with it, at a time. */
const pageSize = 200;

const saltKey = 'token/salt';
const batchKey = 'token/batch-key';
const accessorPrefix = 'token/accessor/';
const keyOf = {
  token: (name: string) => `token/id/${name}`,
  accessor: (salted: string) => accessorPrefix + salted,
  child: (parent: string, name: string) => holdingKey(parent, 'child', name),
  lease: (token: Token) => leasePrefix + tokenLeaseId(token),
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
  byName(name: string): Promise<Token | undefined>;
  accessors(): Promise<string[]>;
  /**
   * Of either type; an `id` and what it is to hold from the beginning are for service tokens.
   *
   * @throws Fault `vault.request.invalid` where `id` exists, or the parent does not any more
   */
  create(plan: NewToken, id?: string, held?: (name: string) => readonly Holding[]): Promise<IssuedToken>;
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
  /**
   * What must hold in the store for the token to hold what is written: that it is still there as it is. Undefined
   * where it is not.
   */
  guard(name: string): Promise<{ key: string; revision: number } | undefined>;
  /** Removes what has expired; called by itself as time goes on. */
  sweep(): Promise<void>;
  /** Removes what is left of tokens that are not there any more, and answers how much that was. */
  tidy(): Promise<number>;
  close(): void;
}

export interface TokensOptions {
  store: Store;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  /** Told whenever leases have lost their token, and are to be ended. */
  onLeasesDue?: () => void;
}

export async function openTokens(options: TokensOptions): Promise<Tokens> {
  const { store, entropy } = options;
  const salt = await ensureSecret(store, entropy, saltKey);
  const batch = batchTokens(await ensureSecret(store, entropy, batchKey), entropy);
  const tokens = new TokenTable(options, salt, batch);
  await tokens.sweep();
  return tokens;
}

/** An entry below `holdingsOf` a token. */
export interface Holding {
  key: string;
  value: Buffer;
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
  readonly #expiry: Expiry;

  constructor(options: TokensOptions, salt: Buffer, batch: BatchTokens) {
    this.#options = options;
    this.#salt = createSecretKey(salt);
    this.#batch = batch;
    const end = (due: readonly Due[]) => this.#endExpired(due);
    this.#expiry = new Expiry({ ...options, prefix: 'token/expiry/', end });
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
    return this.byName(name);
  }

  async byName(name: string): Promise<Token | undefined> {
    return (await this.#living(name))?.token;
  }

  async accessors(): Promise<string[]> {
    const entries = await this.#store.list({ prefix: accessorPrefix });
    return entries
      .map(({ value }) => (JSON.parse(value.toString()) as { accessor: string }).accessor)
      .toSorted();
  }

  async create(
    plan: NewToken,
    id?: string,
    held: (name: string) => readonly Holding[] = () => [],
  ): Promise<IssuedToken> {
    if (plan.type === 'batch') return this.#createBatch(plan);
    return this.#createService(plan, held, id ?? this.#draw(tokenLength, 'hvs.'));
  }

  async #createBatch(plan: NewToken): Promise<IssuedToken> {
    if (plan.parent !== undefined && !(await this.#living(plan.parent))) throw noParent();
    const held = { ...plan, type: 'batch' as const, accessor: '' };
    const id = this.#batch.seal(held);
    return { id, token: { ...held, name: this.#salted(id) } };
  }

  async #createService(
    plan: NewToken,
    held: (name: string) => readonly Holding[],
    id: string,
  ): Promise<IssuedToken> {
    const name = this.#salted(id);
    if (Buffer.byteLength(plan.path) > leasePathLimitBytes) throw invalidRequest('the path is too long');
    const token: Token = { ...plan, name, type: 'service', accessor: this.#draw(accessorLength) };
    for (;;) {
      const expect = [{ key: keyOf.token(token.name), revision: 0 }];
      if (plan.parent !== undefined) {
        const parent = await this.#living(plan.parent);
        if (!parent) throw noParent();
        expect.push({ key: keyOf.token(plan.parent), revision: parent.revision });
      }
      if (await this.#record(token.name)) throw invalidRequest('cannot create a token with a duplicate ID');
      if (await commitIfUnchanged(this.#store, { expect, puts: [...this.#writes(token), ...held(name)] }))
        break;
    }
    if (token.expiresMs !== undefined) this.#expiry.sweepBy(token.expiresMs);
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
    await this.#revokeAll([name]);
  }

  async revokeAlone(name: string): Promise<void> {
    for (const { key, child } of await this.#children(name)) {
      while (!(await this.#orphan(child, key)));
    }
    await this.revoke(name);
  }

  async revokeMadeBelow(path: string): Promise<void> {
    const prefix = leasePrefix + path;
    for (let after: string | undefined; ; ) {
      const page = await this.#store.list({ prefix, limit: pageSize, ...(after ? { after } : {}) });
      const made = page.flatMap(
        ({ value }) => (JSON.parse(value.toString()) as Partial<TokenLeaseEntry>).ofToken ?? [],
      );
      await this.#revokeAll(made);
      if (page.length < pageSize) return;
      after = page.at(-1)!.key;
    }
  }

  async guard(name: string): Promise<{ key: string; revision: number } | undefined> {
    const found = await this.#record(name);
    return found && { key: keyOf.token(name), revision: found.revision };
  }

  sweep(): Promise<void> {
    return this.#expiry.sweep();
  }

  async tidy(): Promise<number> {
    await this.sweep();
    let removed = 0;
    for (let after: string | undefined; ; ) {
      const prefix = accessorPrefix;
      const page = await this.#store.list({ prefix, limit: pageSize, ...(after ? { after } : {}) });
      const names = page.map(({ value }) => (JSON.parse(value.toString()) as { name: string }).name);
      const records = await Promise.all(names.map((name) => this.#record(name)));
      const left = page.filter((_, at) => !records[at]);
      if (left.length > 0) await this.#store.commit({ deletes: left.map(({ key }) => key) });
      removed += left.length;
      if (page.length < pageSize) return removed;
      after = page.at(-1)!.key;
    }
  }

  close(): void {
    this.#expiry.close();
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

  /** Ends tokens before their time, with all that they hold. */
  async #revokeAll(names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length; at += pageSize) {
      const due = names.slice(at, at + pageSize).map((id) => ({ id, key: this.#expiry.key(0, id) }));
      const found = await Promise.all(due.map(({ id }) => this.#record(id)));
      // Their records first: from then on nothing below them is alive, and nothing more can come below them.
      await this.#store.commit({
        deletes: found.flatMap((record) => (record ? this.#keys(record.token) : [])),
        puts: due.map(({ key }) => ({ key, value: Buffer.from('{}') })),
      });
      await this.#endHeld(due);
    }
  }

  /** Ends tokens whose time is over; an entry of one that was renewed meanwhile only goes away. */
  async #endExpired(due: readonly Due[]): Promise<void> {
    const dueKeys = new Set(due.map(({ key }) => key));
    for (;;) {
      const now = this.#options.clock.now();
      const records = await Promise.all(due.map(({ id }) => this.#record(id)));
      const over = records.filter((record) => record && isOver(record.token, now)) as TokenRecord[];
      const renewed = due.filter((_, at) => records[at] && !over.includes(records[at]));
      const expect = over.map(({ token, revision }) => ({ key: keyOf.token(token.name), revision }));
      const keys = over.flatMap(({ token }) => this.#keys(token)).filter((key) => !dueKeys.has(key));
      const deletes = [...keys, ...renewed.map(({ key }) => key)];
      if (!(await commitIfUnchanged(this.#store, { expect, deletes }))) continue;
      return this.#endHeld(due.filter((one) => !renewed.includes(one)));
    }
  }

  /** Ends all that tokens hold whose records are gone, and then takes their entries away. */
  async #endHeld(due: readonly Due[]): Promise<void> {
    for (let left = due; left.length > 0; ) {
      const pages = await Promise.all(
        left.map(({ id }) => this.#store.list({ prefix: holdingsOf(id), limit: pageSize })),
      );
      const held = pages.flat().map(({ key }) => ({ key, ...readHolding(key) }));
      const idsOf = (kind: HoldingKind) =>
        held.filter((holding) => holding.kind === kind).map(({ id }) => id);
      await this.#revokeAll(idsOf('child'));
      const leases = idsOf('lease');
      const done = left.filter((_, at) => pages[at]!.length < pageSize);
      await this.#store.commit({
        deletes: [...held.map(({ key }) => key), ...done.map(({ key }) => key)],
        puts: leases.map((id) => ({ key: dueLeaseKey(id), value: Buffer.from('{}') })),
      });
      if (leases.length > 0) this.#options.onLeasesDue?.();
      left = left.filter((one) => !done.includes(one));
    }
  }

  async #children(name: string): Promise<{ key: string; child: string }[]> {
    const prefix = keyOf.child(name, '');
    const entries = await this.#store.list({ prefix });
    return entries.map(({ key }) => ({ key, child: key.slice(prefix.length) }));
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
      const deletes = this.#keys(found.token).filter((stale) => !this.#keys(next).includes(stale));
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
      { key: keyOf.lease(token), value: text({ ofToken: name } satisfies TokenLeaseEntry) },
      ...(parent === undefined ? [] : [{ key: keyOf.child(parent, name), value: text({}) }]),
      ...(expiresMs === undefined ? [] : [{ key: this.#expiry.key(expiresMs, name), value: text({}) }]),
    ];
  }

  #keys(token: Token): string[] {
    return this.#writes(token).map(({ key }) => key);
  }
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
