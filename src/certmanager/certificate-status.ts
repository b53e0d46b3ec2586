import { type CertificateFacts, currentRequest } from './certificate-facts.ts';
import { type ConditionChange, rfc3339, withCondition } from './conditions.ts';
import type { CertificateStatus } from './kinds.ts';
import { reasonNotReady, type Violation } from './policies.ts';
import { renewalTime, wantedRenewalTime } from './renewal-time.ts';

/** `status` with what the Secret shows put in: whether it is ready, and from when to when it is good. */
export function observedStatus(
  facts: CertificateFacts,
  status: CertificateStatus,
  nowMs: number,
): CertificateStatus {
  const { notBefore: _, notAfter: __, renewalTime: ___, ...kept } = status;
  const certificate = { ...facts.certificate, status };
  const current = currentRequest({ ...facts, certificate });
  const times = certificateTimes(facts);
  const problem =
    reasonNotReady({ certificate, secret: facts.secret, currentRequest: current }, nowMs) ?? times.problem;
  const ready: ConditionChange = {
    type: 'Ready',
    status: problem ? 'False' : 'True',
    ...(problem ?? { reason: 'Ready', message: 'Certificate is up to date and has not expired' }),
    observedGeneration: certificate.metadata.generation,
  };
  return { ...kept, ...times.fields, conditions: withCondition(kept.conditions, ready, nowMs) };
}

/** The status with another Issuing condition, and what the Secret shows. */
export function withIssuing(
  facts: CertificateFacts,
  issuing: Omit<ConditionChange, 'type'>,
  nowMs: number,
): CertificateStatus {
  const { status, metadata } = facts.certificate;
  const change = { type: 'Issuing', ...issuing, observedGeneration: metadata.generation };
  const conditions = withCondition(status?.conditions, change, nowMs);
  return observedStatus(facts, { ...status, conditions }, nowMs);
}

interface CertificateTimes {
  fields: Pick<CertificateStatus, 'notBefore' | 'notAfter' | 'renewalTime'>;
  problem?: Violation;
}

function certificateTimes({ certificate, secret }: CertificateFacts): CertificateTimes {
  let lifetime;
  try {
    lifetime = secret?.certificate();
  } catch {
    // What is wrong with it, the Ready condition says.
  }
  if (!lifetime) return { fields: {} };
  const life = { notBefore: rfc3339(lifetime.notBefore), notAfter: rfc3339(lifetime.notAfter) };
  try {
    const dueMs = renewalTime(lifetime, certificate.spec);
    return { fields: { ...life, ...(dueMs === undefined ? {} : { renewalTime: rfc3339(dueMs) }) } };
  } catch (error) {
    return {
      fields: { ...life, renewalTime: rfc3339(wantedRenewalTime(lifetime, certificate.spec)) },
      problem: {
        reason: 'WindowError',
        message: `Could not calculate renewal time: ${(error as Error).message}`,
      },
    };
  }
}
