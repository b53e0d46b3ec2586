import type { GrpcCode } from '../wire/grpc-status.ts';
import { type IdentityDomain, identityName, isDnsLabel, type TokenUser } from './identity-name.ts';

/** What the request's PKCS #10 says, as far as a decision needs it. */
export interface SigningRequestFacts {
  /** Each Common Name of the subject, in order. */
  commonNames: readonly string[];
  subjectAltNames: readonly { type: string; value: unknown }[];
  /** Whether its signature verifies with its own key: whoever asks holds the private key. */
  provesPossession: boolean;
  key: { type: string; curve?: string };
}

/** What the Kubernetes API said of the token. */
export type TokenFacts =
  | { verdict: 'authenticated'; username: string }
  /** The API looked at the token and says what is wrong with it. */
  | { verdict: 'invalid'; message: string }
  | { verdict: 'unauthenticated' }
  /** The API could not be asked. */
  | { verdict: 'failed'; message: string };

/** Everything that the answer to one Certify call depends on. */
export interface CertifyFacts {
  domain: IdentityDomain;
  /** Undefined while there is no issuer; else why the one there is no longer verifies, if so. */
  issuer: { problem: string | undefined } | undefined;
  identity: string;
  tokenBytes: number;
  /** Undefined where the request had none; a message where it cannot be read. */
  signingRequest: SigningRequestFacts | { unreadable: string } | undefined;
  /** Undefined until the token has been reviewed. */
  token: TokenFacts | undefined;
}

export interface Refusal {
  act: 'refuse';
  code: Exclude<GrpcCode, 'ok'>;
  message: string;
  /** The issuer is at fault, not the caller: worth an event. */
  issuerInvalid?: true;
}

export type CertifyDecision =
  | Refusal
  /** Nothing speaks against it so far: ask the API about the token and decide again. */
  | { act: 'review' }
  | { act: 'issue' };

type Check = (facts: CertifyFacts) => Refusal | undefined;

/**
 * What to do about a Certify call: Linkerd's checks in Linkerd's order with its statuses (linkerd2,
 * pkg/identity/service.go), so that proxies and those who read their logs see what they know. Beyond those, the
 * request must prove possession of its key, the key must be on P-256, and names of every kind but DNS are refused:
 * upstream leaves these unchecked.
 */
export function decideCertify(facts: CertifyFacts): CertifyDecision {
  const early = firstRefusal(beforeReview, facts);
  if (early) return early;
  if (!facts.token) return { act: 'review' };
  return firstRefusal(afterReview, facts) ?? { act: 'issue' };
}

function firstRefusal(checks: readonly Check[], facts: CertifyFacts): Refusal | undefined {
  for (const check of checks) {
    const refusal = check(facts);
    if (refusal) return refusal;
  }
  return undefined;
}

const refuse = (code: Refusal['code'], message: string): Refusal => ({ act: 'refuse', code, message });

function issuerIsThere({ issuer }: CertifyFacts): Refusal | undefined {
  return issuer ? undefined : refuse('unavailable', 'cert issuer not ready yet');
}

function fieldsAreThere({ identity, tokenBytes, signingRequest }: CertifyFacts): Refusal | undefined {
  if (identity === '') return refuse('invalid-argument', 'missing identity');
  if (tokenBytes === 0) return refuse('invalid-argument', 'missing token');
  if (!signingRequest) return refuse('invalid-argument', 'missing certificate signing request');
  if ('unreadable' in signingRequest) return refuse('invalid-argument', signingRequest.unreadable);
  return undefined;
}

function issuerIsValid({ issuer }: CertifyFacts): Refusal | undefined {
  if (issuer?.problem === undefined) return undefined;
  return { ...refuse('unknown', issuer.problem), issuerInvalid: true };
}

/** The signing request of facts that `fieldsAreThere` has passed. */
const requestOf = ({ signingRequest }: CertifyFacts) => signingRequest as SigningRequestFacts;

function namesAreTheIdentity(facts: CertifyFacts): Refusal | undefined {
  const { identity } = facts;
  const { subjectAltNames, commonNames } = requestOf(facts);
  const of = (type: string) => subjectAltNames.filter((name) => name.type === type);
  const dnsNames = of('dns').map(({ value }) => String(value));
  if (dnsNames.length !== 1) return refuse('failed-precondition', 'CSR must have exactly one DNSName');
  if (dnsNames[0] !== identity) {
    const message = `CSR name does not match requested identity: csr=${dnsNames[0]}; req=${identity}`;
    return refuse('failed-precondition', message);
  }
  const strange = commonNames.find((name) => name !== '' && name !== identity);
  if (strange !== undefined) return refuse('failed-precondition', `invalid CommonName: ${strange}`);
  if (of('email').length > 0) return refuse('failed-precondition', 'cannot validate email addresses');
  if (of('ip').length > 0) return refuse('failed-precondition', 'cannot validate IP addresses');
  if (of('uri').length > 0) return refuse('failed-precondition', 'cannot validate URIs');
  if (subjectAltNames.length > 1)
    return refuse('failed-precondition', 'cannot validate names other than DNS');
  return undefined;
}

function possessionIsProven(facts: CertifyFacts): Refusal | undefined {
  if (requestOf(facts).provesPossession) return undefined;
  return refuse('failed-precondition', 'CSR is not signed by its own key');
}

function tokenIsAuthentic({ identity, token }: CertifyFacts): Refusal | undefined {
  switch (token!.verdict) {
    case 'authenticated':
      return undefined;
    case 'invalid':
      return refuse('invalid-argument', token!.message);
    case 'unauthenticated':
      return refuse('failed-precondition', 'authentication token could not be authenticated');
    case 'failed':
      return refuse('internal', `error validating token for ${identity}: ${token!.message}`);
  }
}

/** Undefined, or what is wrong with the username of an authenticated token. */
export function readTokenUser(username: string): TokenUser | { problem: string } {
  const parts = username.split(':');
  if (parts.length !== 4 || parts[0] !== 'system') {
    return { problem: `Username must be in form system:TYPE:NS:SA: ${username}` };
  }
  const wrong = parts.slice(1).find((part) => !isDnsLabel(part));
  if (wrong !== undefined) return { problem: `Not a label: ${wrong}` };
  return { type: parts[1]!, namespace: parts[2]!, name: parts[3]! };
}

function identityIsTheTokens({ domain, identity, token }: CertifyFacts): Refusal | undefined {
  const user = readTokenUser((token as { username: string }).username);
  if ('problem' in user) return refuse('invalid-argument', user.problem);
  const found = identityName(domain, user);
  if (found === identity) return undefined;
  const message = `requested identity did not match provided token: requested=${identity}; found=${found}`;
  return refuse('failed-precondition', message);
}

function keyIsSupported(facts: CertifyFacts): Refusal | undefined {
  const { key } = requestOf(facts);
  if (key.type !== 'ec') return refuse('internal', `CSR must contain an ECDSA public key, not ${key.type}`);
  if (key.curve === 'P-256') return undefined;
  return refuse('failed-precondition', `CSR must contain a P-256 public key, not ${key.curve}`);
}

const beforeReview: readonly Check[] = [
  issuerIsThere,
  fieldsAreThere,
  issuerIsValid,
  namesAreTheIdentity,
  possessionIsProven,
];
const afterReview: readonly Check[] = [tokenIsAuthentic, identityIsTheTokens, keyIsSupported];
