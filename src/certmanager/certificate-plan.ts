import { isDeepStrictEqual } from 'node:util';
import { minuteMs } from '../base/duration.ts';
import { nextAttemptMs } from './backoff.ts';
import {
  type CertificateFacts,
  currentRequest,
  nextKeyName,
  nextRevision,
  revisionOf,
  secretOwner,
} from './certificate-facts.ts';
import { observedStatus, withIssuing } from './certificate-status.ts';
import { type CertificateEvent, type CertificateStep, statusStep } from './certificate-step.ts';
import { conditionOf, epochMs, hasCondition, withoutCondition } from './conditions.ts';
import { decideIssuance } from './issuance-plan.ts';
import type { Certificate } from './kinds.ts';
import { reasonToIssue } from './policies.ts';
import { requestMismatches } from './request-match.ts';
import { issuedMaterial, secretContent } from './secret-content.ts';
import { secretDrift } from './secret-drift.ts';
import { certificateProblem } from './spec-problem.ts';

export interface CertificateDecision {
  /** What to do now; undefined where everything is as it should be, or waits for a change. */
  step: CertificateStep | undefined;
  /** When time alone may call for something, epoch milliseconds. */
  lookAgainAtMs: number | undefined;
}

/** How soon a Certificate that must leave its Secret to another looks again. */
const rivalCheckMs = 3 * minuteMs;

/**
 * The next step towards a valid certificate in the Secret. Called again with the facts as they are after each step,
 * until there is none; so a run that stops anywhere is taken up where it stopped.
 */
export function decideCertificate(facts: CertificateFacts, nowMs: number): CertificateDecision {
  const { certificate } = facts;
  if (certificate.metadata.deletionTimestamp !== undefined)
    return { step: undefined, lookAgainAtMs: undefined };
  const step =
    holdBack(facts, nowMs) ??
    (hasCondition(certificate, 'Issuing', 'True')
      ? decideIssuance(facts, nowMs)
      : decideAtRest(facts, nowMs)) ??
    refreshStatus(facts, nowMs);
  return { step, lookAgainAtMs: step ? undefined : nextLook(facts, nowMs) };
}

function decideAtRest(facts: CertificateFacts, nowMs: number): CertificateStep | undefined {
  const { certificate } = facts;
  if (facts.nextKeys.length > 0) {
    return { do: 'delete keys', names: facts.nextKeys.map(({ metadata }) => metadata.name) };
  }
  return (
    trigger(facts, nowMs) ??
    refreshStatus(facts, nowMs) ??
    repairSecret(facts) ??
    pruneRequests(certificate, facts)
  );
}

/** A spec that no CA could fulfil is not tried; the condition says what to mend, and goes when it is mended. */
function holdBack(facts: CertificateFacts, nowMs: number): CertificateStep | undefined {
  const { certificate } = facts;
  const message = certificateProblem(certificate.spec);
  const held = conditionOf(certificate, 'Issuing');
  if (message === undefined) {
    if (held?.reason !== 'InvalidSpec') return undefined;
    const conditions = withoutCondition(certificate.status?.conditions, 'Issuing');
    return statusStep(certificate, observedStatus(facts, { ...certificate.status, conditions }, nowMs));
  }
  if (held?.reason === 'InvalidSpec' && held.message === message) return undefined;
  const status = withIssuing(facts, { status: 'False', reason: 'InvalidSpec', message }, nowMs);
  const event: CertificateEvent = { type: 'Warning', reason: 'InvalidSpec', message, by: 'trigger' };
  return statusStep(certificate, status, [event]);
}

function trigger(facts: CertificateFacts, nowMs: number): CertificateStep | undefined {
  const { certificate } = facts;
  if (certificateProblem(certificate.spec) !== undefined) return undefined;
  if (secretOwner(facts) !== certificate.metadata.name) return undefined;
  if (backoffUntilMs(facts, nowMs) !== undefined) return undefined;
  const found = reasonToIssue({ ...facts, currentRequest: currentRequest(facts) }, nowMs);
  if (!found) return undefined;
  const status = withIssuing(facts, { status: 'True', ...found }, nowMs);
  const event: CertificateEvent = {
    type: 'Normal',
    reason: 'Issuing',
    message: found.message,
    by: 'trigger',
  };
  return statusStep(certificate, { ...status, nextPrivateKeySecretName: nextKeyName(certificate) }, [event]);
}

/**
 * Until when a failed issuance is let be; undefined where it may be tried. It may be before its time where the spec is
 * no longer what failed, and where the CA has come to accept the issuer's token since: then whoever held the
 * certificate up has mended it.
 */
export function backoffUntilMs(facts: CertificateFacts, nowMs: number): number | undefined {
  const { certificate, requests, issuerAuthorizedSinceMs } = facts;
  const untilMs = nextAttemptMs(certificate.status);
  if (untilMs === undefined || untilMs <= nowMs) return undefined;
  const failedMs = epochMs(certificate.status?.lastFailureTime)!;
  if (issuerAuthorizedSinceMs !== undefined && issuerAuthorizedSinceMs > failedMs) return undefined;
  const failed = requests.find((request) => revisionOf(request) === nextRevision(certificate));
  if (!failed) return untilMs;
  try {
    return requestMismatches(failed, certificate.spec).length > 0 ? undefined : untilMs;
  } catch {
    // A request that cannot be read cannot be what is asked for now.
    return undefined;
  }
}

/** Puts back what somebody changed in the Secret, without a new certificate. */
function repairSecret(facts: CertificateFacts): CertificateStep | undefined {
  const { certificate, secret } = facts;
  if (!secret || secretOwner(facts) !== certificate.metadata.name) return undefined;
  const material = issuedMaterial(secret, currentRequest(facts));
  if (!material) return undefined;
  const content = secretContent(certificate, material, secret.object);
  const drift = secretDrift(content, secret.object);
  return drift === undefined ? undefined : { do: 'apply secret', content, because: drift };
}

/** Old requests beyond revisionHistoryLimit, once the newest certificate is in use. */
function pruneRequests(
  certificate: Certificate,
  { requests }: CertificateFacts,
): CertificateStep | undefined {
  if (!hasCondition(certificate, 'Ready', 'True')) return undefined;
  const limit = certificate.spec.revisionHistoryLimit ?? 1;
  const byAge = requests
    .filter((request) => revisionOf(request) !== undefined)
    .toSorted((a, b) => revisionOf(a)! - revisionOf(b)!);
  const names = byAge.slice(0, Math.max(0, byAge.length - limit)).map(({ metadata }) => metadata.name);
  return names.length > 0 ? { do: 'delete requests', names } : undefined;
}

/** Ready and the certificate's times, where they have changed. */
function refreshStatus(facts: CertificateFacts, nowMs: number): CertificateStep | undefined {
  const { certificate } = facts;
  const { nextPrivateKeySecretName: _, ...atRest } = certificate.status ?? {};
  const issuing = hasCondition(certificate, 'Issuing', 'True');
  const status = observedStatus(facts, issuing ? (certificate.status ?? {}) : atRest, nowMs);
  return isDeepStrictEqual(status, certificate.status ?? {}) ? undefined : statusStep(certificate, status);
}

/** The earliest of: renewal, expiry, the end of a backoff, another look at a shared Secret. */
function nextLook(facts: CertificateFacts, nowMs: number): number | undefined {
  const { status, metadata } = facts.certificate;
  const expiredMs = epochMs(status?.notAfter);
  const times = [
    epochMs(status?.renewalTime),
    expiredMs === undefined ? undefined : expiredMs + 1,
    backoffUntilMs(facts, nowMs),
    secretOwner(facts) === metadata.name ? undefined : nowMs + rivalCheckMs,
  ];
  const coming = times.filter((time) => time !== undefined && time > nowMs) as number[];
  return coming.length > 0 ? Math.min(...coming) : undefined;
}
