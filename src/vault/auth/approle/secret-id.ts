import { failed, invalidRequest } from '../../faults.ts';
import { formatInstant } from '../../instant.ts';
import type { FieldTable, FieldValues } from '../../routing/fields.ts';
import { isWithin } from '../../token/bound-cidrs.ts';
import { areWithin, checkCidrBlocks } from '../cidr-blocks.ts';
import type { AppRole } from './app-role.ts';

/** A secret id as the store keeps it, under its HMAC; times in milliseconds. */
export interface SecretId {
  /** Stands for the secret id where that must not be shown. */
  accessor: string;
  /** Logins it is still good for; 0 for any number. */
  numUses: number;
  /** 0 for ever. */
  ttlMs: number;
  createdMs: number;
  updatedMs: number;
  expiresMs?: number;
  metadata: Readonly<Record<string, string>>;
  cidrList: readonly string[];
  tokenBoundCidrs: readonly string[];
}

export const secretIdFields = {
  cidr_list: 'commaList',
  metadata: 'text',
  num_uses: 'integer',
  token_bound_cidrs: 'commaList',
  ttl: 'duration',
} as const satisfies FieldTable;

/** @throws Fault `vault.request.*` in Vault's words where it would be good for more than the role allows */
export function planSecretId(
  fields: FieldValues<typeof secretIdFields>,
  role: AppRole,
  { nowMs, maxLeaseMs, accessor }: { nowMs: number; maxLeaseMs: number; accessor: string },
): SecretId {
  if (!role.bind_secret_id) throw invalidRequest('bind_secret_id is not set on the role');
  const cidrList = checkCidrBlocks(fields.cidr_list ?? []);
  checkSubset(cidrList, role.secret_id_bound_cidrs ?? []);
  const tokenBoundCidrs = checkCidrBlocks(fields.token_bound_cidrs ?? []);
  checkSubset(tokenBoundCidrs, role.token_bound_cidrs);
  const numUses = fields.num_uses ?? role.secret_id_num_uses;
  if (numUses < 0) throw invalidRequest('num_uses cannot be negative');
  if (exceeds(numUses, role.secret_id_num_uses)) {
    throw invalidRequest("num_uses cannot be higher than the role's secret_id_num_uses");
  }
  const askedMs = fields.ttl ?? role.secret_id_ttl;
  if (exceeds(askedMs, role.secret_id_ttl)) {
    throw invalidRequest("ttl cannot be longer than the role's secret_id_ttl");
  }
  const ttlMs = Math.min(askedMs, maxLeaseMs);
  return {
    accessor,
    numUses,
    ttlMs,
    createdMs: nowMs,
    updatedMs: nowMs,
    ...(ttlMs > 0 ? { expiresMs: nowMs + ttlMs } : {}),
    metadata: readMetadata(fields.metadata ?? ''),
    cidrList,
    tokenBoundCidrs,
  };
}

/** Where 0 stands for no limit. */
function exceeds(asked: number, limit: number): boolean {
  return limit > 0 && (asked === 0 || asked > limit);
}

function checkSubset(cidrs: readonly string[], ofRole: readonly string[]): void {
  if (ofRole.length === 0 || areWithin(cidrs, ofRole)) return;
  throw failed(
    `failed to verify subset relationship between CIDR blocks on the role [${ofRole.join(' ')}] and CIDR blocks ` +
      `on the secret ID [${cidrs.join(' ')}]`,
  );
}

/** JSON of texts, base64 of such JSON, or `a=b,c=d`: what Vault's strutil.ParseArbitraryKeyValues takes. */
function readMetadata(text: string): Record<string, string> {
  if (text.trim() === '') return {};
  const json = jsonOf(text) ?? jsonOf(Buffer.from(text, 'base64').toString());
  if (json) {
    const wrong = Object.values(json).some((value) => typeof value !== 'string');
    if (wrong) throw invalidRequest('failed to parse metadata: its values must be texts');
    return json as Record<string, string>;
  }
  const pairs = text.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
  if (pairs.some(([key, ...values]) => key === '' || values.length !== 1)) {
    throw invalidRequest('failed to parse metadata: failed to parse the input: invalid <key,value> format');
  }
  return Object.fromEntries(pairs as [string, string][]);
}

function jsonOf(text: string): object | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

export function isOver({ expiresMs }: SecretId, nowMs: number): boolean {
  return expiresMs !== undefined && nowMs >= expiresMs;
}

/** What a login with a secret id leaves of it. */
export function afterUse(secretId: SecretId, nowMs: number): SecretId | 'used up' {
  if (secretId.numUses === 0) return secretId;
  if (secretId.numUses === 1) return 'used up';
  return { ...secretId, numUses: secretId.numUses - 1, updatedMs: nowMs };
}

/** @throws Fault `vault.request.*` where a secret id may not be used from `address`, or not any more */
export function checkOrigin(secretId: SecretId, role: AppRole, address: string): void {
  checkSubset(secretId.cidrList, role.secret_id_bound_cidrs ?? []);
  if (secretId.cidrList.length > 0 && !isWithin(secretId.cidrList, address)) {
    throw invalidRequest(
      `source address ${JSON.stringify(address)} unauthorized through CIDR restrictions on the secret ID`,
    );
  }
}

export function describeSecretId(secretId: SecretId): Record<string, unknown> {
  return {
    cidr_list: secretId.cidrList,
    creation_time: formatInstant(secretId.createdMs),
    expiration_time:
      secretId.expiresMs === undefined ? '0001-01-01T00:00:00Z' : formatInstant(secretId.expiresMs),
    last_updated_time: formatInstant(secretId.updatedMs),
    metadata: secretId.metadata,
    secret_id_accessor: secretId.accessor,
    secret_id_num_uses: secretId.numUses,
    secret_id_ttl: secretId.ttlMs / 1_000,
    token_bound_cidrs: secretId.tokenBoundCidrs,
  };
}
