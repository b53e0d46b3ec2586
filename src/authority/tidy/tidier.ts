import { type Cancel, sleep } from '../../base/clock.ts';
import { uuid } from '../../base/entropy.ts';
import { describeError, Fault } from '../../base/fault.ts';
import type { Ledger } from '../ledger.ts';
import { revocationKeysBelow } from '../revocation-keys.ts';
import { claimUnclaimed } from '../unclaimed.ts';
import {
  type AutoTidy,
  checkAutoTidy,
  checkTidyOptions,
  defaultAutoTidy,
  type TidyOptions,
} from './tidy-options.ts';
import {
  decideTidy,
  nothingTidied,
  type TidyCounts,
  type TidyCursor,
  type TidyRecord,
  type TidyStage,
} from './tidy-record.ts';
import { countUnclaimed, nextStage, type TidyStep, tidyCertificates, tidyRevocations } from './tidy-step.ts';

/** What ACME's part of a tidying does and counts. */
export type AcmeTidying = (options: { safetyBufferMs: number; accountSafetyBufferMs: number }) => Promise<{
  accounts: number;
  accountsRevoked: number;
  accountsDeleted: number;
  ordersDeleted: number;
}>;

/** Removes what is over, in pages, one run at a time over all nodes; what a crash left undone is gone on with. */
export interface Tidier {
  /** False where a run is under way. @throws Fault `authority.tidy.options` */
  start(options: TidyOptions): Promise<boolean>;
  /** False where none is under way; it stops after its page. */
  cancel(): Promise<boolean>;
  /** The run that is under way, or was last. */
  last(): Promise<TidyRecord | undefined>;
  auto(): Promise<AutoTidy>;
  /** @throws Fault `authority.tidy.options` */
  setAuto(auto: AutoTidy): Promise<void>;
  /** Stops; a run that is under way here is gone on with by whoever opens next. */
  close(): void;
}

export interface TidierOptions {
  ledger: Ledger;
  deleteIssuer: (id: string) => Promise<unknown>;
  acme: AcmeTidying;
}

interface Held {
  record: TidyRecord;
  revision: number;
}

export async function openTidier(options: TidierOptions): Promise<Tidier> {
  const tidier = new StoredTidier(options);
  await tidier.look();
  return tidier;
}

class StoredTidier implements Tidier {
  readonly #options: TidierOptions;
  readonly #at: ReturnType<typeof revocationKeysBelow>;
  readonly #runner: string;
  readonly #ending = new AbortController();
  #timer: Cancel = () => {};
  #running = false;
  #unfollow: (() => void) | undefined;

  constructor(options: TidierOptions) {
    const { following, prefix, entropy } = options.ledger.options;
    this.#options = options;
    this.#at = revocationKeysBelow(prefix);
    this.#runner = uuid(entropy);
    this.#unfollow = following?.follow([this.#at.tidying, this.#at.autoTidy], async () => {
      // Not waited for: it writes, and whoever writes may have to wait for followers.
      void this.#lookAgain();
    });
  }

  async start(options: TidyOptions): Promise<boolean> {
    checkTidyOptions(options);
    const before = await this.#read();
    if (before?.record.state === 'Running' || before?.record.state === 'Cancelling') return false;
    return this.#begin(options, before);
  }

  async cancel(): Promise<boolean> {
    for (let attempt = 1; attempt <= attemptLimit; attempt++) {
      const held = await this.#read();
      if (held?.record.state !== 'Running') return held?.record.state === 'Cancelling';
      if (await this.#write({ ...held.record, state: 'Cancelling' }, held.revision)) return true;
    }
    return false;
  }

  async last(): Promise<TidyRecord | undefined> {
    return (await this.#read())?.record;
  }

  async auto(): Promise<AutoTidy> {
    return (await this.#readAuto()).auto;
  }

  async setAuto(auto: AutoTidy): Promise<void> {
    checkAutoTidy(auto);
    const { ledger } = this.#options;
    const value = Buffer.from(JSON.stringify({ auto, sinceMs: ledger.options.clock.now() }));
    await ledger.decideAndCommit(async () => ({
      batch: { puts: [{ key: this.#at.autoTidy, value }] },
      result: undefined,
    }));
    await this.look();
  }

  close(): void {
    this.#ending.abort();
    this.#timer();
    this.#unfollow?.();
  }

  /** Starts or goes on where that is due, and sets the clock for when it will be. */
  async look(): Promise<void> {
    this.#timer();
    if (this.#ending.signal.aborted) return;
    const { clock } = this.#options.ledger.options;
    const [auto, held] = await Promise.all([this.#readAuto(), this.#read()]);
    // A run of this node that broke off is anyone's to go on with.
    const runner = this.#running ? this.#runner : '';
    const decision = decideTidy(auto, held?.record, { nowMs: clock.now(), runner });
    this.#timer();
    if (decision === undefined) return;
    if (typeof decision === 'object') return this.#lookIn(decision.waitMs);
    const begun = decision === 'start' ? await this.#begin(auto.auto, held) : await this.#goOn(held!);
    // Another was faster, or the mount has changed meanwhile.
    if (!begun) this.#lookIn(retryMs);
  }

  #lookIn(delayMs: number): void {
    if (this.#ending.signal.aborted) return;
    this.#timer = this.#options.ledger.options.clock.after(delayMs, () => void this.#lookAgain());
  }

  /** By the clock: where the store is out of reach, a little later. */
  async #lookAgain(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#lookIn(retryMs);
    }
  }

  async #begin(options: TidyOptions, before: Held | undefined): Promise<boolean> {
    const nowMs = this.#options.ledger.options.clock.now();
    const record: TidyRecord = {
      state: 'Running',
      options,
      cursor: { stage: 'revocations' },
      counts: nothingTidied,
      runner: this.#runner,
      seenMs: nowMs,
      startedMs: nowMs,
    };
    const revision = await this.#write(record, before?.revision ?? 0);
    if (revision === undefined) return false;
    void this.#run({ record, revision });
    return true;
  }

  async #goOn({ record, revision }: Held): Promise<boolean> {
    const mine = { ...record, runner: this.#runner, seenMs: this.#options.ledger.options.clock.now() };
    const taken = await this.#write(mine, revision);
    if (taken === undefined) return false;
    void this.#run({ record: mine, revision: taken });
    return true;
  }

  async #run(held: Held): Promise<void> {
    this.#running = true;
    try {
      await this.#steps(held).finally(() => {
        this.#running = false;
      });
      await this.look();
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** Until all is done, somebody cancels, another has taken over, or this node closes. */
  async #steps(from: Held): Promise<void> {
    const { signal } = this.#ending;
    const { clock } = this.#options.ledger.options;
    let conflicts = 0;
    for (let held: Held | undefined = from; held && !signal.aborted; ) {
      const { record, revision }: Held = held;
      if (record.state !== 'Running' && record.state !== 'Cancelling') return;
      const step: TidyStep =
        record.state === 'Cancelling' ? noStep : await this.#step(record.options, record.cursor);
      const next = after(record, step, clock.now());
      const written = await this.#write(next, revision, step.deletes);
      if (written === undefined) {
        // Cancelled, or another's: what stands there now tells.
        held = await this.#read();
        if (held?.record.runner !== this.#runner || ++conflicts > attemptLimit) return;
        continue;
      }
      held = { record: next, revision: written };
      const pauseMs = record.options.pauseMs * step.seen;
      if (pauseMs > 0) await sleep(clock, pauseMs, signal);
    }
  }

  async #step(options: TidyOptions, cursor: TidyCursor): Promise<TidyStep> {
    const { ledger } = this.#options;
    const nowMs = ledger.options.clock.now();
    const stages: Record<TidyStage, [boolean, () => Promise<TidyStep>]> = {
      revocations: [options.revokedCerts, () => tidyRevocations(ledger, options, cursor, nowMs)],
      certificates: [options.certStore, () => tidyCertificates(ledger, options, cursor, nowMs)],
      associations: [options.issuerAssociations, () => this.#whole(cursor, () => this.#associate())],
      issuers: [options.expiredIssuers, () => this.#whole(cursor, () => this.#removeIssuers(options, nowMs))],
      acme: [options.acme, () => this.#whole(cursor, () => this.#tidyAcme(options))],
    };
    const [asked, act] = stages[cursor.stage];
    return asked ? act() : { ...noStep, next: nextStage(cursor) };
  }

  /** A stage that writes by itself, and is short. */
  async #whole(cursor: TidyCursor, act: () => Promise<Partial<TidyCounts>>): Promise<TidyStep> {
    return { ...noStep, counts: await act(), next: nextStage(cursor) };
  }

  async #associate(): Promise<Partial<TidyCounts>> {
    const { ledger } = this.#options;
    const missingIssuers = await countUnclaimed(ledger);
    if (missingIssuers > 0) await claimUnclaimed(ledger);
    return { missingIssuers };
  }

  /** Their keys stay, and so does the default one. */
  async #removeIssuers({ issuerSafetyBufferMs }: TidyOptions, nowMs: number): Promise<Partial<TidyCounts>> {
    const { issuers, settings } = this.#options.ledger.holdings();
    for (const { id, certificate } of issuers) {
      if (id === settings.defaultIssuerId || certificate.notAfter + issuerSafetyBufferMs >= nowMs) continue;
      await this.#options.deleteIssuer(id);
    }
    return {};
  }

  async #tidyAcme({
    safetyBufferMs,
    acmeAccountSafetyBufferMs: accountSafetyBufferMs,
  }: TidyOptions): Promise<Partial<TidyCounts>> {
    const counts = await this.#options.acme({ safetyBufferMs, accountSafetyBufferMs });
    return {
      acmeAccounts: counts.accounts,
      acmeAccountsRevoked: counts.accountsRevoked,
      acmeAccountsDeleted: counts.accountsDeleted,
      acmeOrdersDeleted: counts.ordersDeleted,
    };
  }

  /** What went wrong is told by the status, as long as the store lets itself be written. */
  async #fail(error: unknown): Promise<void> {
    try {
      const held = await this.#read();
      if (held?.record.runner !== this.#runner || this.#ending.signal.aborted) return;
      const finishedMs = this.#options.ledger.options.clock.now();
      const told = { ...held.record, state: 'Error' as const, error: describeError(error), finishedMs };
      await this.#write(told, held.revision);
      await this.look();
    } catch (again) {
      // The run stays open in the store, and is gone on with once its silence is noticed.
      if (!(again instanceof Fault)) throw again;
      this.#lookIn(retryMs);
    }
  }

  async #read(): Promise<Held | undefined> {
    const entry = await this.#options.ledger.options.store.get(this.#at.tidying);
    return entry && { record: JSON.parse(entry.value.toString()) as TidyRecord, revision: entry.revision };
  }

  async #readAuto(): Promise<{ auto: AutoTidy; sinceMs: number }> {
    const entry = await this.#options.ledger.options.store.get(this.#at.autoTidy);
    if (!entry) return { auto: defaultAutoTidy, sinceMs: 0 };
    return JSON.parse(entry.value.toString()) as { auto: AutoTidy; sinceMs: number };
  }

  /** The new revision; undefined where another was faster. */
  async #write(
    record: TidyRecord,
    revision: number,
    deletes: readonly string[] = [],
  ): Promise<number | undefined> {
    const { store, guard, following } = this.#options.ledger.options;
    const key = this.#at.tidying;
    const batch = { puts: [{ key, value: Buffer.from(JSON.stringify(record)) }], deletes };
    try {
      return await store.commit({ ...batch, expect: [guard(), { key, revision }] });
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'store.conflict') throw error;
      await following?.fresh();
      return undefined;
    }
  }
}

const retryMs = 10_000;
/** More conflicts than this mean that the mount is gone. */
const attemptLimit = 10;
const noStep: TidyStep = { deletes: [], counts: {}, next: undefined, seen: 0 };

/** The record once `step` is done. */
function after(record: TidyRecord, { counts, next }: TidyStep, nowMs: number): TidyRecord {
  if (record.state === 'Cancelling') return { ...record, state: 'Cancelled', finishedMs: nowMs };
  const names = Object.keys(record.counts) as (keyof TidyCounts)[];
  const sum = Object.fromEntries(names.map((name) => [name, record.counts[name] + (counts[name] ?? 0)]));
  const whole = { ...record, counts: sum as unknown as TidyCounts, seenMs: nowMs };
  return next ? { ...whole, cursor: next } : { ...whole, state: 'Finished', finishedMs: nowMs };
}
