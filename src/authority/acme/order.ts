import { dayMs, minuteMs } from '../../base/duration.ts';
import { type Entropy, uuid } from '../../base/entropy.ts';
import { type Authorization, authorizationStatus, newAuthorization } from './authorization.ts';
import { type Identifier, readIdentifiers } from './identifier.ts';
import { malformed, type ProblemDocument } from './problem.ts';

/** A request for a certificate on its way (RFC 8555 section 7.1.3). */
export interface Order {
  id: string;
  accountId: string;
  identifiers: readonly Identifier[];
  authorizationIds: readonly string[];
  createdMs: number;
  expiresMs: number;
  /** As asked for. */
  notBeforeMs?: number;
  notAfterMs?: number;
  /** The certificate whose place the new one takes, as RFC 9773 section 4.1 names it. */
  replaces?: string;
  /** Until when a node that signs for it may need; past that it is taken for lost, and the order is ready again. */
  signingUntilMs?: number;
  /** There once it was issued. */
  certificate?: IssuedCertificate;
}

export interface IssuedCertificate {
  /** As it is stored: hexadecimal with dashes. */
  serial: string;
  issuerId: string;
  notAfterMs: number;
}

/** What is kept of each certificate, by its serial. */
export interface CertificateRecord {
  accountId: string;
  orderId: string;
  directory: string;
  identifiers: readonly Identifier[];
  notAfterMs: number;
  /** The order that took its place. */
  replacedBy?: string;
}

export type OrderStatus = 'pending' | 'ready' | 'processing' | 'valid' | 'invalid';

const orderLifeMs = dayMs;
/** Signing takes milliseconds; a store that stalls may need a little more. */
export const signingTimeMs = minuteMs;

/** Pure. `authorizations` are the order's own, all of them. */
export function orderStatus(
  order: Order,
  authorizations: readonly Authorization[],
  nowMs: number,
): OrderStatus {
  if (order.certificate) return 'valid';
  const statuses = authorizations.map((authorization) => authorizationStatus(authorization, nowMs));
  const over = statuses.some((status) => status !== 'pending' && status !== 'valid');
  if (over || nowMs >= order.expiresMs || statuses.length < order.authorizationIds.length) return 'invalid';
  if (order.signingUntilMs !== undefined && nowMs < order.signingUntilMs) return 'processing';
  return statuses.every((status) => status === 'valid') ? 'ready' : 'pending';
}

/** Why an order is invalid, where an authorization says so. */
export function orderProblem(authorizations: readonly Authorization[]): ProblemDocument | undefined {
  return authorizations
    .flatMap(({ challenges }) => challenges)
    .find(({ status, error }) => status === 'invalid' && error)?.error;
}

export interface OrderPlan {
  order: Order;
  authorizations: readonly Authorization[];
}

/** What a request for an order comes to, before any rule of the directory's. @throws Problem */
export function planOrder(
  payload: Readonly<Record<string, unknown>>,
  { accountId, nowMs, entropy }: { accountId: string; nowMs: number; entropy: Entropy },
): OrderPlan {
  const identifiers = readIdentifiers(payload.identifiers);
  const notBeforeMs = readInstant(payload.notBefore, 'notBefore');
  const notAfterMs = readInstant(payload.notAfter, 'notAfter');
  if (notAfterMs !== undefined && notAfterMs <= Math.max(nowMs, notBeforeMs ?? nowMs)) {
    throw malformed('notAfter must be later than now and than notBefore');
  }
  const id = uuid(entropy);
  const expiresMs = nowMs + orderLifeMs;
  const authorizations = identifiers.map((identifier) =>
    newAuthorization(identifier, { accountId, orderId: id, expiresMs, entropy }),
  );
  const order: Order = {
    id,
    accountId,
    identifiers,
    authorizationIds: authorizations.map((authorization) => authorization.id),
    createdMs: nowMs,
    expiresMs,
    ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
    ...(notAfterMs === undefined ? {} : { notAfterMs }),
  };
  return { order, authorizations };
}

function readInstant(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
  const ms = typeof value === 'string' && form.test(value) ? Date.parse(value) : NaN;
  if (Number.isFinite(ms)) return ms;
  throw malformed(`${name} is not a time like 2027-01-31T12:00:00Z`);
}
