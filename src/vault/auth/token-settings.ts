import { invalidRequest } from '../faults.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import { readCidrs } from '../token/bound-cidrs.ts';

/** What every method lets its roles say about the tokens that logins give. Times in milliseconds. */
export interface TokenSettings {
  /** As `readCidrs` writes them; empty for anywhere. */
  token_bound_cidrs: readonly string[];
  token_explicit_max_ttl: number;
  token_max_ttl: number;
  token_no_default_policy: boolean;
  token_num_uses: number;
  token_period: number;
  token_policies: readonly string[];
  token_ttl: number;
  token_type: 'default' | 'service' | 'batch';
  /** The names of old that some of these were last written by, and are shown under too. */
  old_names: readonly string[];
}

export const tokenFields = {
  token_bound_cidrs: 'commaList',
  token_explicit_max_ttl: 'duration',
  token_max_ttl: 'duration',
  token_no_default_policy: 'boolean',
  token_num_uses: 'integer',
  token_period: 'duration',
  token_policies: 'commaList',
  token_ttl: 'duration',
  token_type: 'text',
} as const satisfies FieldTable;

/** Names that some methods had for these before all had the same; each means what it did. */
export const oldTokenFields = {
  bound_cidrs: 'commaList',
  max_ttl: 'duration',
  num_uses: 'integer',
  period: 'duration',
  policies: 'commaList',
  ttl: 'duration',
} as const satisfies FieldTable;

type OldName = keyof typeof oldTokenFields;
export type TokenFieldValues = FieldValues<typeof tokenFields & typeof oldTokenFields>;

export const defaultTokenSettings: TokenSettings = {
  token_bound_cidrs: [],
  token_explicit_max_ttl: 0,
  token_max_ttl: 0,
  token_no_default_policy: false,
  token_num_uses: 0,
  token_period: 0,
  token_policies: [],
  token_ttl: 0,
  token_type: 'default',
  old_names: [],
};

/**
 * `before` with what a request gives.
 *
 * @throws Fault `vault.request.invalid` in Vault's words, for settings that do not go together
 */
export function mergeTokenSettings(before: TokenSettings, given: TokenFieldValues): TokenSettings {
  const fields = { ...ofOldNames(given), ...defined(given) } as TokenFieldValues;
  const settings: TokenSettings = {
    token_bound_cidrs: fields.token_bound_cidrs
      ? readCidrs(fields.token_bound_cidrs)
      : before.token_bound_cidrs,
    token_explicit_max_ttl: fields.token_explicit_max_ttl ?? before.token_explicit_max_ttl,
    token_max_ttl: fields.token_max_ttl ?? before.token_max_ttl,
    token_no_default_policy: fields.token_no_default_policy ?? before.token_no_default_policy,
    token_num_uses: fields.token_num_uses ?? before.token_num_uses,
    token_period: fields.token_period ?? before.token_period,
    token_policies: fields.token_policies ?? before.token_policies,
    token_ttl: fields.token_ttl ?? before.token_ttl,
    token_type: fields.token_type === undefined ? before.token_type : tokenType(fields.token_type),
    old_names: oldNames(before, given),
  };
  checkTogether(settings);
  return settings;
}

function defined(fields: TokenFieldValues): TokenFieldValues {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The newer name goes first where a request gives both. */
function ofOldNames(given: TokenFieldValues): Record<string, unknown> {
  const used = (Object.keys(oldTokenFields) as OldName[]).filter((name) => given[name] !== undefined);
  return Object.fromEntries(
    used.map((name) => [`token_${name}`, name === 'policies' ? cleanPolicies(given.policies!) : given[name]]),
  );
}

function oldNames({ old_names }: TokenSettings, given: TokenFieldValues): string[] {
  return (Object.keys(oldTokenFields) as OldName[]).filter((name) => {
    const untouched = given[name] === undefined && given[`token_${name}`] === undefined;
    return untouched ? old_names.includes(name) : given[name] !== undefined;
  });
}

function tokenType(text: string): TokenSettings['token_type'] {
  if (text === '' || text === 'default') return 'default';
  if (text === 'service' || text === 'batch') return text;
  throw invalidRequest(`invalid 'token_type' value ${JSON.stringify(text)}`);
}

function checkTogether(settings: TokenSettings): void {
  const { token_ttl, token_max_ttl, token_num_uses, token_period, token_type } = settings;
  if (token_num_uses < 0) throw invalidRequest("'token_num_uses' cannot be negative");
  if (token_type === 'batch') {
    const refusal = "'token_type' cannot be 'batch' or 'default_batch' when set to generate ";
    if (token_period !== 0) throw invalidRequest(`${refusal}periodic tokens`);
    if (token_num_uses !== 0) throw invalidRequest(`${refusal}tokens with limited use count`);
  }
  if (token_max_ttl > 0 && token_ttl > token_max_ttl) {
    throw invalidRequest("'token_ttl' cannot be greater than 'token_max_ttl'");
  }
}

/** As a role is read; times in seconds. */
export function describeTokenSettings(settings: TokenSettings): Record<string, unknown> {
  const { old_names, ...rest } = tokenPart(settings);
  const shown: Record<string, unknown> = {
    ...rest,
    token_explicit_max_ttl: rest.token_explicit_max_ttl / 1_000,
    token_max_ttl: rest.token_max_ttl / 1_000,
    token_period: rest.token_period / 1_000,
    token_ttl: rest.token_ttl / 1_000,
  };
  for (const name of old_names) shown[name] = shown[`token_${name}`];
  return shown;
}

/** What a role says of tokens, without what else it says. */
function tokenPart(role: TokenSettings): TokenSettings {
  const names = Object.keys(defaultTokenSettings) as (keyof TokenSettings)[];
  return Object.fromEntries(names.map((name) => [name, role[name]])) as unknown as TokenSettings;
}

/** Lower case, sorted, each once. */
export function cleanPolicies(names: readonly string[]): string[] {
  const clean = names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '');
  return [...new Set(clean)].toSorted();
}
