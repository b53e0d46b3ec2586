import { createHash } from 'node:crypto';
import { dayMs } from '../../base/duration.ts';
import { type Entropy, uuid } from '../../base/entropy.ts';
import { type Identifier, isWildcard, provenName } from './identifier.ts';
import { malformed, type ProblemDocument } from './problem.ts';

export const challengeTypes = ['http-01', 'dns-01', 'tls-alpn-01'] as const;
export type ChallengeType = (typeof challengeTypes)[number];

export interface Challenge {
  type: ChallengeType;
  token: string;
  status: 'pending' | 'processing' | 'valid' | 'invalid';
  validatedMs?: number;
  /** What the last try ended in, where it was not well. */
  error?: ProblemDocument;
}

/** An account's proof that it controls a name, or what is to become one (RFC 8555 section 7.1.4). */
export interface Authorization {
  id: string;
  accountId: string;
  orderId: string;
  /** Of a wildcard, the domain below which it stands. */
  identifier: Identifier;
  wildcard: boolean;
  status: 'pending' | 'valid' | 'invalid' | 'deactivated';
  expiresMs: number;
  challenges: readonly Challenge[];
}

export type AuthorizationStatus = Authorization['status'] | 'expired';

/** How long a proof holds: Vault's. */
const validForMs = 15 * dayMs;

export function newAuthorization(
  identifier: Identifier,
  {
    accountId,
    orderId,
    expiresMs,
    entropy,
  }: {
    accountId: string;
    orderId: string;
    expiresMs: number;
    entropy: Entropy;
  },
): Authorization {
  return {
    id: uuid(entropy),
    accountId,
    orderId,
    identifier: provenName(identifier),
    wildcard: isWildcard(identifier),
    status: 'pending',
    expiresMs,
    // RFC 8555 section 11.3 asks for 128 bits.
    challenges: typesFor(identifier).map((type) => ({
      type,
      token: entropy.bytes(24).toString('base64url'),
      status: 'pending',
    })),
  };
}

/** DNS alone speaks for all that is below a domain, and knows nothing of addresses. */
function typesFor(identifier: Identifier): readonly ChallengeType[] {
  if (isWildcard(identifier)) return ['dns-01'];
  return identifier.type === 'ip' ? ['http-01', 'tls-alpn-01'] : challengeTypes;
}

export function authorizationStatus(
  { status, expiresMs }: Pick<Authorization, 'status' | 'expiresMs'>,
  nowMs: number,
): AuthorizationStatus {
  const ends = status === 'pending' || status === 'valid';
  return ends && nowMs >= expiresMs ? 'expired' : status;
}

/** @throws Problem `malformed` where there is none of that type */
export function challengeOf({ challenges }: Authorization, type: string): Challenge {
  const found = challenges.find((challenge) => challenge.type === type);
  if (found) return found;
  throw malformed(`the authorization has no challenge of type ${JSON.stringify(type)}`);
}

/**
 * The authorization once its client says that a challenge can be tried; undefined where that changes nothing, being
 * tried or over already.
 *
 * @throws Problem `malformed` where the authorization is over
 */
export function startChallenge(
  authorization: Authorization,
  type: string,
  nowMs: number,
): Authorization | undefined {
  const challenge = challengeOf(authorization, type);
  const status = authorizationStatus(authorization, nowMs);
  if (challenge.status !== 'pending') return undefined;
  if (status !== 'pending') throw malformed(`the authorization is ${status}`);
  // Two at once would each have a say in how it ends.
  if (authorization.challenges.some((other) => other.status === 'processing')) {
    throw malformed('another challenge of the authorization is being tried');
  }
  return withChallenge(authorization, { ...challenge, status: 'processing' });
}

/** How a try of a challenge ended. */
export type Outcome = 'proven' | { problem: ProblemDocument; last: boolean };

export function settleChallenge(
  authorization: Authorization,
  type: ChallengeType,
  outcome: Outcome,
  nowMs: number,
): Authorization {
  const { error: _, ...challenge } = challengeOf(authorization, type);
  if (outcome === 'proven') {
    const proven = withChallenge(authorization, { ...challenge, status: 'valid', validatedMs: nowMs });
    return { ...proven, status: 'valid', expiresMs: nowMs + validForMs };
  }
  const { problem: error, last } = outcome;
  const tried = withChallenge(authorization, {
    ...challenge,
    status: last ? 'invalid' : 'processing',
    error,
  });
  return last ? { ...tried, status: 'invalid' } : tried;
}

function withChallenge(authorization: Authorization, changed: Challenge): Authorization {
  const challenges = authorization.challenges.map((one) => (one.type === changed.type ? changed : one));
  return { ...authorization, challenges };
}

/** What its holder gives up. @throws Problem `malformed` */
export function deactivated(authorization: Authorization, nowMs: number): Authorization {
  const status = authorizationStatus(authorization, nowMs);
  if (status === 'pending' || status === 'valid') return { ...authorization, status: 'deactivated' };
  throw malformed(`the authorization is ${status}`);
}

/** What an account's holder puts where only they can (RFC 8555 section 8.1). */
export function keyAuthorization({ token }: Pick<Challenge, 'token'>, thumbprint: string): string {
  return `${token}.${thumbprint}`;
}

/** Its SHA-256, for challenges that hold it in another form. */
export function keyAuthorizationDigest(challenge: Pick<Challenge, 'token'>, thumbprint: string): Buffer {
  return createHash('sha256').update(keyAuthorization(challenge, thumbprint)).digest();
}
