import { invalidRequest } from '../faults.ts';
import { durationMs } from '../routing/coerce.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import { type LeaseLimits, leaseLifetime } from './lifetime.ts';
import type { NewToken, Token, TokenType } from './token.ts';
import { choosePolicies } from './token-policies.ts';
import type { TokenRole } from './token-role.ts';

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

type CreateFields = FieldValues<typeof createFields>;

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
  /** Called as `create/:role_name`. */
  role?: TokenRole;
  /** `auth/token/create` or `auth/token/create-orphan`. */
  path: string;
  nowMs: number;
  limits: LeaseLimits;
}

/**
 * What a token that is asked for would be (Vault's token store, handleCreateCommon): its policies at most its
 * parent's unless the caller has sudo or its role says otherwise, `root` from root only, its time within the limits.
 *
 * @throws Fault `vault.request.invalid` in Vault's words
 */
export function planToken(fields: CreateFields, at: TokenCircumstances): TokenPlan {
  const { parent, sudo, role } = at;
  if (parent.type === 'batch') throw invalidRequest('batch tokens cannot create more tokens');
  if (parent.numUses !== 0) throw invalidRequest('restricted use token cannot generate child tokens');
  const type = chooseType(fields, role);
  checkFields(fields, role);
  const policies = choosePolicies({
    asked: fields.policies ?? [],
    withoutDefault: fields.no_default_policy ?? false,
    parent: parent.policies,
    sudo,
    role,
  });
  if (type === 'batch' && policies.includes('root'))
    throw invalidRequest('batch tokens cannot be root tokens');
  const orphan = isOrphan(fields, at);
  const times = chooseTimes(fields, at, { type, root: policies.includes('root') });
  const { ttlMs } = times;
  const boundCidrs = ttlMs > 0 ? chooseCidrs(at, orphan) : [];
  return {
    id: customId(fields.id, sudo),
    warnings: times.warnings,
    token: {
      type,
      policies,
      path: role?.pathSuffix ? `${at.path}/${role.pathSuffix}` : at.path,
      meta: fields.meta ?? null,
      displayName: displayName(fields.display_name),
      numUses: fewer(fields.num_uses ?? 0, type === 'batch' ? 0 : (role?.numUses ?? 0)),
      createdMs: Math.floor(at.nowMs / 1_000) * 1_000,
      ttlMs,
      explicitMaxTtlMs: times.explicitMaxTtlMs,
      periodMs: times.periodMs,
      // A token that never ends has nothing to renew.
      renewable: type === 'service' && ttlMs > 0 && (fields.renewable ?? true) && (role?.renewable ?? true),
      ...(orphan ? {} : { parent: parent.name }),
      ...(ttlMs > 0 ? { expiresMs: at.nowMs + ttlMs } : {}),
      ...(boundCidrs.length > 0 ? { boundCidrs } : {}),
      ...(role ? { role: role.name } : {}),
      ...(parent.alias && !orphan ? { alias: parent.alias } : {}),
    },
  };
}

function chooseType(fields: CreateFields, role: TokenRole | undefined): TokenType {
  const asked = fields.type ?? '';
  if (role?.tokenType === 'service' || role?.tokenType === 'batch')
    return checkedType(role.tokenType, fields);
  return checkedType(asked || (role?.tokenType === 'default-batch' ? 'batch' : 'service'), fields);
}

function checkedType(type: string, fields: CreateFields): TokenType {
  if (type === 'service') return type;
  if (type !== 'batch') throw invalidRequest("invalid 'token_type' value");
  const { explicit_max_ttl: explicit, num_uses: uses = 0, period } = fields;
  const reason =
    durationMs(explicit ?? '') !== 0
      ? 'explicit_max_ttl'
      : uses !== 0
        ? 'num_uses'
        : durationMs(period ?? '') !== 0
          ? 'period'
          : undefined;
  if (reason) throw invalidRequest(`batch tokens cannot have "${reason}" set`);
  return type;
}

function checkFields({ num_uses = 0, entity_alias = '' }: CreateFields, role: TokenRole | undefined): void {
  if (num_uses < 0) throw invalidRequest('number of uses cannot be negative');
  if (entity_alias === '') return;
  // No role allows one: there are no entities.
  throw invalidRequest(
    role ? "invalid 'entity_alias' value" : "'entity_alias' is only allowed in combination with token role",
  );
}

function isOrphan({ no_parent }: CreateFields, { role, sudo, orphan }: TokenCircumstances): boolean {
  if (role) return role.orphan;
  if (no_parent && !sudo) throw invalidRequest('root or sudo privileges required to create orphan token');
  return orphan || (no_parent ?? false);
}

/** A role's networks, whatever the parent's; else a child is bound as its parent is. */
function chooseCidrs({ role, parent }: TokenCircumstances, orphan: boolean): readonly string[] {
  if (role) return role.boundCidrs;
  return orphan ? [] : (parent.boundCidrs ?? []);
}

interface TokenTimes {
  ttlMs: number;
  explicitMaxTtlMs: number;
  periodMs: number;
  warnings: string[];
}

function chooseTimes(
  fields: CreateFields,
  { parent, sudo, role, limits, nowMs }: TokenCircumstances,
  { type, root }: { type: TokenType; root: boolean },
): TokenTimes {
  const explicit = positiveDuration('explicit_max_ttl', fields.explicit_max_ttl);
  const period = positiveDuration('period', fields.period);
  if (period > 0 && !sudo) throw invalidRequest('root or sudo privileges required to create periodic token');
  const askedMs = positiveDuration(fields.ttl ? 'ttl' : 'lease', fields.ttl || fields.lease);
  const byRole = type === 'batch' ? undefined : role;
  const explicitMaxTtlMs = fewer(explicit, byRole?.explicitMaxTtlMs ?? 0);
  const periodMs = fewer(period, byRole?.periodMs ?? 0);
  const warnings: string[] = [];
  const warn = (what: string, ms: number) =>
    warnings.push(
      `${what} specified both during creation call and in role; using the lesser value of ${ms / 1_000} seconds`,
    );
  if (explicit > 0 && byRole?.explicitMaxTtlMs) warn('Explicit max TTL', explicitMaxTtlMs);
  if (period > 0 && byRole?.periodMs) warn('Period', periodMs);
  const lasting = periodMs > 0 || askedMs > 0 || !root;
  const request = { incrementMs: 0, ttlMs: askedMs, periodMs, explicitMaxTtlMs, startMs: nowMs };
  const lifetime = lasting
    ? leaseLifetime(request, limits, nowMs)
    : { ttlMs: explicitMaxTtlMs, warnings: [] };
  if (lifetime.ttlMs === 0 && parent.ttlMs !== 0) {
    throw invalidRequest('expiring root tokens cannot create non-expiring root tokens');
  }
  return {
    ttlMs: lifetime.ttlMs,
    // What the role says is asked of the role again at each renewal.
    explicitMaxTtlMs: explicit,
    periodMs: period,
    warnings: [...warnings, ...lifetime.warnings],
  };
}

/** The lesser of two numbers, 0 standing for none. */
export function fewer(one: number, other: number): number {
  return one === 0 ? other : other === 0 ? one : Math.min(one, other);
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

function displayName(given: string | undefined): string {
  if (!given) return 'token';
  return `token-${given}`.replaceAll(/[^a-zA-Z0-9-]/g, '-').replace(/-$/, '');
}

function positiveDuration(name: string, written: string | undefined): number {
  const ms = durationMs(written ?? '');
  if (ms < 0) throw invalidRequest(`${name} must be positive`);
  return Math.trunc(ms / 1_000) * 1_000;
}
