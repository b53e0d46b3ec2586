import { describeError } from '../base/fault.ts';
import { type PublicKey, samePublicKey } from '../x509/key.ts';
import { goList, goRfc1123, goTime } from './go-text.ts';
import type { HeldSecret } from './held-secret.ts';
import { type Certificate, type CertificateRequest, dataKeys, issuerIdentity, keys } from './kinds.ts';
import { keyMismatches } from './private-key.ts';
import { renewalTime, wantedRenewalTime } from './renewal-time.ts';
import { certificateMismatches, requestIn, requestMismatches } from './request-match.ts';

/** A Certificate, the Secret that it names, and the request that led to its current revision. */
export interface PolicyInput {
  certificate: Certificate;
  secret: HeldSecret | undefined;
  currentRequest: CertificateRequest | undefined;
}

export interface Violation {
  reason: string;
  message: string;
}

/**
 * One question about a Certificate; answers what is wrong. Later questions may take for granted what earlier ones
 * in a chain have found in order.
 */
type Policy = (input: PolicyInput, nowMs: number) => Violation | undefined;

const violation = (reason: string, message: string): Violation => ({ reason, message });

const secretExists: Policy = ({ secret }) =>
  secret ? undefined : violation('DoesNotExist', 'Issuing certificate as Secret does not exist');

const secretHasData: Policy = ({ secret }) => {
  const missing = (what: string) =>
    violation('MissingData', `Issuing certificate as Secret does not contain ${what}`);
  if (!secret!.object.data) return missing('any data');
  if (!secret!.text(dataKeys.privateKey)) return missing('a private key');
  return secret!.text(dataKeys.certificate) ? undefined : missing('a certificate');
};

const keyPairMatches: Policy = ({ secret }) => {
  const key = attempt(() => secret!.privateKey());
  if ('error' in key) return invalidPrivateKey(key.error);
  const certificate = attempt(() => secret!.certificate());
  if ('error' in certificate) return invalidCertificate(certificate.error);
  return samePublicKey(certificate.value.publicKey, key.value.publicKey)
    ? undefined
    : violation(
        'InvalidKeyPair',
        'Issuing certificate as Secret contains a private key that does not match the certificate',
      );
};

const issuerMatches: Policy = ({ certificate, secret }) => {
  const { annotations = {} } = secret!.object.metadata;
  const recorded = {
    name: annotations[keys.issuerName],
    kind: annotations[keys.issuerKind],
    group: annotations[keys.issuerGroup],
  };
  const [was, wanted] = [issuerIdentity(withoutAbsent(recorded)), issuerIdentity(certificate.spec.issuerRef)];
  const named = Object.values(recorded).some((part) => part !== undefined);
  const same = (!named || was.name === wanted.name) && was.kind === wanted.kind && was.group === wanted.group;
  if (same) return undefined;
  const by = `${was.kind}.${was.group}/${was.name}`;
  return violation(
    'IncorrectIssuer',
    `Issuing certificate as Secret was previously issued by ${JSON.stringify(by)}`,
  );
};

const certificateNameMatches: Policy = ({ certificate, secret }) => {
  const name = secret!.object.metadata.annotations?.[keys.certificateName];
  if (name === undefined || name === certificate.metadata.name) return undefined;
  return violation(
    'IncorrectCertificate',
    `Secret was issued for ${JSON.stringify(name)}. If this message is not transient, you might have two conflicting Certificates pointing to the same secret.`,
  );
};

const privateKeyMatchesSpec: Policy = ({ certificate, secret }) => {
  const mismatches = keyMismatches(secret!.privateKey().spec, certificate.spec);
  if (mismatches.length === 0) return undefined;
  return violation(
    'SecretMismatch',
    `Existing private key is not up to date for spec: ${goList(mismatches)}`,
  );
};

const privateKeyMatchesRequest: Policy = ({ secret, currentRequest }) => {
  if (!currentRequest) return undefined;
  const request = attempt<{ publicKey: PublicKey }>(() => requestIn(currentRequest));
  if ('error' in request) {
    return violation(
      'InvalidCertificateRequest',
      `Failed to decode current CertificateRequest: ${describeError(request.error)}`,
    );
  }
  return samePublicKey(request.value.publicKey, secret!.privateKey().publicKey)
    ? undefined
    : violation(
        'SecretMismatch',
        'Secret contains a private key that does not match the current CertificateRequest',
      );
};

const requestMatchesSpec: Policy = ({ certificate, secret, currentRequest }) => {
  if (!currentRequest) {
    const mismatches = certificateMismatches(secret!.certificate(), certificate.spec);
    if (mismatches.length === 0) return undefined;
    return violation(
      'SecretMismatch',
      `Issuing certificate as Existing issued Secret is not up to date for spec: ${goList(mismatches)}`,
    );
  }
  const mismatches = attempt(() => requestMismatches(currentRequest, certificate.spec));
  // What cannot be compared is no reason to throw away a certificate that may be in order.
  if ('error' in mismatches || mismatches.value.length === 0) return undefined;
  return violation(
    'RequestChanged',
    `Fields on existing CertificateRequest resource not up to date: ${goList(mismatches.value)}`,
  );
};

const notDueForRenewal: Policy = ({ certificate, secret }, nowMs) => {
  const { spec, status } = certificate;
  const x509 = secret!.certificate();
  const due = attempt(() => renewalTime(x509, spec));
  const dueMs = 'error' in due ? wantedRenewalTime(x509, spec) : due.value;
  if (dueMs === undefined || dueMs > nowMs) return undefined;
  return violation(
    'Renewing',
    'error' in due
      ? `Renewing certificate without satisfying renewal windows at: ${goTime(status?.renewalTime)}`
      : `Renewing certificate as renewal was scheduled at ${goTime(status?.renewalTime)}`,
  );
};

const notExpired: Policy = ({ secret }, nowMs) => {
  const { notAfter } = secret!.certificate();
  return nowMs > notAfter ? violation('Expired', `Certificate expired on ${goRfc1123(notAfter)}`) : undefined;
};

/** What triggering and readiness both ask, in upstream's order. */
const upToDate: readonly Policy[] = [
  secretExists,
  secretHasData,
  keyPairMatches,
  issuerMatches,
  certificateNameMatches,
  privateKeyMatchesSpec,
  privateKeyMatchesRequest,
  requestMatchesSpec,
];

/** Why a certificate must be issued now; undefined where it need not. */
export function reasonToIssue(input: PolicyInput, nowMs: number): Violation | undefined {
  return evaluate([...upToDate, notDueForRenewal], input, nowMs);
}

/** Why what the Secret holds is not ready for use; undefined where it is. */
export function reasonNotReady(input: PolicyInput, nowMs: number): Violation | undefined {
  return evaluate([...upToDate, notExpired], input, nowMs);
}

function evaluate(chain: readonly Policy[], input: PolicyInput, nowMs: number): Violation | undefined {
  for (const policy of chain) {
    const found = policy(input, nowMs);
    if (found) return found;
  }
  return undefined;
}

function invalidPrivateKey(error: unknown): Violation {
  return violation(
    'InvalidKeyPair',
    `Issuing certificate as Secret contains invalid private key data: ${describeError(error)}`,
  );
}

function invalidCertificate(error: unknown): Violation {
  return violation(
    'InvalidCertificate',
    `Issuing certificate as Secret contains an invalid certificate: ${describeError(error)}`,
  );
}

function attempt<T>(act: () => T): { value: T } | { error: unknown } {
  try {
    return { value: act() };
  } catch (error) {
    return { error };
  }
}

function withoutAbsent<T>(record: Readonly<Record<string, T | undefined>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Record<
    string,
    T
  >;
}
