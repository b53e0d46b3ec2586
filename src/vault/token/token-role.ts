import { describeError } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import { readCidrs } from './bound-cidrs.ts';
import { cleanPolicies } from './token-policies.ts';

/** Which kind of token a role makes: always the one, or the one unless the request says otherwise. */
export const roleTokenTypes = ['service', 'batch', 'default-service', 'default-batch'] as const;
export type RoleTokenType = (typeof roleTokenTypes)[number];

/** What tokens that are made by it may be, whoever asks for them; as the store keeps it. */
export interface TokenRole {
  name: string;
  allowedPolicies: readonly string[];
  disallowedPolicies: readonly string[];
  allowedPoliciesGlob: readonly string[];
  disallowedPoliciesGlob: readonly string[];
  orphan: boolean;
  renewable: boolean;
  pathSuffix: string;
  tokenType: RoleTokenType;
  noDefaultPolicy: boolean;
  boundCidrs: readonly string[];
  numUses: number;
  periodMs: number;
  explicitMaxTtlMs: number;
  /** The settings that were given by their names of before 0.11, which show them too. */
  byOldName: readonly OldName[];
}

type OldName = 'period' | 'explicit_max_ttl' | 'bound_cidrs';

export const roleFields = {
  allowed_policies: 'commaList',
  disallowed_policies: 'commaList',
  allowed_policies_glob: 'commaList',
  disallowed_policies_glob: 'commaList',
  orphan: 'boolean',
  renewable: 'boolean',
  path_suffix: 'text',
  token_type: 'text',
  token_no_default_policy: 'boolean',
  token_bound_cidrs: 'commaList',
  token_num_uses: 'integer',
  token_period: 'duration',
  token_explicit_max_ttl: 'duration',
  allowed_entity_aliases: 'commaList',
  period: 'duration',
  explicit_max_ttl: 'duration',
  bound_cidrs: 'commaList',
} as const satisfies FieldTable;

const newRole: Omit<TokenRole, 'name'> = {
  allowedPolicies: [],
  disallowedPolicies: [],
  allowedPoliciesGlob: [],
  disallowedPoliciesGlob: [],
  orphan: false,
  renewable: true,
  pathSuffix: '',
  tokenType: 'default-service',
  noDefaultPolicy: false,
  boundCidrs: [],
  numUses: 0,
  periodMs: 0,
  explicitMaxTtlMs: 0,
  byOldName: [],
};

/**
 * The role `name` with what `fields` say; what they leave out stays as it was (Vault's token store, whose words the
 * refusals are).
 *
 * @throws Fault `vault.request.invalid`
 */
export function planRole(
  name: string,
  before: TokenRole | undefined,
  fields: FieldValues<typeof roleFields>,
): { role: TokenRole; warnings: string[] } {
  if (fields.allowed_entity_aliases?.length) {
    throw invalidRequest('there are no entities here: leave allowed_entity_aliases out');
  }
  const was = before ?? { ...newRole, name };
  const warnings: string[] = [];
  const oldNames = new Set(was.byOldName);
  /** The setting by its newer name, else by its older one, else as it was. */
  const either = <T>(oldName: OldName, given: T | undefined, givenByOldName: T | undefined, stays: T): T => {
    if (given !== undefined) {
      oldNames.delete(oldName);
      if (givenByOldName !== undefined) {
        warnings.push(
          `Both 'token_${oldName}' and deprecated '${oldName}' value supplied, ignoring the deprecated value`,
        );
      }
      return given;
    }
    if (givenByOldName === undefined) return stays;
    oldNames.add(oldName);
    return givenByOldName;
  };
  const role: TokenRole = {
    name,
    ...planPolicies(was, fields),
    orphan: fields.orphan ?? was.orphan,
    renewable: fields.renewable ?? was.renewable,
    pathSuffix: fields.path_suffix === undefined ? was.pathSuffix : pathSuffix(fields.path_suffix),
    tokenType: fields.token_type === undefined ? was.tokenType : tokenType(fields.token_type),
    noDefaultPolicy: fields.token_no_default_policy ?? was.noDefaultPolicy,
    periodMs: either('period', fields.token_period, fields.period, was.periodMs),
    boundCidrs: networks(either('bound_cidrs', fields.token_bound_cidrs, fields.bound_cidrs, was.boundCidrs)),
    explicitMaxTtlMs: either(
      'explicit_max_ttl',
      fields.token_explicit_max_ttl,
      fields.explicit_max_ttl,
      was.explicitMaxTtlMs,
    ),
    numUses: numUses(fields.token_num_uses ?? was.numUses),
    byOldName: [],
  };
  checkBatchRole(role);
  return { role: { ...role, byOldName: [...oldNames] }, warnings };
}

function planPolicies(was: TokenRole | Omit<TokenRole, 'name'>, fields: FieldValues<typeof roleFields>) {
  const { allowed_policies: allowed, disallowed_policies: disallowed } = fields;
  const { allowed_policies_glob: allowedGlob, disallowed_policies_glob: disallowedGlob } = fields;
  return {
    allowedPolicies: allowed ? cleanPolicies(allowed) : was.allowedPolicies,
    disallowedPolicies: disallowed ? lowered(disallowed) : was.disallowedPolicies,
    allowedPoliciesGlob: allowedGlob ? cleanPolicies(allowedGlob) : was.allowedPoliciesGlob,
    disallowedPoliciesGlob: disallowedGlob ? lowered(disallowedGlob) : was.disallowedPoliciesGlob,
  };
}

function lowered(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.trim().toLowerCase()))]
    .filter((name) => name !== '')
    .toSorted();
}

function pathSuffix(text: string): string {
  if (text !== '' && !/^\w[\w.-]+\w$/.test(text)) {
    throw invalidRequest('given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w');
  }
  if (text.includes('..')) {
    throw invalidRequest('error registering path suffix: path cannot contain parent references');
  }
  return text;
}

function tokenType(text: string): RoleTokenType {
  const type = roleTokenTypes.find((known) => known === text);
  if (!type) throw invalidRequest(`invalid 'token_type' value ${JSON.stringify(text)}`);
  return type;
}

function networks(texts: readonly string[]): string[] {
  try {
    return readCidrs(texts);
  } catch (error) {
    throw invalidRequest(`error parsing role fields: ${describeError(error)}`, error);
  }
}

function numUses(count: number): number {
  if (count < 0) throw invalidRequest("error parsing role fields: 'token_num_uses' cannot be negative");
  return count;
}

/** What a batch token cannot be, a role that makes nothing else cannot ask for. */
function checkBatchRole(role: TokenRole): void {
  if (role.tokenType !== 'batch') return;
  const refuse = (what: string) =>
    invalidRequest(`'token_type' cannot be 'batch' when role is set to generate ${what}`);
  if (!role.orphan) throw refuse('non-orphan tokens');
  if (role.periodMs > 0) throw refuse('periodic tokens');
  if (role.renewable) throw refuse('renewable tokens');
  if (role.explicitMaxTtlMs > 0) throw refuse('tokens with an explicit max TTL');
}

/** As `auth/token/roles/:name` shows it; times in seconds. */
export function describeRole(role: TokenRole): Record<string, unknown> {
  const old = (name: OldName) => role.byOldName.includes(name);
  return {
    allowed_entity_aliases: null,
    allowed_policies: role.allowedPolicies,
    allowed_policies_glob: role.allowedPoliciesGlob,
    ...(old('bound_cidrs') && role.boundCidrs.length > 0 ? { bound_cidrs: role.boundCidrs } : {}),
    disallowed_policies: role.disallowedPolicies,
    disallowed_policies_glob: role.disallowedPoliciesGlob,
    explicit_max_ttl: old('explicit_max_ttl') ? role.explicitMaxTtlMs / 1_000 : 0,
    name: role.name,
    orphan: role.orphan,
    path_suffix: role.pathSuffix,
    period: old('period') ? role.periodMs / 1_000 : 0,
    renewable: role.renewable,
    ...(role.boundCidrs.length > 0 ? { token_bound_cidrs: role.boundCidrs } : {}),
    token_explicit_max_ttl: role.explicitMaxTtlMs / 1_000,
    token_no_default_policy: role.noDefaultPolicy,
    ...(role.numUses > 0 ? { token_num_uses: role.numUses } : {}),
    token_period: role.periodMs / 1_000,
    token_type: role.tokenType,
  };
}
