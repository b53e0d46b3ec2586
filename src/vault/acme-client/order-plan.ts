import type { ChallengeType } from '../../authority/acme/authorization.ts';
import type { Identifier } from '../../authority/acme/identifier.ts';
import { unreadable } from './acme-session.ts';

/** An order as its CA shows it (RFC 8555 section 7.1.3). */
export interface OrderView {
  status: string;
  authorizations: readonly string[];
  finalize: string;
  certificate: string | undefined;
  error: unknown;
}

export interface ChallengeView {
  type: string;
  status: string;
  url: string;
  token: string;
  error: unknown;
}

/** RFC 8555 section 7.1.4. */
export interface AuthorizationView {
  identifier: Identifier;
  status: string;
  challenges: readonly ChallengeView[];
}

/** What is done next for an order. */
export type OrderStep =
  | { act: 'prove'; identifier: Identifier; challenge: ChallengeView }
  | { act: 'finalize' }
  | { act: 'download'; url: string }
  | { act: 'wait' }
  | { act: 'give up'; why: string; problem: unknown; of: 'order' | 'challenge' };

/**
 * Pure. `authorizations`: those that were not valid yet when last looked at; `started`: the URLs of challenges that
 * the CA was told of.
 */
export function nextOrderStep(facts: {
  order: OrderView;
  authorizations: readonly AuthorizationView[];
  started: ReadonlySet<string>;
  challengeType: ChallengeType;
}): OrderStep {
  const { order, authorizations } = facts;
  if (order.status === 'valid') {
    if (order.certificate === undefined) throw unreadable('the order is valid and has no certificate');
    return { act: 'download', url: order.certificate };
  }
  const failed = failedProof(authorizations);
  if (failed) return failed;
  if (order.status === 'ready') return { act: 'finalize' };
  if (order.status === 'pending') return nextProof(facts);
  if (order.status === 'processing') return { act: 'wait' };
  return { act: 'give up', why: `the order is ${order.status}`, problem: order.error, of: 'order' };
}

function failedProof(authorizations: readonly AuthorizationView[]): OrderStep | undefined {
  for (const { identifier, status, challenges } of authorizations) {
    if (status === 'pending' || status === 'valid') continue;
    const failed = challenges.find(({ error }) => error !== undefined && error !== null);
    const why = `${identifier.value} could not be proven${failed ? ` by ${failed.type}` : `: it is ${status}`}`;
    return { act: 'give up', why, problem: failed?.error, of: 'challenge' };
  }
  return undefined;
}

function nextProof({
  authorizations,
  started,
  challengeType,
}: Parameters<typeof nextOrderStep>[0]): OrderStep {
  for (const { identifier, status, challenges } of authorizations) {
    if (status !== 'pending') continue;
    const challenge = challenges.find(({ type }) => type === challengeType);
    if (!challenge) {
      const offered = challenges.map(({ type }) => type).join(', ');
      const why = `the ACME server does not take ${challengeType} for ${identifier.value}, but ${offered}`;
      return { act: 'give up', why, problem: undefined, of: 'order' };
    }
    if (challenge.status === 'pending' && !started.has(challenge.url)) {
      return { act: 'prove', identifier, challenge };
    }
  }
  return { act: 'wait' };
}

/** @throws Fault `vault.acme-client.answer` */
export function readOrder(body: Readonly<Record<string, unknown>>): OrderView {
  const { status, authorizations, finalize, certificate, error } = body;
  if (typeof status !== 'string' || typeof finalize !== 'string' || !isTexts(authorizations)) {
    throw unreadable('the order that the ACME server shows is none');
  }
  return {
    status,
    authorizations,
    finalize,
    certificate: typeof certificate === 'string' ? certificate : undefined,
    error,
  };
}

/** @throws Fault `vault.acme-client.answer` */
export function readAuthorization(body: Readonly<Record<string, unknown>>): AuthorizationView {
  const { identifier, status, challenges } = body;
  const { type, value } = objectOf(identifier);
  if ((type !== 'dns' && type !== 'ip') || typeof value !== 'string' || typeof status !== 'string') {
    throw unreadable('the authorization that the ACME server shows is none');
  }
  return {
    identifier: { type, value },
    status,
    challenges: (Array.isArray(challenges) ? challenges : []).flatMap(readChallenge),
  };
}

/** Those of kinds that are not known here may look otherwise. */
function readChallenge(value: unknown): ChallengeView[] {
  const { type, status, url, token, error } = objectOf(value);
  if (typeof type !== 'string' || typeof url !== 'string' || typeof token !== 'string') return [];
  return [{ type, status: typeof status === 'string' ? status : '', url, token, error }];
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
