import type { Clock } from '../../base/clock.ts';
import { hourMs } from '../../base/duration.ts';
import { base62, type Entropy, randomText } from '../../base/entropy.ts';
import { describeError } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { commitIfUnchanged } from '../../store/commit.ts';
import type { Store } from '../../store/store.ts';
import { failed, invalidRequest, permissionDenied } from '../faults.ts';
import { holdingKey } from '../token/holdings.ts';
import { type LeaseLimits, leaseLifetime } from '../token/lifetime.ts';
import type { Token } from '../token/token.ts';
import type { Tokens } from '../token/tokens.ts';
import { type Due, Expiry } from './expiry.ts';
import type { Lease, LeaseGrant, ShownLease } from './lease.ts';
import {
  dueLeaseKey,
  leaseExpiryPrefix,
  leasePathLimitBytes,
  leasePrefix,
  type TokenLeaseEntry,
} from './lease-keys.ts';

const idLength = 24;
const pageSize = 200;
const irrevocablePrefix = 'lease/irrevocable/';
/** After so many failures a lease is left to an operator, as in Vault. */
const attemptLimit = 6;
const firstRetryMs = 10_000;

export interface LeaseRequest {
  path: string;
  token: Token;
  grant: LeaseGrant;
  limits: LeaseLimits;
}

/**
 * The leases of a server. Each ends by the clock, with its token, or where somebody ends it; what that means for what
 * was leased is for the engine to say that gave it out.
 */
export interface Leases {
  /** What it is for is revoked again where there can be no lease. @throws Fault `vault.request.invalid` */
  grant(request: LeaseRequest): Promise<{ lease: Lease; warnings: string[] }>;
  /** A token's too; undefined for one that is unknown or over. */
  lookup(id: string): Promise<ShownLease | undefined>;
  /** @throws Fault `vault.request.invalid` in Vault's words */
  renew(
    id: string,
    incrementMs: number,
    limitsOf: (lease: Lease) => LeaseLimits,
  ): Promise<{ lease: Lease; warnings: string[] }>;
  /** Ends it, or lets the next sweep do so. @throws Fault `vault.request.failed` where its engine cannot */
  revoke(id: string, how: { later: boolean }): Promise<void>;
  /** All below a path, tokens included; `force` forgets those that an engine cannot revoke. */
  revokeBelow(path: string, how: { force: boolean; later: boolean }): Promise<void>;
  /** Names and folders directly below `prefix`, which is empty or ends in a slash. */
  list(prefix: string): Promise<string[]>;
  /** Those that could not be revoked, in order. */
  irrevocable(): Promise<Lease[]>;
  /** Ends leases whose token is gone; answers how many. */
  tidy(): Promise<number>;
  /** Ends what is over; from then on by itself. */
  sweep(): Promise<void>;
  /** What has lost its token is to be ended soon. */
  sweepSoon(): void;
  close(): void;
}

export interface LeasesOptions {
  store: Store;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  tokens: Tokens;
  /** Ends what was leased at the path of `lease`; nothing where no engine is mounted there any more. */
  revoke: (lease: Pick<Lease, 'path' | 'internal'>) => Promise<void>;
}

export class LeaseTable implements Leases {
  readonly #options: LeasesOptions;
  readonly #expiry: Expiry;

  constructor(options: LeasesOptions) {
    this.#options = options;
    this.#expiry = new Expiry({
      ...options,
      prefix: leaseExpiryPrefix,
      end: (due) => this.#endDue(due),
    });
  }

  async grant(request: LeaseRequest): Promise<{ lease: Lease; warnings: string[] }> {
    try {
      return await this.#grant(request);
    } catch (error) {
      // What nobody is told of, nobody may keep.
      await this.#options.revoke({ path: request.path, internal: request.grant.internal });
      throw error;
    }
  }

  async #grant({ path, token, grant, limits }: LeaseRequest) {
    const { clock, entropy, store, tokens } = this.#options;
    if (token.numUses < 0) {
      throw invalidRequest(
        'Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.',
      );
    }
    if (Buffer.byteLength(path) > leasePathLimitBytes)
      throw invalidRequest('the path is too long for a lease');
    const nowMs = clock.now();
    const askedMs = Math.max(grant.untilMs - nowMs, 1);
    const asked = { incrementMs: 0, ttlMs: askedMs, periodMs: 0, explicitMaxTtlMs: 0, startMs: nowMs };
    const { ttlMs, warnings } = leaseLifetime(asked, limits, nowMs);
    // What a batch token is given ends with that token, and with the one above it.
    const latestMs = token.type === 'batch' ? token.expiresMs : undefined;
    const holder = token.type === 'batch' ? token.parent : token.name;
    const expiresMs = Math.min(nowMs + ttlMs, latestMs ?? Infinity);
    const lease: Lease = {
      id: `${path}/${randomText(entropy, idLength, base62)}`,
      path,
      ...(holder === undefined ? {} : { token: holder }),
      issuedMs: nowMs,
      expiresMs,
      ttlMs: expiresMs - nowMs,
      ...(latestMs === undefined ? {} : { latestMs }),
      renewable: grant.renewable,
      internal: grant.internal,
    };
    for (;;) {
      const guard = holder === undefined ? undefined : await tokens.guard(holder);
      if (holder !== undefined && !guard) throw permissionDenied();
      if (await commitIfUnchanged(store, { expect: guard ? [guard] : [], puts: this.#writes(lease) })) break;
    }
    this.#expiry.sweepBy(expiresMs);
    return { lease, warnings };
  }

  async lookup(id: string): Promise<ShownLease | undefined> {
    const { tokens, clock } = this.#options;
    const found = await this.#record(id);
    if (!found) return undefined;
    if ('lease' in found)
      return found.lease.expiresMs > clock.now() || found.lease.failure ? found.lease : undefined;
    const token = await tokens.byName(found.token);
    return (
      token && {
        id,
        path: token.path,
        issuedMs: token.createdMs,
        expiresMs: token.expiresMs,
        renewable: token.renewable,
        ...(token.renewedMs === undefined ? {} : { renewedMs: token.renewedMs }),
      }
    );
  }

  async renew(id: string, incrementMs: number, limitsOf: (lease: Lease) => LeaseLimits) {
    const { store, clock } = this.#options;
    for (;;) {
      const found = await this.#record(id);
      if (!found) throw invalidRequest('lease not found');
      if ('token' in found) {
        const token = await this.#options.tokens.byName(found.token);
        throw invalidRequest(
          token?.renewable ? 'tokens cannot be renewed through this endpoint' : 'lease is not renewable',
        );
      }
      const { lease, revision } = found;
      const nowMs = clock.now();
      assertRenewable(lease, nowMs);
      const asked = { ...lease, incrementMs, periodMs: 0, explicitMaxTtlMs: 0, startMs: lease.issuedMs };
      const { ttlMs, warnings } = leaseLifetime(asked, limitsOf(lease), nowMs);
      const expiresMs = Math.min(nowMs + ttlMs, lease.latestMs ?? Infinity);
      const renewed: Lease = { ...lease, expiresMs, ttlMs: expiresMs - nowMs, renewedMs: nowMs };
      const puts = this.#writes(renewed);
      const deletes = this.#keys(lease).filter((key) => !puts.some((put) => put.key === key));
      const expect = [{ key: leasePrefix + id, revision }];
      if (!(await commitIfUnchanged(store, { expect, puts, deletes }))) continue;
      this.#expiry.sweepBy(expiresMs);
      return { lease: renewed, warnings };
    }
  }

  async revoke(id: string, { later }: { later: boolean }): Promise<void> {
    const { store, clock, tokens } = this.#options;
    const found = await this.#record(id);
    if (!found) return;
    if ('token' in found) return tokens.revoke(found.token);
    if (!later) return this.#end(found.lease);
    await store.commit({ puts: [{ key: dueLeaseKey(id), value: empty }] });
    this.#expiry.sweepBy(clock.now());
  }

  async revokeBelow(path: string, { force, later }: { force: boolean; later: boolean }): Promise<void> {
    const { tokens, log } = this.#options;
    await tokens.revokeMadeBelow(path);
    for (let after: string | undefined; ; ) {
      const page = await this.#page(leasePrefix + path, after);
      for (const { key } of page) {
        const id = key.slice(leasePrefix.length);
        try {
          await this.revoke(id, { later });
        } catch (error) {
          if (!force) throw failed(`failed to revoke ${JSON.stringify(id)}: ${describeError(error)}`, error);
          log.warn('a lease is forgotten that could not be revoked', {
            lease: id,
            error: describeError(error),
          });
          await this.#forget(id);
        }
      }
      if (page.length < pageSize) return;
      after = page.at(-1)!.key;
    }
  }

  async list(prefix: string): Promise<string[]> {
    const names: string[] = [];
    const whole = leasePrefix + prefix;
    for (let after: string | undefined; ; ) {
      const page = await this.#page(whole, after);
      for (const { key } of page) {
        const rest = key.slice(whole.length);
        const name = rest.includes('/') ? rest.slice(0, rest.indexOf('/') + 1) : rest;
        if (names.at(-1) !== name) names.push(name);
      }
      if (page.length < pageSize) return names;
      // What else there is in the last folder need not be read.
      const last = names.at(-1)!;
      after = last.endsWith('/') ? `${whole}${last}\u{10ffff}` : page.at(-1)!.key;
    }
  }

  async irrevocable(): Promise<Lease[]> {
    const entries = await this.#options.store.list({ prefix: irrevocablePrefix });
    const found = await Promise.all(
      entries.map(({ key }) => this.#record(key.slice(irrevocablePrefix.length))),
    );
    return found.flatMap((record) => (record && 'lease' in record ? record.lease : []));
  }

  async tidy(): Promise<number> {
    const { tokens } = this.#options;
    let ended = 0;
    for (let after: string | undefined; ; ) {
      const page = await this.#page(leasePrefix, after);
      for (const { key } of page) {
        const id = key.slice(leasePrefix.length);
        const found = await this.#record(id);
        const holder = found && ('token' in found ? found.token : found.lease.token);
        if (!found || holder === undefined || (await tokens.guard(holder))) continue;
        if ('token' in found) await this.#forget(id);
        else await this.revoke(id, { later: true });
        ended += 1;
      }
      if (page.length < pageSize) return ended;
      after = page.at(-1)!.key;
    }
  }

  sweep(): Promise<void> {
    return this.#expiry.sweep();
  }

  sweepSoon(): void {
    this.#expiry.sweepBy(this.#options.clock.now());
  }

  close(): void {
    this.#expiry.close();
  }

  #page(prefix: string, after: string | undefined) {
    return this.#options.store.list({ prefix, limit: pageSize, ...(after ? { after } : {}) });
  }

  async #record(id: string): Promise<{ lease: Lease; revision: number } | { token: string } | undefined> {
    if (id === '' || Buffer.byteLength(id) > leasePathLimitBytes + 100 || id.includes('\0')) return undefined;
    const entry = await this.#options.store.get(leasePrefix + id);
    if (!entry) return undefined;
    const record = JSON.parse(entry.value.toString()) as Lease | TokenLeaseEntry;
    return 'ofToken' in record ? { token: record.ofToken } : { lease: record, revision: entry.revision };
  }

  /** What is revoked is removed in one write, whatever the engines wrote for it. */
  async #endDue(due: readonly Due[]): Promise<void> {
    const deletes = await Promise.all(due.map((one) => this.#revokeDue(one)));
    await this.#options.store.commit({ deletes: deletes.flat() });
  }

  /** Answers what is to be removed with it. */
  async #revokeDue({ key, id }: Due): Promise<string[]> {
    const { clock, log } = this.#options;
    const found = await this.#record(id);
    const lease = found && 'lease' in found ? found.lease : undefined;
    if (!lease || (key !== dueLeaseKey(id) && lease.expiresMs > clock.now())) {
      return [key];
    }
    try {
      await this.#options.revoke(lease);
      return [...this.#entries(lease), key];
    } catch (error) {
      const failures = (lease.failures ?? 0) + 1;
      log.warn('a lease could not be revoked', { lease: id, failures, error: describeError(error) });
      await this.#postpone({ ...lease, failures, failure: describeError(error) }, key);
      return [];
    }
  }

  /** Tries again later, and later still; in the end it is left to an operator. */
  async #postpone(lease: Lease, dueKey: string): Promise<void> {
    const { store, clock } = this.#options;
    const waitMs = Math.min(firstRetryMs * 2 ** ((lease.failures ?? 1) - 1), hourMs);
    const expiresMs = clock.now() + waitMs;
    // Its token may be gone, and shall hold nothing more.
    const { token: _, ...loose } = lease;
    const given: Lease = { ...loose, expiresMs };
    const again = (lease.failures ?? 0) < attemptLimit;
    const [record, ...others] = this.#writes(given);
    const abandoned = { key: irrevocablePrefix + lease.id, value: empty };
    await store.commit({
      deletes: [...new Set([dueKey, ...this.#keys(lease)])].filter((key) => key !== record!.key),
      puts: again ? [record!, ...others] : [record!, abandoned],
    });
    if (again) this.#expiry.sweepBy(expiresMs);
  }

  async #end(lease: Lease): Promise<void> {
    await this.#options.revoke(lease);
    await this.#options.store.commit({ deletes: this.#entries(lease) });
  }

  /** Everything that may stand in the store for it. */
  #entries(lease: Lease): string[] {
    return [...this.#keys(lease), irrevocablePrefix + lease.id];
  }

  async #forget(id: string): Promise<void> {
    const found = await this.#record(id);
    const deletes = found && 'lease' in found ? this.#entries(found.lease) : [leasePrefix + id];
    await this.#options.store.commit({ deletes });
  }

  /** Everything that stands in the store for `lease`, its record first. */
  #writes(lease: Lease): { key: string; value: Buffer }[] {
    return [
      { key: leasePrefix + lease.id, value: Buffer.from(JSON.stringify(lease)) },
      { key: this.#expiry.key(lease.expiresMs, lease.id), value: empty },
      ...(lease.token === undefined
        ? []
        : [{ key: holdingKey(lease.token, 'lease', lease.id), value: empty }]),
    ];
  }

  #keys(lease: Lease): string[] {
    return this.#writes(lease).map(({ key }) => key);
  }
}

const empty = Buffer.from('{}');

function assertRenewable(lease: Lease, nowMs: number): void {
  if (lease.failure !== undefined) {
    throw invalidRequest('lease is expired and has failed previous revocation attempts');
  }
  if (nowMs >= lease.expiresMs) throw invalidRequest('lease expired');
  if (!lease.renewable) throw invalidRequest('lease is not renewable');
}
