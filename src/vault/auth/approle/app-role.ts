import { createHash, createHmac } from 'node:crypto';
import { failed, invalidRequest } from '../../faults.ts';
import type { FieldTable, FieldValues } from '../../routing/fields.ts';
import { checkCidrBlocks } from '../cidr-blocks.ts';
import {
  defaultTokenSettings,
  describeTokenSettings,
  mergeTokenSettings,
  type TokenSettings,
  tokenFields,
} from '../token-settings.ts';

/** A role as the store keeps it; times in milliseconds. */
export interface AppRole extends TokenSettings {
  /** In lower case: the names of roles do not tell case apart. */
  name: string;
  /** Drawn with the role: what belongs to one that was deleted never belongs to the next of its name. */
  uuid: string;
  role_id: string;
  /** Base64. Secret ids are only known by their HMAC under it. */
  hmacKey: string;
  bind_secret_id: boolean;
  secret_id_bound_cidrs: readonly string[] | null;
  secret_id_num_uses: number;
  secret_id_ttl: number;
  local_secret_ids: boolean;
}

export const appRoleFields = {
  ...tokenFields,
  bind_secret_id: 'boolean',
  bound_cidr_list: 'commaList',
  local_secret_ids: 'boolean',
  period: 'duration',
  policies: 'commaList',
  role_id: 'text',
  secret_id_bound_cidrs: 'commaList',
  secret_id_num_uses: 'integer',
  secret_id_ttl: 'duration',
} as const satisfies FieldTable;

export type AppRoleFields = FieldValues<typeof appRoleFields>;

/** What a role is drawn with. */
export type DrawnNames = Pick<AppRole, 'name' | 'uuid' | 'role_id' | 'hmacKey'>;

/** @throws Fault `vault.request.*` in Vault's words */
export function createRole(
  fields: AppRoleFields,
  drawn: DrawnNames,
  maxLeaseMs: number,
): { role: AppRole; warnings: string[] } {
  const blank: AppRole = {
    ...defaultTokenSettings,
    ...drawn,
    bind_secret_id: true,
    secret_id_bound_cidrs: null,
    secret_id_num_uses: 0,
    secret_id_ttl: 0,
    local_secret_ids: fields.local_secret_ids ?? false,
  };
  const { local_secret_ids: _, ...rest } = fields;
  return updateRole(blank, rest, maxLeaseMs);
}

/** @throws Fault `vault.request.*` in Vault's words */
export function updateRole(
  before: AppRole,
  fields: AppRoleFields,
  maxLeaseMs: number,
): { role: AppRole; warnings: string[] } {
  const warnings: string[] = [];
  const type = fields.token_type;
  const adjusted = type === 'default-service' ? 'service' : type === 'default-batch' ? 'batch' : type;
  if (adjusted !== type) warnings.push(`${type} has no useful meaning; adjusting to ${adjusted}`);
  if (fields.local_secret_ids !== undefined) {
    throw invalidRequest('local_secret_ids can only be modified during role creation');
  }
  const cidrs = fields.secret_id_bound_cidrs ?? fields.bound_cidr_list;
  const role: AppRole = {
    ...before,
    ...mergeTokenSettings(before, { ...fields, ...(adjusted === undefined ? {} : { token_type: adjusted }) }),
    role_id: fields.role_id ?? before.role_id,
    bind_secret_id: fields.bind_secret_id ?? before.bind_secret_id,
    secret_id_bound_cidrs: cidrs ? checkCidrBlocks(cidrs) : before.secret_id_bound_cidrs,
    secret_id_num_uses: fields.secret_id_num_uses ?? before.secret_id_num_uses,
    secret_id_ttl: fields.secret_id_ttl ?? before.secret_id_ttl,
  };
  checkRole(role);
  if (role.token_max_ttl > maxLeaseMs) {
    warnings.push(
      "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be truncated",
    );
  }
  return { role, warnings };
}

/** @throws Fault `vault.request.*` where nothing would bind who logs in, among others */
export function checkRole(role: AppRole): void {
  if (role.role_id === '') {
    throw invalidRequest('invalid role_id supplied, or failed to generate a role_id');
  }
  if (role.secret_id_num_uses < 0) throw invalidRequest('secret_id_num_uses cannot be negative');
  const bound = role.bind_secret_id || role.secret_id_bound_cidrs?.length || role.token_bound_cidrs.length;
  if (!bound) throw failed('at least one constraint should be enabled on the role');
}

export function describeRole(role: AppRole): Record<string, unknown> {
  return {
    ...describeTokenSettings(role),
    bind_secret_id: role.bind_secret_id,
    local_secret_ids: role.local_secret_ids,
    secret_id_bound_cidrs: role.secret_id_bound_cidrs,
    secret_id_num_uses: role.secret_id_num_uses,
    secret_id_ttl: role.secret_id_ttl / 1_000,
  };
}

/** What a secret id is kept under: who reads the store learns none, and looking one up compares none byte by byte. */
export function secretIdHmac({ hmacKey }: Pick<AppRole, 'hmacKey'>, secretId: string): string {
  return createHmac('sha256', Buffer.from(hmacKey, 'base64')).update(secretId).digest('hex');
}

/** For keys of the store, which not every text is fit for; none of these is secret. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
