import { invalidRequest } from '../../faults.ts';
import { leaseLimits } from '../../mount/mount.ts';
import { durationMs } from '../../routing/coerce.ts';
import type { FieldTable } from '../../routing/fields.ts';
import type { RoleKind } from '../named-roles.ts';
import {
  defaultTokenSettings,
  mergeTokenSettings,
  oldTokenFields,
  type TokenSettings,
  tokenFields,
} from '../token-settings.ts';
import { listOf } from './claims.ts';

/** What tokens must say to log in by a role; times in milliseconds. */
export interface JwtRole extends TokenSettings {
  role_type: 'jwt';
  bound_audiences: readonly string[];
  bound_subject: string;
  bound_claims: Readonly<Record<string, unknown>> | null;
  bound_claims_type: 'string' | 'glob';
  /** From claims to names of the token's metadata. */
  claim_mappings: Readonly<Record<string, string>> | null;
  user_claim: string;
  user_claim_json_pointer: boolean;
  groups_claim: string;
  expiration_leeway: number;
  not_before_leeway: number;
  clock_skew_leeway: number;
}

const fields = {
  ...tokenFields,
  ...oldTokenFields,
  allowed_redirect_uris: 'commaList',
  bound_audiences: 'commaList',
  bound_claims: 'object',
  bound_claims_type: 'text',
  bound_subject: 'text',
  claim_mappings: 'pairs',
  clock_skew_leeway: 'text',
  expiration_leeway: 'text',
  groups_claim: 'text',
  not_before_leeway: 'text',
  role_type: 'text',
  user_claim: 'text',
  user_claim_json_pointer: 'boolean',
} as const satisfies FieldTable;

export const jwtRole: RoleKind<JwtRole, typeof fields> = {
  path: 'role',
  fields,
  merge(before, given, { mount }) {
    const type = given.role_type || before?.role_type || 'oidc';
    if (type === 'oidc') {
      throw invalidRequest("a 'role_type' of oidc is not supported: set it to jwt, and log in with a JWT");
    }
    if (type !== 'jwt') throw invalidRequest(`invalid 'role_type': ${type}`);
    const leeway = (name: 'expiration_leeway' | 'not_before_leeway' | 'clock_skew_leeway') =>
      given[name] === undefined ? (before?.[name] ?? 0) : durationMs(given[name]);
    const role: JwtRole = {
      ...mergeTokenSettings(before ?? defaultTokenSettings, given),
      role_type: 'jwt',
      bound_audiences: given.bound_audiences ?? before?.bound_audiences ?? [],
      bound_subject: given.bound_subject ?? before?.bound_subject ?? '',
      bound_claims: given.bound_claims ?? before?.bound_claims ?? null,
      bound_claims_type: claimsType(given.bound_claims_type || before?.bound_claims_type || 'string'),
      claim_mappings: given.claim_mappings ?? before?.claim_mappings ?? null,
      user_claim: given.user_claim ?? before?.user_claim ?? '',
      user_claim_json_pointer: given.user_claim_json_pointer ?? before?.user_claim_json_pointer ?? false,
      groups_claim: given.groups_claim ?? before?.groups_claim ?? '',
      expiration_leeway: leeway('expiration_leeway'),
      not_before_leeway: leeway('not_before_leeway'),
      clock_skew_leeway: leeway('clock_skew_leeway'),
    };
    check(role);
    const { maxTtlMs } = leaseLimits(mount);
    if (role.token_period > maxTtlMs) {
      throw invalidRequest("'period' is greater than the backend's maximum lease TTL");
    }
    return role.token_max_ttl > maxTtlMs ? { role, warnings: [truncated] } : { role };
  },
  describe: (role) => ({
    role_type: role.role_type,
    bound_audiences: role.bound_audiences,
    bound_subject: role.bound_subject,
    bound_claims: role.bound_claims,
    bound_claims_type: role.bound_claims_type,
    claim_mappings: role.claim_mappings,
    user_claim: role.user_claim,
    user_claim_json_pointer: role.user_claim_json_pointer,
    groups_claim: role.groups_claim,
    expiration_leeway: role.expiration_leeway / 1_000,
    not_before_leeway: role.not_before_leeway / 1_000,
    clock_skew_leeway: role.clock_skew_leeway / 1_000,
  }),
};

const truncated =
  "token max ttl is greater than the system or backend mount's maximum TTL value; issued tokens' max TTL value will be truncated";

function claimsType(text: string): JwtRole['bound_claims_type'] {
  if (text === 'string' || text === 'glob') return text;
  throw invalidRequest(`invalid 'bound_claims_type': ${text}`);
}

function check(role: JwtRole): void {
  const bound = Object.values(role.bound_claims ?? {});
  for (const value of bound) {
    const list = listOf(value);
    if (!list) throw invalidRequest(`claim is not a string or list: ${JSON.stringify(value)}`);
    if (role.bound_claims_type === 'glob' && list.some((each) => typeof each !== 'string')) {
      throw invalidRequest(`claim is not a string: ${JSON.stringify(value)}`);
    }
  }
  const targets = Object.values(role.claim_mappings ?? {});
  for (const [index, target] of targets.entries()) {
    if (target === 'role') {
      throw invalidRequest('metadata key "role" is reserved and may not be a mapping destination');
    }
    if (targets.indexOf(target) !== index) {
      throw invalidRequest(`multiple keys are mapped to metadata key ${JSON.stringify(target)}`);
    }
  }
  if (role.user_claim === '') throw invalidRequest('a user claim must be defined on the role');
  const lists = [role.bound_audiences, role.token_bound_cidrs, bound];
  if (role.bound_subject === '' && lists.every((list) => list.length === 0)) {
    throw invalidRequest('must have at least one bound constraint when creating/updating a role');
  }
}
