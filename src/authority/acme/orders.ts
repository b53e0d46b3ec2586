import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { serialText } from '../../x509/certificate.ts';
import type { Authority } from '../authority.ts';
import { storedSerial } from '../ledger.ts';
import type { TtlLimits } from '../validity.ts';
import type { Account } from './accounts.ts';
import { type AcmeStore, asRead, putting, type Stored } from './acme-store.ts';
import { type Authorization, deactivated, startChallenge } from './authorization.ts';
import { badCsr, checkRequest, leafOrder, readFinalization } from './certificate-request.ts';
import type { Directory } from './directory.ts';
import { checkAgainstRole } from './identifier.ts';
import { accountKeyOf } from './jwk.ts';
import {
  type CertificateRecord,
  type Order,
  type OrderPlan,
  type OrderStatus,
  orderStatus,
  planOrder,
  signingTimeMs,
} from './order.ts';
import { malformed, Problem } from './problem.ts';
import { certificateName, readCertificateName, unknownCertificate } from './renewal-info.ts';
import { newValidation } from './validations.ts';

export interface OrderView {
  order: Order;
  status: OrderStatus;
  authorizations: readonly Authorization[];
}

export interface Orders {
  /** @throws Problem */
  create(
    account: Account,
    directory: Directory,
    payload: Readonly<Record<string, unknown>>,
  ): Promise<OrderView>;
  /** @throws Problem `malformed`, status 404 */
  get(accountId: string, id: string): Promise<OrderView>;
  /** Ids, from after one on; those that are invalid left out. */
  list(accountId: string, after: string | undefined): Promise<{ ids: string[]; next: string | undefined }>;
  /** An operator's view: the first thousand. */
  all(accountId: string): Promise<OrderView[]>;
  /** Signs. @throws Problem `orderNotReady`, `badCSR` */
  finalize(
    account: Account,
    directory: Directory,
    id: string,
    payload: Readonly<Record<string, unknown>>,
  ): Promise<OrderView>;
  /** @throws Problem `malformed`, status 404 */
  authorization(accountId: string, id: string): Promise<Authorization>;
  deactivate(accountId: string, id: string): Promise<Authorization>;
  /** Has a challenge tried. */
  challenge(accountId: string, id: string, type: string): Promise<Authorization>;
  authorizations(accountId: string): Promise<Authorization[]>;
}

export interface OrdersOptions {
  store: AcmeStore;
  clock: Clock;
  entropy: Entropy;
  authority: Pick<Authority, 'leaves' | 'certificate'>;
  limits: () => TtlLimits;
  /** Called when a challenge waits to be tried. */
  onWaiting: () => void;
}

/** How many orders are listed at a time. */
const pageSize = 100;
const mostShown = 1_000;

class StoredOrders implements Orders {
  readonly #options: OrdersOptions;

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  async create(account: Account, directory: Directory, payload: Readonly<Record<string, unknown>>) {
    const { store, clock, entropy } = this.#options;
    const nowMs = clock.now();
    const plan = planOrder(payload, { accountId: account.id, nowMs, entropy });
    checkAgainstRole(plan.order.identifiers, directory.rules);
    checkTimes(plan.order, directory, nowMs);
    return store.decideAndCommit<OrderView>(async () => {
      const { order, replacement } = await this.#replacing(plan.order, payload.replaces);
      const puts = [
        putting(store.at.order(account.id, order.id), order),
        ...plan.authorizations.map((one) => putting(store.at.authorization(account.id, one.id), one)),
      ];
      const expect = replacement ? [asRead(replacement)] : [];
      if (replacement) puts.push(putting(replacement.key, { ...replacement.value, replacedBy: order.id }));
      return { batch: { expect, puts }, result: view(order, plan.authorizations, nowMs) };
    });
  }

  /** The order with the certificate whose place it takes (RFC 9773 section 5). */
  async #replacing(
    order: Order,
    replaces: unknown,
  ): Promise<{ order: Order; replacement?: Stored<CertificateRecord> }> {
    if (replaces === undefined) return { order };
    const { store } = this.#options;
    const name = readCertificateName(replaces);
    const serial = storedSerial(serialText(name.serial));
    const replacement = await store.read<CertificateRecord>(store.at.certificate(serial));
    if (replacement?.value.accountId !== order.accountId) throw unknownCertificate();
    const { identifiers, replacedBy } = replacement.value;
    if (!identifiers.some((one) => order.identifiers.some((other) => sameIdentifier(one, other)))) {
      throw malformed('the order shares no identifier with the certificate that it replaces');
    }
    if (replacedBy !== undefined && (await this.#stands(order.accountId, replacedBy))) {
      throw new Problem('alreadyReplaced', `the certificate is replaced by the order ${replacedBy}`);
    }
    return { order: { ...order, replaces: certificateName(name) }, replacement };
  }

  async #stands(accountId: string, id: string): Promise<boolean> {
    const { store, clock } = this.#options;
    const found = await store.read<Order>(store.at.order(accountId, id));
    if (!found) return false;
    return orderStatus(found.value, await this.#authorizationsOf(found.value), clock.now()) !== 'invalid';
  }

  async #read(accountId: string, id: string): Promise<Stored<Order>> {
    const { store } = this.#options;
    const found = await store.read<Order>(store.at.order(accountId, id));
    if (found) return found;
    throw new Problem('malformed', 'there is no such order', { status: 404 });
  }

  async #authorizationsOf({ accountId, authorizationIds }: Order): Promise<Authorization[]> {
    const { store } = this.#options;
    const found = await Promise.all(
      authorizationIds.map((id) => store.read<Authorization>(store.at.authorization(accountId, id))),
    );
    return found.flatMap((one) => (one ? [one.value] : []));
  }

  async get(accountId: string, id: string) {
    const { value: order } = await this.#read(accountId, id);
    return view(order, await this.#authorizationsOf(order), this.#options.clock.now());
  }

  async list(accountId: string, after: string | undefined) {
    const { store, clock } = this.#options;
    const found = await store.list<Order>(store.at.orders(accountId), {
      limit: pageSize,
      ...(after ? { after: store.at.order(accountId, after) } : {}),
    });
    const ids: string[] = [];
    for (const { value: order } of found) {
      const status = orderStatus(order, await this.#authorizationsOf(order), clock.now());
      if (status !== 'invalid') ids.push(order.id);
    }
    return { ids, next: found.length === pageSize ? found.at(-1)!.value.id : undefined };
  }

  async all(accountId: string) {
    const { store, clock } = this.#options;
    const found = await store.list<Order>(store.at.orders(accountId), { limit: mostShown });
    return Promise.all(
      found.map(async ({ value }) => view(value, await this.#authorizationsOf(value), clock.now())),
    );
  }

  async finalize(
    account: Account,
    directory: Directory,
    id: string,
    payload: Readonly<Record<string, unknown>>,
  ): Promise<OrderView> {
    const { store, clock } = this.#options;
    const csr = readFinalization(payload);
    // Of two that finalize at once, one signs.
    const { order, authorizations } = await store.decideAndCommit<OrderView>(async () => {
      const found = await this.#read(account.id, id);
      const own = await this.#authorizationsOf(found.value);
      const status = orderStatus(found.value, own, clock.now());
      if (status !== 'ready') throw new Problem('orderNotReady', `the order is ${status}, not ready`);
      checkRequest(csr, found.value, accountKeyOf(account.jwk).spki);
      const claimed: Order = { ...found.value, signingUntilMs: clock.now() + signingTimeMs };
      return {
        batch: { expect: [asRead(found)], puts: [putting(found.key, claimed)] },
        result: { order: claimed, status, authorizations: own },
      };
    });
    try {
      return await this.#sign(order, authorizations, directory, csr);
    } catch (error) {
      const { signingUntilMs: _, ...ready } = order;
      // What turned the request down is for its sender to mend: the order waits for another.
      if (isRefusal(error)) await store.commit({ puts: [putting(store.at.order(account.id, id), ready)] });
      throw error;
    }
  }

  async #sign(
    order: Order,
    authorizations: readonly Authorization[],
    directory: Directory,
    csr: ReturnType<typeof readFinalization>,
  ): Promise<OrderView> {
    const { store, clock, authority, limits } = this.#options;
    const wanted = leafOrder(order, csr, directory, { limits: limits(), nowMs: clock.now() });
    const { certificate, issuer } = await signed(authority, wanted, csr);
    const serial = storedSerial(serialText(certificate.serial));
    const { signingUntilMs: _, ...rest } = order;
    const issued: Order = {
      ...rest,
      certificate: { serial, issuerId: issuer.id, notAfterMs: certificate.notAfter },
    };
    const record: CertificateRecord = {
      accountId: order.accountId,
      orderId: order.id,
      directory: directory.path,
      identifiers: order.identifiers,
      notAfterMs: certificate.notAfter,
    };
    await store.decideAndCommit(async () => ({
      batch: {
        puts: [
          putting(store.at.order(order.accountId, order.id), issued),
          putting(store.at.certificate(serial), record),
        ],
      },
      result: undefined,
    }));
    return view(issued, authorizations, clock.now());
  }

  async #readAuthorization(accountId: string, id: string): Promise<Stored<Authorization>> {
    const { store } = this.#options;
    const found = await store.read<Authorization>(store.at.authorization(accountId, id));
    if (found) return found;
    throw new Problem('malformed', 'there is no such authorization', { status: 404 });
  }

  async authorization(accountId: string, id: string) {
    return (await this.#readAuthorization(accountId, id)).value;
  }

  deactivate(accountId: string, id: string) {
    const { store, clock } = this.#options;
    return store.decideAndCommit<Authorization>(async () => {
      const found = await this.#readAuthorization(accountId, id);
      const result = deactivated(found.value, clock.now());
      return { batch: { expect: [asRead(found)], puts: [putting(found.key, result)] }, result };
    });
  }

  async challenge(accountId: string, id: string, type: string) {
    const { store, clock, onWaiting } = this.#options;
    const authorization = await store.decideAndCommit<Authorization>(async () => {
      const found = await this.#readAuthorization(accountId, id);
      const nowMs = clock.now();
      const started = startChallenge(found.value, type, nowMs);
      if (!started) return { result: found.value };
      const challenge = started.challenges.find((one) => one.type === type)!;
      const waiting = putting(store.at.validation(id), newValidation(started, challenge.type, nowMs));
      return {
        batch: { expect: [asRead(found)], puts: [putting(found.key, started), waiting] },
        result: started,
      };
    });
    onWaiting();
    return authorization;
  }

  async authorizations(accountId: string) {
    const { store } = this.#options;
    const found = await store.list<Authorization>(store.at.authorizations(accountId));
    return found.map(({ value }) => value);
  }
}

export function storedOrders(options: OrdersOptions): Orders {
  return new StoredOrders(options);
}

function view(order: Order, authorizations: OrderPlan['authorizations'], nowMs: number): OrderView {
  return { order, status: orderStatus(order, authorizations, nowMs), authorizations };
}

function sameIdentifier(a: { type: string; value: string }, b: { type: string; value: string }): boolean {
  return a.type === b.type && a.value === b.value;
}

/** What can be known of an order's times before it is proven to be its account's. @throws Problem `malformed` */
function checkTimes({ notBeforeMs, notAfterMs }: Order, { rules, settings }: Directory, nowMs: number): void {
  if (notAfterMs !== undefined && rules.not_after_bound === 'forbid') {
    throw malformed('the role of this directory does not let notAfter be asked for');
  }
  if (notBeforeMs !== undefined && rules.not_before_bound === 'forbid') {
    throw malformed('the role of this directory does not let notBefore be asked for');
  }
  if (notAfterMs !== undefined && notAfterMs > nowMs + settings.max_ttl) {
    throw malformed(`notAfter is more than ${settings.max_ttl / 1_000} seconds away, which max_ttl allows`);
  }
}

/** Signs by the rules of the CA, whose refusals concern the request. @throws Problem `badCSR` */
async function signed(
  authority: OrdersOptions['authority'],
  wanted: Parameters<Authority['leaves']['sign']>[0],
  csr: ReturnType<typeof readFinalization>,
) {
  try {
    return await authority.leaves.sign(wanted, csr);
  } catch (error) {
    const refusal =
      error instanceof Fault && error.blame === 'caller' && /^(authority|x509)\./.test(error.code);
    if (!refusal || error.code.startsWith('authority.issuer.')) throw error;
    throw badCsr(error.message, error);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Problem;
}
