import type { Clock } from '../../base/clock.ts';
import { denied, invalidRequest } from '../faults.ts';
import { leaseLimits, type Mount, type MountTokenType } from '../mount/mount.ts';
import type { Answer } from '../routing/route.ts';
import { type LeaseLimits, leaseLifetime } from '../token/lifetime.ts';
import type { RenewalTerms } from '../token/renewal.ts';
import type { NewToken, TokenType } from '../token/token.ts';
import { describeAuth } from '../token/token-routes.ts';
import type { Tokens } from '../token/tokens.ts';
import { cleanPolicies, type TokenSettings } from './token-settings.ts';

/** What an auth method grants to whoever has proven who they are. */
export interface LoginGrant {
  /** What the token is called, behind the name of the mount. */
  displayName: string;
  /** Shown with the token. */
  metadata: Readonly<Record<string, string>>;
  /** What a renewal is decided from; never shown. */
  internal: Readonly<Record<string, unknown>>;
  settings: TokenSettings;
}

/** The login of one auth mount. */
export interface LoginPlace {
  mount: Mount;
  /** Of the request: `auth/approle/login`. */
  path: string;
}

/**
 * The token that a login gives: within the lease times of its mount, of the kind that the mount and the role agree on.
 *
 * @throws Fault `vault.request.invalid` in Vault's words
 */
export function planLogin(
  { displayName, metadata, internal, settings }: LoginGrant,
  { mount, path }: LoginPlace,
  nowMs: number,
): { token: NewToken; warnings: string[] } {
  const { ttlMs, warnings } = leaseLifetime(
    {
      incrementMs: 0,
      ttlMs: settings.token_ttl,
      periodMs: settings.token_period,
      explicitMaxTtlMs: settings.token_explicit_max_ttl,
      startMs: nowMs,
    },
    loginLimits(settings, mount),
    nowMs,
  );
  const type = tokenType(mount.tokenType, settings.token_type);
  const source = mount.path.slice('auth/'.length).replaceAll('/', '-');
  return {
    warnings,
    token: {
      type,
      policies: grantedPolicies(settings),
      path,
      meta: metadata,
      displayName: (source + displayName).replace(/-$/, ''),
      // Nothing counts the uses of what is not kept.
      numUses: type === 'batch' ? 0 : settings.token_num_uses,
      createdMs: Math.floor(nowMs / 1_000) * 1_000,
      ttlMs,
      explicitMaxTtlMs: settings.token_explicit_max_ttl,
      periodMs: type === 'batch' ? 0 : settings.token_period,
      renewable: type === 'service',
      expiresMs: nowMs + ttlMs,
      login: { mount: mount.path, internal },
      alias: { accessor: mount.accessor, metadata },
      ...(settings.token_bound_cidrs.length > 0 ? { boundCidrs: settings.token_bound_cidrs } : {}),
    },
  };
}

/** What a renewal of such a token gets from the role as it now is. */
export function renewalTerms(settings: TokenSettings, mount: Mount): RenewalTerms {
  return {
    ttlMs: settings.token_ttl,
    periodMs: settings.token_period,
    limits: loginLimits(settings, mount),
  };
}

function loginLimits({ token_max_ttl }: TokenSettings, mount: Mount): LeaseLimits {
  const limits = leaseLimits(mount);
  const maxTtlMs = token_max_ttl > 0 ? Math.min(token_max_ttl, limits.maxTtlMs) : limits.maxTtlMs;
  return { ...limits, maxTtlMs };
}

/** The mount says which kind it is, or which where the role does not. */
function tokenType(ofMount: MountTokenType | undefined, ofRole: TokenSettings['token_type']): TokenType {
  if (ofMount === 'service' || ofMount === 'batch') return ofMount;
  if (ofRole !== 'default') return ofRole;
  return ofMount === 'default-batch' ? 'batch' : 'service';
}

function grantedPolicies({ token_policies, token_no_default_policy }: TokenSettings): string[] {
  const policies = cleanPolicies(token_no_default_policy ? token_policies : [...token_policies, 'default']);
  if (policies.includes('root')) throw invalidRequest('auth methods cannot create root tokens');
  for (const internal of ['response-wrapping', 'control-group']) {
    if (policies.includes(internal)) throw invalidRequest(`cannot assign policy "${internal}"`);
  }
  return policies;
}

export interface LoginDeskOptions {
  tokens: Tokens;
  clock: Clock;
  /** Whether a mount has not been disabled. */
  stands: (mount: Mount) => Promise<boolean>;
}

/** Where methods get the tokens for those who have logged in. */
export type LoginDesk = (grant: LoginGrant, place: LoginPlace) => Promise<Answer>;

export function loginDesk({ tokens, clock, stands }: LoginDeskOptions): LoginDesk {
  return async (grant, place) => {
    const plan = planLogin(grant, place, clock.now());
    const { id, token } = await tokens.create(plan.token);
    // Disabling ends all tokens that it finds, and might have looked before this one was there.
    if (!(await stands(place.mount))) {
      await tokens.revoke(token.name);
      throw denied('permission denied');
    }
    return { auth: describeAuth(token, id), warnings: plan.warnings };
  };
}
