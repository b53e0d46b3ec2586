import type { Account } from '../../authority/acme/accounts.ts';
import {
  type Authorization,
  authorizationStatus,
  type Challenge,
} from '../../authority/acme/authorization.ts';
import { orderProblem } from '../../authority/acme/order.ts';
import type { OrderView } from '../../authority/acme/orders.ts';

// ACME's objects as they go over the wire (RFC 8555 section 7.1). `base` is the URL of the directory without a slash
// at its end.

/** RFC 3339, to the second. */
export function instant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

export const accountUrl = (base: string, { id }: Pick<Account, 'id'>) => `${base}/account/${id}`;
export const orderUrl = (base: string, id: string) => `${base}/order/${id}`;
export const authorizationUrl = (base: string, id: string) => `${base}/authorization/${id}`;

export function accountObject(
  base: string,
  { status, contact, termsAgreed }: Account,
): Record<string, unknown> {
  return {
    status,
    ...(contact.length > 0 ? { contact } : {}),
    ...(termsAgreed ? { termsOfServiceAgreed: true } : {}),
    orders: `${base}/orders`,
  };
}

export function orderObject(
  base: string,
  { order, status, authorizations }: OrderView,
): Record<string, unknown> {
  const url = orderUrl(base, order.id);
  const error = status === 'invalid' ? orderProblem(authorizations) : undefined;
  return {
    status,
    expires: instant(order.expiresMs),
    identifiers: order.identifiers,
    ...(order.notBeforeMs === undefined ? {} : { notBefore: instant(order.notBeforeMs) }),
    ...(order.notAfterMs === undefined ? {} : { notAfter: instant(order.notAfterMs) }),
    authorizations: order.authorizationIds.map((id) => authorizationUrl(base, id)),
    finalize: `${url}/finalize`,
    ...(status === 'valid' ? { certificate: `${url}/cert` } : {}),
    ...(order.replaces === undefined ? {} : { replaces: order.replaces }),
    ...(error ? { error } : {}),
  };
}

export function authorizationObject(
  base: string,
  authorization: Authorization,
  nowMs: number,
): Record<string, unknown> {
  const { identifier, wildcard, expiresMs, challenges } = authorization;
  const status = authorizationStatus(authorization, nowMs);
  // What has been tried is of interest then, not what else could have been.
  const shown = status === 'pending' ? challenges : challenges.filter((one) => one.status !== 'pending');
  return {
    identifier,
    status,
    expires: instant(expiresMs),
    challenges: shown.map((challenge) => challengeObject(base, authorization, challenge)),
    ...(wildcard ? { wildcard: true } : {}),
  };
}

export function challengeObject(
  base: string,
  { id }: Pick<Authorization, 'id'>,
  { type, token, status, validatedMs, error }: Challenge,
): Record<string, unknown> {
  return {
    type,
    url: `${base}/challenge/${id}/${type}`,
    status,
    token,
    ...(validatedMs === undefined ? {} : { validated: instant(validatedMs) }),
    ...(error ? { error } : {}),
  };
}
