import type { Cancel, Clock } from '../../base/clock.ts';
import { secondMs } from '../../base/duration.ts';
import { describeError, Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { Following } from '../../store/following.ts';
import type { Batch } from '../../store/store.ts';
import type { Account } from './accounts.ts';
import { type AcmeStore, asRead, putting, type Stored } from './acme-store.ts';
import {
  type Authorization,
  authorizationStatus,
  type ChallengeType,
  challengeOf,
  type Outcome,
  settleChallenge,
} from './authorization.ts';
import { tryChallenge } from './challenge-rules.ts';
import { accountKeyOf } from './jwk.ts';
import type { Prober } from './prober.ts';
import type { ProblemDocument } from './problem.ts';

/** A challenge that is to be tried; it stands in the store until it is settled, so no restart loses it. */
export interface Validation {
  accountId: string;
  authorizationId: string;
  type: ChallengeType;
  /** Tries so far. */
  tries: number;
  dueMs: number;
  /** A node is at it until then; past that it is taken to be gone. */
  claimedUntilMs: number;
}

/** Waits between tries: a client that says it is ready mostly is, or its record is still on its way. */
const retryDelaysMs = [2, 4, 8, 16, 32].map((seconds) => seconds * secondMs);
/** Longer than any try takes. */
const claimMs = 45 * secondMs;
/** What one node tries at a time. */
const mostAtOnce = 16;
/** What is looked at in one go. */
const pageSize = 200;
/** When to look again where the store could not be read. */
const troubleDelayMs = 5 * secondMs;

/** What to try now, and when to look again; pure. `busy` are the ids of those that this node is at. */
export function planValidations(
  waiting: readonly Validation[],
  { nowMs, busy }: { nowMs: number; busy: ReadonlySet<string> },
): { start: Validation[]; lookAgainMs: number | undefined } {
  const free = waiting.filter(({ authorizationId }) => !busy.has(authorizationId));
  const readyMs = ({ dueMs, claimedUntilMs }: Validation) => Math.max(dueMs, claimedUntilMs);
  const ready = free.filter((one) => readyMs(one) <= nowMs);
  const later = free.filter((one) => readyMs(one) > nowMs).map(readyMs);
  return {
    start: ready.slice(0, Math.max(0, mostAtOnce - busy.size)),
    // What is ready and finds no room is taken when one of the busy ends.
    lookAgainMs: later.length > 0 ? Math.min(...later) : undefined,
  };
}

export function newValidation(authorization: Authorization, type: ChallengeType, nowMs: number): Validation {
  const { accountId, id: authorizationId } = authorization;
  return { accountId, authorizationId, type, tries: 0, dueMs: nowMs, claimedUntilMs: 0 };
}

/** After how long the next try comes; undefined where that was the last. */
export function retryDelay(tries: number): number | undefined {
  return retryDelaysMs[tries - 1];
}

function expecting(key: string, revision: number) {
  return { expect: [{ key, revision }] };
}

export interface ValidatorOptions {
  store: AcmeStore;
  clock: Clock;
  log: Log;
  prober: Prober;
  resolver: () => Promise<string>;
  following?: Following;
}

/**
 * Tries the challenges that wait in the store, here or on another node: whoever claims one first. A node looks when
 * it starts, when one is added or falls due, and when another node's is seen to have changed, which the client that
 * polls for its result brings about.
 */
export class Validator {
  readonly #options: ValidatorOptions;
  readonly #busy = new Map<string, Promise<void>>();
  #timer: Cancel | undefined;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  readonly #ending = new AbortController();
  readonly #unfollow: (() => void) | undefined;

  constructor(options: ValidatorOptions) {
    this.#options = options;
    this.#unfollow = options.following?.follow([options.store.at.validations()], async () => this.look());
  }

  get #closed(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Looks for what there is to do, soon. */
  look(): void {
    if (this.#closed) return;
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = this.#lookOnce()
      .catch((error: unknown) => this.#trouble('the challenges that wait could not be read', error))
      .finally(() => {
        this.#looking = undefined;
        if (this.#lookAgain) {
          this.#lookAgain = false;
          this.look();
        }
      });
  }

  /** Ends the waiting, and what is being tried: that is for another node, or for this one's next start. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#unfollow?.();
    this.#timer?.();
    await this.#looking;
    await Promise.all(this.#busy.values());
  }

  async #lookOnce(): Promise<void> {
    const { store, clock } = this.#options;
    let lookAgainMs: number | undefined;
    for (let after: string | undefined; ; ) {
      const range = { limit: pageSize, ...(after === undefined ? {} : { after }) };
      const page = await store.list<Validation>(store.at.validations(), range);
      if (this.#closed) return;
      const byId = new Map(page.map((one) => [one.value.authorizationId, one]));
      const plan = planValidations(
        page.map(({ value }) => value),
        { nowMs: clock.now(), busy: new Set(this.#busy.keys()) },
      );
      for (const { authorizationId } of plan.start) this.#start(byId.get(authorizationId)!);
      lookAgainMs = Math.min(lookAgainMs ?? Infinity, plan.lookAgainMs ?? Infinity);
      // What stands behind is looked at when one of the busy ends.
      if (page.length < pageSize || this.#busy.size >= mostAtOnce) break;
      after = page.at(-1)!.key;
    }
    this.#wakeAt(Number.isFinite(lookAgainMs) ? lookAgainMs : undefined);
  }

  #wakeAt(ms: number | undefined): void {
    this.#timer?.();
    const { clock } = this.#options;
    this.#timer = ms === undefined ? undefined : clock.after(ms - clock.now(), () => this.look());
  }

  #trouble(what: string, error: unknown): void {
    const { log, clock } = this.#options;
    log.warn(what, { error: describeError(error) });
    if (!this.#closed) this.#wakeAt(clock.now() + troubleDelayMs);
  }

  #start(stored: Stored<Validation>): void {
    const { authorizationId } = stored.value;
    const trying = this.#try(stored)
      .catch((error: unknown) => this.#trouble('a challenge could not be tried', error))
      .finally(() => {
        this.#busy.delete(authorizationId);
        this.look();
      });
    this.#busy.set(authorizationId, trying);
  }

  async #try({ key, revision, value }: Stored<Validation>): Promise<void> {
    const { store, clock, following } = this.#options;
    const claimed: Validation = { ...value, tries: value.tries + 1, claimedUntilMs: clock.now() + claimMs };
    let claim: number;
    try {
      claim = await store.commit({ expect: [{ key, revision }], puts: [putting(key, claimed)] });
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'store.conflict') throw error;
      // Another node was quicker, or what the guard is read from is out of date.
      await following?.fresh();
      return;
    }
    const [account, authorization] = await Promise.all([
      store.read<Account>(store.at.account(value.accountId)),
      store.read<Authorization>(store.at.authorization(value.accountId, value.authorizationId)),
    ]);
    const settled = { ...expecting(key, claim), deletes: [key] };
    const open = authorization && authorizationStatus(authorization.value, clock.now()) === 'pending';
    if (account?.value.status !== 'valid' || !open) {
      await store.commit(settled);
      return;
    }
    const problem = await this.#attempt(account.value, authorization.value, value.type);
    if (problem && this.#closed)
      await store.commit({ ...expecting(key, claim), puts: [putting(key, value)] });
    else await store.commit(this.#settle(authorization, claimed, problem, settled));
  }

  async #attempt(account: Account, authorization: Authorization, type: ChallengeType) {
    const { prober, resolver } = this.#options;
    return tryChallenge(
      {
        identifier: authorization.identifier,
        challenge: challengeOf(authorization, type),
        thumbprint: accountKeyOf(account.jwk).thumbprint,
        resolver: await resolver(),
        signal: this.#ending.signal,
      },
      prober,
    );
  }

  /** What a try leaves in the store. */
  #settle(
    { value, ...read }: Stored<Authorization>,
    validation: Validation,
    problem: ProblemDocument | undefined,
    { expect, deletes }: { expect: { key: string; revision: number }[]; deletes: string[] },
  ): Batch {
    const { clock, log, store } = this.#options;
    const nowMs = clock.now();
    const delayMs = problem && retryDelay(validation.tries);
    const outcome: Outcome = problem ? { problem, last: delayMs === undefined } : 'proven';
    const settled = putting(read.key, settleChallenge(value, validation.type, outcome, nowMs));
    log.info('a challenge was tried', {
      identifier: value.identifier.value,
      type: validation.type,
      tries: validation.tries,
      ...(problem ? { problem: `${problem.type}: ${problem.detail}` } : {}),
    });
    if (delayMs === undefined) return { expect: [...expect, asRead(read)], puts: [settled], deletes };
    const next: Validation = { ...validation, dueMs: nowMs + delayMs, claimedUntilMs: 0 };
    return {
      expect: [...expect, asRead(read)],
      puts: [settled, putting(store.at.validation(validation.authorizationId), next)],
    };
  }
}
