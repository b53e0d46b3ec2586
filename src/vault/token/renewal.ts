import type { RequestOrigin } from '../routing/route.ts';
import type { LeaseLimits } from './lifetime.ts';
import type { Token } from './token.ts';

/**
 * How an auth method renews a token that came from one of its logins: what its role, say, now gives. `origin` is of the
 * request that asks for it.
 *
 * @throws Fault where it does not any more
 */
export type Renewer = (token: Token, origin: RequestOrigin) => Promise<RenewalTerms>;

export interface RenewalTerms {
  /** 0 for the default of `limits`. */
  ttlMs: number;
  /** 0 for a token that is not periodic. */
  periodMs: number;
  limits: LeaseLimits;
}
