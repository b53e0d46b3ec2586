import { minuteMs } from '../base/duration.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Condition } from '../kube/resource.ts';
import type { HttpResponse } from '../wire/http-client.ts';
import { retryDelayMs } from './backoff.ts';
import { type ConditionChange, conditionOf, epochMs, withCondition } from './conditions.ts';
import type { Issuer, VaultIssuer } from './kinds.ts';
import type { TokenFacts } from './vault-client.ts';
import { complaintIn } from './vault-fault.ts';

/** What an issuer signs with, where its spec names exactly one thing. */
export type IssuerType = 'vault' | 'selfSigned' | 'ca' | 'acme' | 'venafi';

const issuerTypes: readonly IssuerType[] = ['acme', 'ca', 'vault', 'selfSigned', 'venafi'];

/** The first type that is set, in upstream's order; undefined where none is. */
export function issuerType({ spec }: Issuer): IssuerType | undefined {
  return issuerTypes.find((type) => spec?.[type] !== undefined);
}

type VaultCheck = (vault: VaultIssuer) => string | undefined;

/** Upstream's checks of a Vault issuer, in its order; each answers what is wrong. */
const vaultChecks: readonly VaultCheck[] = [
  ({ server, path }) => (server && path ? undefined : 'Vault server and path are required fields'),
  ({ auth }) =>
    methodsOf(auth) > 0
      ? undefined
      : 'Vault tokenSecretRef, appRole, clientCertificate, kubernetes, or aws is required',
  ({ auth }) =>
    methodsOf(auth) > 1 ? 'Multiple auth methods cannot be set on the same Vault issuer' : undefined,
  ({ auth: { tokenSecretRef } }) =>
    tokenSecretRef && !tokenSecretRef.name ? 'Vault Token auth requires tokenSecretRef.name' : undefined,
  ({ auth: { appRole } }) =>
    appRole && !(appRole.roleId && appRole.secretRef?.name)
      ? 'Vault AppRole auth requires both roleId and tokenSecretRef.name'
      : undefined,
  ({ auth: { appRole } }) =>
    appRole && !appRole.secretRef.key ? 'Vault AppRole auth requires secretRef.key' : undefined,
  ({ auth: { kubernetes } }) =>
    kubernetes && !kubernetes.role ? 'Vault Kubernetes auth requires a role to be set' : undefined,
  ({ auth: { kubernetes } }) =>
    kubernetes && !kubernetes.secretRef?.name && !kubernetes.serviceAccountRef
      ? 'Vault Kubernetes auth requires either secretRef.name or serviceAccountRef.name to be set'
      : undefined,
  ({ auth: { kubernetes } }) =>
    kubernetes?.secretRef?.name && kubernetes.serviceAccountRef
      ? 'Vault Kubernetes auth cannot be used with both secretRef.name and serviceAccountRef.name'
      : undefined,
];

function methodsOf({
  tokenSecretRef,
  appRole,
  clientCertificate,
  kubernetes,
  aws,
}: VaultIssuer['auth']): number {
  return [tokenSecretRef, appRole, clientCertificate, kubernetes, aws].filter((method) => method).length;
}

/** What is wrong with an issuer before anybody is asked, as reason and message; undefined where nothing is. */
export function specProblem(issuer: Issuer): { reason: string; message: string } | undefined {
  const type = issuerType(issuer);
  if (type === undefined) {
    return {
      reason: 'IssuerTypeMissing',
      message: 'The issuer names nothing that signs; set spec.vault',
    };
  }
  if (type !== 'vault') {
    return {
      reason: 'IssuerTypeNotServed',
      message: `Issuers of type ${type} are not served yet; only spec.vault is, so nothing that names this issuer will be signed`,
    };
  }
  for (const check of vaultChecks) {
    const message = check(issuer.spec.vault!);
    if (message !== undefined) return { reason: 'VaultError', message };
  }
  return undefined;
}

/** Whether the issuer's signing path can be asked for a signature on nothing without risk of getting one. */
export function signsRequestsOnly({ path }: VaultIssuer): boolean {
  return path.split('/').some((part) => /^sign(-|$)/.test(part));
}

/** What looking at an issuer found. */
export type Inspection =
  | { found: 'spec problem'; reason: string; message: string }
  /** Secrets could not be read, or Vault would not let us in. */
  | { found: 'no client'; error: unknown }
  | { found: 'unhealthy'; error: unknown }
  | { found: 'healthy'; authorization: Authorization };

export interface Authorization {
  status: Condition['status'];
  reason: string;
  message: string;
  /** When the token ends by Vault's account, in epoch milliseconds. */
  tokenEndsMs?: number | undefined;
}

/**
 * What Vault's answers say about the issuer's token and signing path. Upstream never looks, so that a token's end
 * shows first as certificates that are not renewed.
 */
export function authorizationOf({
  token,
  answer,
}: {
  token: TokenFacts | undefined;
  /** To a request for a signature on nothing; undefined where it was not sent. */
  answer: HttpResponse | undefined;
}): Authorization {
  const tokenEndsMs = token?.endsMs;
  const ends = tokenEndsMs === undefined ? '' : `; the token ends ${new Date(tokenEndsMs).toISOString()}`;
  if (!answer) {
    return token
      ? { status: 'True', reason: 'TokenAccepted', message: `Vault accepts the token${ends}`, tokenEndsMs }
      : { status: 'Unknown', reason: 'NotTried', message: 'Vault was not asked whether it would sign' };
  }
  const said = complaintIn(answer.body);
  if (answer.status === 400 && !/unknown role|unsupported (path|operation)/.test(said)) {
    return {
      status: 'True',
      reason: 'SigningPermitted',
      message: `Vault accepts the token and the signing path${ends}`,
      tokenEndsMs,
    };
  }
  if (answer.status === 403) {
    const message = token
      ? "Vault accepts the token but not its use of the signing path: grant update on it in the token's policy"
      : 'Vault refuses the token on the signing path: it is wrong, has ended, or its policy does not grant update there';
    return { status: 'False', reason: 'SigningRefused', message, tokenEndsMs };
  }
  if (answer.status === 400 || answer.status === 404 || answer.status === 405) {
    const message = `Vault has nothing that signs at the path: ${said}`;
    return { status: 'False', reason: 'PathNotFound', message, tokenEndsMs };
  }
  // Vault looks for a CA only once the token's policies have let the request through.
  if (answer.status === 500 && said.startsWith('could not fetch the CA certificate')) {
    const message = `Vault accepts the token but has no CA to sign with: ${said}`;
    return { status: 'False', reason: 'IssuerNotFound', message, tokenEndsMs };
  }
  return { status: 'Unknown', reason: 'NotTold', message: `Vault answered ${answer.status}: ${said}` };
}

export interface IssuerVerdict {
  conditions: Condition[];
  event?: { reason: string; message: string };
  /** When to look again; undefined where only a change of the issuer or its Secrets can help. */
  againInMs: number | undefined;
}

/** Upstream looks again only when the issuer changes; an outage would then show first as a failed renewal. */
const steadyCheckMs = 5 * minuteMs;

/** The issuer's conditions after an inspection, and when to look next. */
export function judgeIssuer(issuer: Issuer, inspection: Inspection, nowMs: number): IssuerVerdict {
  const generation = issuer.metadata.generation;
  const set = (conditions: readonly Condition[] | undefined, change: ConditionChange) =>
    withCondition(conditions, { ...change, observedGeneration: generation }, nowMs);
  const notReady = (reason: string, message: string) =>
    set(issuer.status?.conditions, { type: 'Ready', status: 'False', reason, message });

  if (inspection.found === 'spec problem') {
    return { conditions: notReady(inspection.reason, inspection.message), againInMs: undefined };
  }
  if (inspection.found !== 'healthy') {
    const what =
      inspection.found === 'no client'
        ? 'Failed to initialize Vault client'
        : 'Failed to verify Vault is initialized and unsealed';
    const conditions = notReady('VaultError', `${what}: ${messageOf(inspection.error)}`);
    const sinceMs = epochMs(conditionOf({ status: { conditions } }, 'Ready')?.lastTransitionTime) ?? nowMs;
    return {
      conditions,
      event: {
        reason: 'ErrInitIssuer',
        message: `Error initializing issuer: ${messageOf(inspection.error)}`,
      },
      againInMs: retryDelayMs(sinceMs, nowMs),
    };
  }
  const { status, reason, message, tokenEndsMs } = inspection.authorization;
  const ready = set(issuer.status?.conditions, {
    type: 'Ready',
    status: 'True',
    reason: 'VaultVerified',
    message: 'Vault verified',
  });
  const conditions = set(ready, { type: 'Authorized', status, reason, message });
  const refused = status === 'False' && conditionOf(issuer, 'Authorized')?.message !== message;
  return {
    conditions,
    ...(refused ? { event: { reason, message } } : {}),
    againInMs: nextCheckMs(status, tokenEndsMs, nowMs),
  };
}

function nextCheckMs(status: Condition['status'], tokenEndsMs: number | undefined, nowMs: number): number {
  if (status !== 'True') return steadyCheckMs;
  return Math.min(steadyCheckMs, Math.max(minuteMs, (tokenEndsMs ?? Number.POSITIVE_INFINITY) - nowMs));
}

function messageOf(error: unknown): string {
  return error instanceof Fault ? error.message : describeError(error);
}
