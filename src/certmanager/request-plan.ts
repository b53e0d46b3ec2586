import { Fault } from '../base/fault.ts';
import type { Condition } from '../kube/resource.ts';
import { retryDelayMs } from './backoff.ts';
import { conditionOf, epochMs, hasCondition, rfc3339, withCondition } from './conditions.ts';
import { issuerType } from './issuer-plan.ts';
import {
  type CertificateRequest,
  type CertificateRequestStatus,
  group,
  type Issuer,
  issuerIdentity,
} from './kinds.ts';
import { mayPass } from './vault-fault.ts';

export interface RequestEvent {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  /** Whose work it tells of; events are reported under that name. */
  by: 'approver' | 'issuer-vault';
}

export type RequestStep =
  /** Nothing, now or until something changes. */
  | { do: 'nothing' }
  | {
      do: 'write status';
      status: CertificateRequestStatus;
      events: readonly RequestEvent[];
      againInMs?: number;
    }
  | { do: 'sign'; issuer: Issuer };

export interface RequestFacts {
  request: CertificateRequest;
  /** What the request names, where there is such an issuer. */
  issuer: Issuer | undefined;
  /** Whether every request is approved here; otherwise an approver of the user's does that. */
  approves: boolean;
}

const approval = 'Certificate request has been approved by cert-manager.io';
const issued = 'Certificate fetched from issuer successfully';

const nothing: RequestStep = { do: 'nothing' };

type Check = (facts: RequestFacts, nowMs: number) => RequestStep | undefined;

/** What may keep a request from being signed, in upstream's order. The first that answers decides. */
const checks: readonly Check[] = [
  ({ request }) => (issuerIdentity(request.spec.issuerRef).group === group ? undefined : nothing),
  ({ request }) => (request.metadata.deletionTimestamp === undefined ? undefined : nothing),
  denied,
  ({ request }) => (hasCondition(request, 'InvalidRequest', 'True') ? nothing : undefined),
  ({ request }) => (['Failed', 'Issued'].includes(readyReason(request) ?? '') ? nothing : undefined),
  unapproved,
  issuerMissing,
  issuerNotReady,
  ({ request }) => (request.status?.certificate ? nothing : undefined),
];

export function decideRequest(facts: RequestFacts, nowMs: number): RequestStep {
  for (const check of checks) {
    const step = check(facts, nowMs);
    if (step) return step;
  }
  return { do: 'sign', issuer: facts.issuer! };
}

function denied({ request }: RequestFacts, nowMs: number): RequestStep | undefined {
  if (!hasCondition(request, 'Denied', 'True')) return undefined;
  if (readyReason(request) === 'Denied') return nothing;
  const message = 'The CertificateRequest was denied by an approval controller';
  const status = withReady(request, { status: 'False', reason: 'Denied', message }, nowMs);
  return {
    do: 'write status',
    status: { ...status, failureTime: request.status?.failureTime ?? rfc3339(nowMs) },
    events: [],
  };
}

function unapproved({ request, approves }: RequestFacts, nowMs: number): RequestStep | undefined {
  if (hasCondition(request, 'Approved', 'True')) return undefined;
  if (!approves) return nothing;
  const change = { type: 'Approved', status: 'True', reason: group, message: approval } as const;
  return {
    do: 'write status',
    status: { ...request.status, conditions: withCondition(request.status?.conditions, change, nowMs) },
    events: [{ type: 'Normal', reason: group, message: approval, by: 'approver' }],
  };
}

function issuerMissing({ request, issuer }: RequestFacts, nowMs: number): RequestStep | undefined {
  if (issuer) return undefined;
  const { kind, name } = issuerIdentity(request.spec.issuerRef);
  const plural = kind === 'ClusterIssuer' ? 'clusterissuer' : 'issuer';
  const message = `Referenced ${JSON.stringify(kind)} not found: ${plural}.${group} ${JSON.stringify(name)} not found`;
  return pending(request, { reason: 'IssuerNotFound', message }, nowMs);
}

function issuerNotReady({ request, issuer }: RequestFacts, nowMs: number): RequestStep | undefined {
  if (issuerType(issuer!) === undefined) {
    const { namespace = '', name } = issuer!.metadata;
    const message = `Missing issuer type: no issuer specified for Issuer '${namespace}/${name}'`;
    return pending(request, { reason: 'IssuerTypeMissing', message }, nowMs);
  }
  if (hasCondition(issuer!, 'Ready', 'True')) return undefined;
  const message = 'Referenced issuer does not have a Ready status condition';
  return pending(request, { reason: 'IssuerNotReady', message }, nowMs);
}

/** Waits for a change, not for a time; written once, told of once. */
function pending(
  request: CertificateRequest,
  { reason, message }: { reason: string; message: string },
  nowMs: number,
): RequestStep {
  const before = conditionOf(request, 'Ready');
  if (before?.reason === 'Pending' && before.message === message) return nothing;
  return {
    do: 'write status',
    status: withReady(request, { status: 'False', reason: 'Pending', message }, nowMs),
    events: before?.reason === 'Pending' ? [] : [{ type: 'Normal', reason, message, by: 'issuer-vault' }],
  };
}

/** How an attempt to have a request signed ended. */
export type SigningOutcome =
  /** Both PEM. */
  | { ended: 'signed'; certificate: string; ca: string | undefined }
  /** Before Vault was asked to sign: Secrets, connection, login. */
  | { ended: 'no client'; error: unknown }
  | { ended: 'not signed'; error: unknown }
  /** What Vault answered is no certificate of any use. */
  | { ended: 'unusable'; error: unknown };

/** What an attempt makes of a request. */
export function afterSigning(
  request: CertificateRequest,
  outcome: SigningOutcome,
  nowMs: number,
): RequestStep & { do: 'write status' } {
  switch (outcome.ended) {
    case 'signed':
      return {
        do: 'write status',
        status: {
          ...withReady(request, { status: 'True', reason: 'Issued', message: issued }, nowMs),
          certificate: base64(outcome.certificate),
          ...(outcome.ca === undefined ? {} : { ca: base64(outcome.ca) }),
        },
        events: [{ type: 'Normal', reason: 'CertificateIssued', message: issued, by: 'issuer-vault' }],
      };
    case 'no client': {
      const missing = outcome.error instanceof Fault && outcome.error.code === 'certmanager.secret.missing';
      const what = missing
        ? 'Required secret resource not found'
        : 'Failed to initialise vault client for signing';
      const reason = missing ? 'SecretMissing' : 'VaultInitError';
      return retried(request, { reason, message: `${what}: ${messageOf(outcome.error)}` }, nowMs);
    }
    case 'not signed': {
      const message = `Vault failed to sign certificate: failed to sign certificate by vault: ${messageOf(outcome.error)}`;
      return mayPass(outcome.error)
        ? retried(request, { reason: 'SigningError', message }, nowMs)
        : failed(request, { reason: 'SigningError', message }, nowMs);
    }
    case 'unusable': {
      const message = `Vault failed to sign certificate: ${messageOf(outcome.error)}`;
      return failed(request, { reason: 'SigningError', message }, nowMs);
    }
  }
}

/** Asked again soon: the request stays pending, and says when. */
function retried(
  request: CertificateRequest,
  { reason, message }: { reason: string; message: string },
  nowMs: number,
): RequestStep & { do: 'write status' } {
  const before = conditionOf(request, 'Ready');
  const sinceMs = before?.reason === 'Pending' ? epochMs(before.lastTransitionTime) : undefined;
  const againInMs = retryDelayMs(sinceMs ?? nowMs, nowMs);
  const told = `${message}; next attempt at ${rfc3339(nowMs + againInMs)}`;
  return {
    do: 'write status',
    status: withReady(request, { status: 'False', reason: 'Pending', message: told }, nowMs),
    // One event for one trouble: what was told before is told again only where the cause is another.
    events: before?.message?.startsWith(message)
      ? []
      : [{ type: 'Warning', reason, message, by: 'issuer-vault' }],
    againInMs,
  };
}

function failed(
  request: CertificateRequest,
  { reason, message }: { reason: string; message: string },
  nowMs: number,
): RequestStep & { do: 'write status' } {
  return {
    do: 'write status',
    status: {
      ...withReady(request, { status: 'False', reason: 'Failed', message }, nowMs),
      failureTime: request.status?.failureTime ?? rfc3339(nowMs),
    },
    events: [{ type: 'Warning', reason, message, by: 'issuer-vault' }],
  };
}

function withReady(
  request: CertificateRequest,
  ready: { status: Condition['status']; reason: string; message: string },
  nowMs: number,
): CertificateRequestStatus {
  return {
    ...request.status,
    conditions: withCondition(request.status?.conditions, { type: 'Ready', ...ready }, nowMs),
  };
}

export function readyReason(request: CertificateRequest): string | undefined {
  return conditionOf(request, 'Ready')?.reason;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
