import { invalidRequest } from '../faults.ts';
import { durationMs } from '../routing/coerce.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import { type LeaseLimits, leaseLifetime } from './lifetime.ts';
import type { NewToken, Token } from './token.ts';

/** The parameters of `auth/token/create`. Lists of policies are not split at commas. */
export const createFields = {
  id: 'text',
  policies: 'list',
  meta: 'pairs',
  no_parent: 'boolean',
  no_default_policy: 'boolean',
  renewable: 'boolean',
  ttl: 'text',
  lease: 'text',
  type: 'text',
  explicit_max_ttl: 'text',
  display_name: 'text',
  num_uses: 'integer',
  period: 'text',
  entity_alias: 'text',
} as const satisfies FieldTable;

export interface TokenPlan {
  /** The id that the caller chose; undefined where one is to be drawn. */
  id: string | undefined;
  /** The token but for its names. */
  token: NewToken;
  warnings: string[];
}

export interface TokenCircumstances {
  parent: Token;
  /** Whether the caller holds `sudo` (or root) on the path that was called. */
  sudo: boolean;
  /** Called as `create-orphan`, which policies allow or deny by its path. */
  orphan: boolean;
  /** `auth/token/create` or `auth/token/create-orphan`. */
  path: string;
  nowMs: number;
  limits: LeaseLimits;
}

/**
 * What a token that is asked for would be (Vault's token store, handleCreateCommon): its policies at most its
 * parent's unless the caller has sudo, `root` from root only, its time within the limits.
 *
 * @throws Fault `vault.request.invalid` in Vault's words
 */
export function planToken(fields: FieldValues<typeof createFields>, at: TokenCircumstances): TokenPlan {
  const { parent, sudo } = at;
  if (parent.numUses !== 0) throw invalidRequest('restricted use token cannot generate child tokens');
  checkType(fields);
  const policies = choosePolicies(fields, at);
  const orphan = at.orphan || isOrphan(fields, sudo);
  const explicitMaxTtlMs = positiveDuration('explicit_max_ttl', fields.explicit_max_ttl);
  const periodMs = positiveDuration('period', fields.period);
  if (periodMs > 0 && !sudo)
    throw invalidRequest('root or sudo privileges required to create periodic token');
  const askedMs = positiveDuration(fields.ttl ? 'ttl' : 'lease', fields.ttl || fields.lease);
  const isRoot = policies.includes('root');
  const { ttlMs, warnings } =
    periodMs > 0 || askedMs > 0 || !isRoot
      ? leaseLifetime(
          { incrementMs: 0, ttlMs: askedMs, periodMs, explicitMaxTtlMs, startMs: at.nowMs },
          at.limits,
          at.nowMs,
        )
      : { ttlMs: explicitMaxTtlMs, warnings: [] };
  if (ttlMs === 0 && parent.ttlMs !== 0) {
    throw invalidRequest('expiring root tokens cannot create non-expiring root tokens');
  }
  return {
    id: customId(fields.id, sudo),
    warnings,
    token: {
      policies,
      path: at.path,
      meta: fields.meta ?? null,
      displayName: displayName(fields.display_name),
      numUses: fields.num_uses ?? 0,
      createdMs: Math.floor(at.nowMs / 1_000) * 1_000,
      ttlMs,
      explicitMaxTtlMs,
      periodMs,
      // A token that never ends has nothing to renew.
      renewable: ttlMs > 0 && (fields.renewable ?? true),
      ...(orphan ? {} : { parent: parent.name }),
      ...(ttlMs > 0 ? { expiresMs: at.nowMs + ttlMs } : {}),
    },
  };
}

function checkType({ type = '', num_uses = 0, entity_alias = '' }: FieldValues<typeof createFields>): void {
  if (type === 'batch')
    throw invalidRequest('batch tokens are not supported; leave type out for a service token');
  if (type !== '' && type !== 'service') throw invalidRequest("invalid 'token_type' value");
  if (num_uses < 0) throw invalidRequest('number of uses cannot be negative');
  if (entity_alias !== '')
    throw invalidRequest("'entity_alias' is only allowed in combination with token roles");
}

function isOrphan({ no_parent }: FieldValues<typeof createFields>, sudo: boolean): boolean {
  if (no_parent && !sudo) throw invalidRequest('root or sudo privileges required to create orphan token');
  return no_parent ?? false;
}

function customId(id: string | undefined, sudo: boolean): string | undefined {
  if (!id) return undefined;
  if (!sudo) throw invalidRequest('root or sudo privileges required to specify token id');
  for (const prefix of ['hvs.', 's.']) {
    if (id.startsWith(prefix)) throw invalidRequest(`custom token ID cannot have the '${prefix}' prefix`);
  }
  if (id.includes('.')) throw invalidRequest("custom token ID cannot have a '.' in the value");
  return id;
}

function choosePolicies(
  fields: FieldValues<typeof createFields>,
  { parent, sudo }: TokenCircumstances,
): string[] {
  const asked = cleanPolicies(fields.policies ?? []);
  const withoutDefault = fields.no_default_policy ?? false;
  let chosen: string[];
  if (asked.length === 0) chosen = cleanPolicies(parent.policies);
  else if (sudo) chosen = [...asked, 'default'];
  else if (!asked.every((name) => parent.policies.includes(name))) {
    throw invalidRequest('child policies must be subset of parent');
  } else chosen = parent.policies.includes('default') ? [...asked, 'default'] : asked;
  if (chosen.includes('root')) {
    if (!parent.policies.includes('root')) {
      throw invalidRequest('root tokens may not be created without parent token being root');
    }
    return ['root'];
  }
  if (chosen.includes('response-wrapping')) throw invalidRequest('cannot assign policy "response-wrapping"');
  return cleanPolicies(chosen).filter((name) => name !== 'default' || !withoutDefault);
}

/** Lower case, sorted, each once; `root` swallows all others. */
function cleanPolicies(names: readonly string[]): string[] {
  const clean = new Set(names.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''));
  return clean.has('root') ? ['root'] : [...clean].toSorted();
}

function displayName(given: string | undefined): string {
  if (!given) return 'token';
  return `token-${given}`.replaceAll(/[^a-zA-Z0-9-]/g, '-').replace(/-$/, '');
}

function positiveDuration(name: string, written: string | undefined): number {
  const ms = durationMs(written ?? '');
  if (ms < 0) throw invalidRequest(`${name} must be positive`);
  return Math.trunc(ms / 1_000) * 1_000;
}
