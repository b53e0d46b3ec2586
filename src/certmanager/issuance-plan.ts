import { describeError } from '../base/fault.ts';
import type { Condition } from '../kube/resource.ts';
import { type PrivateKey, samePublicKey } from '../x509/key.ts';
import { nextAttemptMs } from './backoff.ts';
import {
  type CertificateFacts,
  nextKeyName,
  nextRevision,
  requestName,
  revisionOf,
} from './certificate-facts.ts';
import { observedStatus, withIssuing } from './certificate-status.ts';
import { type CertificateEvent, type CertificateStep, statusStep } from './certificate-step.ts';
import { conditionOf, epochMs, hasCondition, rfc3339, withoutCondition } from './conditions.ts';
import { goList } from './go-text.ts';
import { firstCertificate, heldSecret } from './held-secret.ts';
import { type Certificate, type CertificateRequest, dataKeys } from './kinds.ts';
import { encodePrivateKey, keyMismatches, keySpecFor } from './private-key.ts';
import { requestIn, requestMismatches } from './request-match.ts';
import { secretContent } from './secret-content.ts';
import { secretDrift } from './secret-drift.ts';

/** The next step of an issuance under way: a key, a request, its answer into the Secret, the new revision. */
export function decideIssuance(facts: CertificateFacts, nowMs: number): CertificateStep | undefined {
  const { certificate, nextKeys } = facts;
  const name = certificate.status?.nextPrivateKeySecretName;
  if (!name) {
    const adopted = nextKeys[0]?.metadata.name ?? nextKeyName(certificate);
    return statusStep(certificate, { ...certificate.status, nextPrivateKeySecretName: adopted });
  }
  const strays = nextKeys.filter(({ metadata }) => metadata.name !== name);
  if (strays.length > 0) return { do: 'delete keys', names: strays.map(({ metadata }) => metadata.name) };
  const stored = nextKeys.find(({ metadata }) => metadata.name === name);
  if (!stored) return storeKey(facts, name, nowMs);
  let key: PrivateKey;
  try {
    key = heldSecret(stored).privateKey();
  } catch {
    return { do: 'delete keys', names: [name] };
  }
  const mismatches = keyMismatches(key.spec, certificate.spec);
  if (mismatches.length === 0) return decideRequest(facts, { name, key }, nowMs);
  const message = `Regenerating private key due to change in fields: ${goList(mismatches)}`;
  return {
    do: 'delete keys',
    names: [name],
    events: [{ type: 'Normal', reason: 'Deleted', message, by: 'key-manager' }],
  };
}

/** A new key, or with rotationPolicy Never the one in use, where that can serve. */
function storeKey(facts: CertificateFacts, name: string, nowMs: number): CertificateStep | undefined {
  const { certificate, secret } = facts;
  const { spec } = certificate;
  const fresh = { do: 'store key' as const, name, spec: keySpecFor(spec) };
  const generated: CertificateEvent = {
    type: 'Normal',
    reason: 'Generated',
    message: `Stored new private key in temporary Secret resource ${JSON.stringify(name)}`,
    by: 'key-manager',
  };
  if (spec.privateKey?.rotationPolicy !== 'Never' || !secret?.text(dataKeys.privateKey)) {
    return { ...fresh, events: [generated] };
  }
  const inUse = JSON.stringify(spec.secretName);
  let key: PrivateKey;
  try {
    key = secret.privateKey();
  } catch {
    const message = `Failed to decode private key stored in Secret ${inUse} - generating new key`;
    return {
      ...fresh,
      events: [{ type: 'Warning', reason: 'DecodeFailed', message, by: 'key-manager' }, generated],
    };
  }
  const mismatches = keyMismatches(key.spec, spec);
  if (mismatches.length > 0) {
    const message = `User intervention required: existing private key in Secret ${inUse} does not match requirements on Certificate resource, mismatching fields: ${goList(mismatches)}, but cert-manager cannot create new private key as the Certificate's .spec.privateKey.rotationPolicy is unset or set to Never. To allow cert-manager to create a new private key you can set .spec.privateKey.rotationPolicy to 'Always' (this will result in the private key being regenerated every time a cert is renewed) `;
    return explain(facts, { reason: 'CannotRegenerateKey', message, by: 'key-manager' }, nowMs);
  }
  const message = `Reusing private key stored in existing Secret resource ${inUse}`;
  return {
    ...fresh,
    reuse: key,
    events: [{ type: 'Normal', reason: 'Reused', message, by: 'key-manager' }],
  };
}

interface NextKey {
  name: string;
  key: PrivateKey;
}

function decideRequest(facts: CertificateFacts, next: NextKey, nowMs: number): CertificateStep | undefined {
  const { certificate, requests } = facts;
  const revision = nextRevision(certificate);
  const name = requestName(certificate.metadata.name, revision);
  const unnumbered = requests.filter((request) => revisionOf(request) === undefined);
  const candidates = requests.filter((request) => revisionOf(request) === revision);
  const unfit = candidates.filter(
    (request) => !isFor(request, facts, next) || isOfEarlierAttempt(request, facts),
  );
  const fit = candidates.filter((request) => !unfit.includes(request));
  const chosen = fit.find(({ metadata }) => metadata.name === name) ?? fit[0];
  const names = [...unnumbered, ...unfit, ...fit.filter((request) => request !== chosen)].map(
    ({ metadata }) => metadata.name,
  );
  if (names.length > 0) return { do: 'delete requests', names };
  if (!chosen) return { do: 'create request', name, revision, key: next.key, keySecretName: next.name };
  return followRequest(facts, chosen, next, nowMs);
}

/** Whether a request asks for what the Certificate wants now, for the key that is kept for it. */
function isFor(request: CertificateRequest, { certificate }: CertificateFacts, { key }: NextKey): boolean {
  try {
    return (
      requestMismatches(request, certificate.spec).length === 0 &&
      samePublicKey(requestIn(request).publicKey, key.publicKey)
    );
  } catch {
    return false;
  }
}

/** Whether a request failed before this attempt began: its failure has been counted. */
function isOfEarlierAttempt(request: CertificateRequest, { certificate }: CertificateFacts): boolean {
  const ready = conditionOf(request, 'Ready');
  const failedMs = epochMs(request.status?.failureTime);
  const beganMs = epochMs(conditionOf(certificate, 'Issuing')?.lastTransitionTime);
  if (ready?.status !== 'False' || failedMs === undefined || beganMs === undefined) return false;
  return (ready.reason === 'Failed' || ready.reason === 'Denied') && failedMs < beganMs;
}

function followRequest(
  facts: CertificateFacts,
  request: CertificateRequest,
  next: NextKey,
  nowMs: number,
): CertificateStep | undefined {
  // A denial outranks a signature: an issuer that did not wait for the approval must not get its way.
  for (const type of ['Denied', 'InvalidRequest']) {
    if (hasCondition(request, type, 'True')) return fail(facts, conditionOf(request, type)!, nowMs);
  }
  const ready = conditionOf(request, 'Ready');
  switch (ready?.reason) {
    case 'Failed':
      return fail(facts, ready, nowMs);
    case 'Issued':
      return finish(facts, request, next, nowMs);
    case 'Pending': {
      const name = JSON.stringify(request.metadata.name);
      const message = `Waiting for CertificateRequest ${name}: ${ready.message ?? ''}`;
      return explain(facts, { message }, nowMs);
    }
    default:
      return undefined;
  }
}

function finish(
  facts: CertificateFacts,
  request: CertificateRequest,
  { key }: NextKey,
  nowMs: number,
): CertificateStep | undefined {
  const { certificate, secret } = facts;
  const text = (base64: string | undefined) => Buffer.from(base64 ?? '', 'base64').toString('utf8');
  const issued = text(request.status?.certificate);
  const useless = whyUseless(issued, request, nowMs);
  if (useless !== undefined) return fail(facts, { reason: 'InvalidCertificate', message: useless }, nowMs);
  const material = {
    privateKey: encodePrivateKey(key, certificate.spec),
    certificate: issued,
    ca: text(request.status?.ca) || undefined,
    certificateName: certificate.metadata.name,
    issuer: request.spec.issuerRef,
  };
  const content = secretContent(certificate, material, secret?.object);
  const drift = secret ? secretDrift(content, secret.object) : 'it does not exist';
  return drift === undefined ? complete(facts, nowMs) : { do: 'apply secret', content, because: drift };
}

/** Why what an issuer answered must not go into the Secret. */
function whyUseless(pem: string, request: CertificateRequest, nowMs: number): string | undefined {
  try {
    const { publicKey, notAfter } = firstCertificate(pem);
    if (!samePublicKey(publicKey, requestIn(request).publicKey)) {
      return 'Issuer returned a certificate with a public key that does not match the CSR. This usually indicates a misconfigured issuer.';
    }
    return nowMs > notAfter
      ? `Issuer returned an already expired certificate (notAfter: ${rfc3339(notAfter)}). This usually indicates an expired CA certificate in the issuer.`
      : undefined;
  } catch (error) {
    return `Issuer returned an invalid certificate: failed to decode: ${describeError(error)}`;
  }
}

function complete(facts: CertificateFacts, nowMs: number): CertificateStep {
  const { certificate } = facts;
  const {
    nextPrivateKeySecretName: _,
    lastFailureTime: __,
    failedIssuanceAttempts: ___,
    ...kept
  } = certificate.status ?? {};
  const conditions = withoutCondition(kept.conditions, 'Issuing');
  const status = observedStatus(facts, { ...kept, revision: nextRevision(certificate), conditions }, nowMs);
  const message = 'The certificate has been successfully issued';
  return statusStep(certificate, status, [
    { type: 'Normal', reason: 'Issuing', message, by: 'issuing' },
    ...(asksForKeystores(certificate) ? [keystoresMissing] : []),
  ]);
}

function asksForKeystores({ spec }: Certificate): boolean {
  return Object.values(spec.keystores ?? {}).some((store) => store?.create === true);
}

const keystoresMissing: CertificateEvent = {
  type: 'Warning',
  reason: 'KeystoresNotServed',
  message: 'spec.keystores is not served yet: the Secret holds tls.key, tls.crt and ca.crt, and no keystore',
  by: 'issuing',
};

function fail(
  facts: CertificateFacts,
  { reason = 'Failed', message = '' }: Pick<Condition, 'reason' | 'message'>,
  nowMs: number,
): CertificateStep {
  const { certificate } = facts;
  const { nextPrivateKeySecretName: _, ...kept } = certificate.status ?? {};
  const failure = {
    lastFailureTime: rfc3339(nowMs),
    failedIssuanceAttempts: (kept.failedIssuanceAttempts ?? 0) + 1,
  };
  const told = `The certificate request has failed to complete and will be retried: ${message}`;
  const again = `attempt ${failure.failedIssuanceAttempts} failed, next attempt at ${rfc3339(nextAttemptMs(failure)!)}`;
  const failed = { ...facts, certificate: { ...certificate, status: { ...kept, ...failure } } };
  const status = withIssuing(failed, { status: 'False', reason, message: `${told} (${again})` }, nowMs);
  return statusStep(certificate, status, [{ type: 'Warning', reason, message: told, by: 'issuing' }]);
}

/** Says in the Issuing condition what the issuance waits for; done once for each message. */
function explain(
  facts: CertificateFacts,
  { message, reason, by }: { message: string; reason?: string; by?: CertificateEvent['by'] },
  nowMs: number,
): CertificateStep | undefined {
  const issuing = conditionOf(facts.certificate, 'Issuing')!;
  if (issuing.message === message) return undefined;
  const status = withIssuing(facts, { status: 'True', reason: issuing.reason ?? '', message }, nowMs);
  return statusStep(
    facts.certificate,
    status,
    reason && by ? [{ type: 'Warning', reason, message, by }] : [],
  );
}
