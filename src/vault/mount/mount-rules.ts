import { describeError } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import { durationMs } from '../routing/coerce.ts';
import { type FieldKind, type FieldTable, type FieldValues, readFields } from '../routing/fields.ts';
import { systemLease } from '../token/lifetime.ts';
import {
  kindOf,
  listedPath,
  type Mount,
  type MountKind,
  type MountList,
  type MountTokenType,
  mountLists,
  tokenTypes,
} from './mount.ts';

/** The body of `POST sys/mounts/:path`. */
export const enableFields = {
  type: 'text',
  description: 'text',
  config: 'object',
  options: 'pairs',
  local: 'boolean',
  seal_wrap: 'boolean',
  external_entropy_access: 'boolean',
  plugin_name: 'text',
  plugin_version: 'text',
} as const satisfies FieldTable;

const listFields = {
  audit_non_hmac_request_keys: 'commaList',
  audit_non_hmac_response_keys: 'commaList',
  passthrough_request_headers: 'commaList',
  allowed_response_headers: 'commaList',
  allowed_managed_keys: 'commaList',
} as const satisfies Record<MountList, FieldKind>;

/** What `config` in there may hold. */
const configFields = {
  ...listFields,
  default_lease_ttl: 'text',
  max_lease_ttl: 'text',
  force_no_cache: 'boolean',
  listing_visibility: 'text',
  token_type: 'text',
} as const satisfies FieldTable;

/** The body of `POST sys/mounts/:path/tune` and `sys/auth/:path/tune`. */
export const tuneFields = {
  ...listFields,
  default_lease_ttl: 'text',
  max_lease_ttl: 'text',
  description: 'text',
  listing_visibility: 'text',
  options: 'pairs',
  token_type: 'text',
} as const satisfies FieldTable;

/** `pki/` of `pki`, `/pki` and `pki/`. */
export function mountPath(text: string): string {
  return `${text.replace(/^\/+/, '').replace(/\/+$/, '')}/`;
}

/**
 * What a new mount would be.
 *
 * @throws Fault `vault.request.invalid`
 */
export function planMount(
  path: string,
  fields: FieldValues<typeof enableFields>,
  { kind, types }: { kind: MountKind; types: readonly string[] },
): Omit<Mount, 'uuid' | 'accessor'> {
  if (kindOf({ path }) !== kind) throw invalidRequest(`cannot mount ${JSON.stringify(path)}`);
  const type = fields.type ?? '';
  if (type === '') throw invalidRequest('backend type must be specified as a string');
  if (!types.includes(type)) {
    throw invalidRequest(`plugin not found in the catalog: ${type} (this server has: ${types.join(', ')})`);
  }
  checkMountPath(path);
  const config = readFields(configFields, fields.config ?? {});
  const defaultLeaseTtlMs = lease('default TTL', config.default_lease_ttl, 0);
  const maxLeaseTtlMs = lease('max TTL', config.max_lease_ttl, 0);
  if (maxLeaseTtlMs !== 0 && defaultLeaseTtlMs > maxLeaseTtlMs) {
    throw invalidRequest('given default lease TTL greater than given max lease TTL');
  }
  if (maxLeaseTtlMs === 0 && defaultLeaseTtlMs > systemLease.maxTtlMs) {
    throw invalidRequest(
      `given default lease TTL greater than system max lease TTL of ${systemLease.maxTtlMs / 1_000}`,
    );
  }
  const isAuth = kind === 'auth';
  return {
    path,
    type,
    description: fields.description ?? '',
    defaultLeaseTtlMs,
    maxLeaseTtlMs,
    forceNoCache: config.force_no_cache ?? false,
    listingVisibility: visibility(config.listing_visibility ?? ''),
    options: fields.options && Object.keys(fields.options).length > 0 ? fields.options : isAuth ? {} : null,
    local: fields.local ?? false,
    sealWrap: fields.seal_wrap ?? false,
    ...chosenLists({}, config),
    ...(isAuth ? { tokenType: tokenType(config.token_type || 'default-service') } : {}),
  };
}

function checkMountPath(path: string): void {
  const segments = listedPath({ path }).slice(0, -1).split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw invalidRequest(`path '${path}' has an empty or relative segment`);
  }
  // oxlint-disable-next-line no-control-regex -- these are what is refused
  if (/[\u0000-\u001f\u007f*+]/.test(path)) {
    throw invalidRequest("a mount's path cannot contain non-printable characters, '*' or '+'");
  }
}

/** A mount with the settings that a tune changes: an empty text leaves a time as it is, `system` resets it. */
export function tuneMount(mount: Mount, fields: FieldValues<typeof tuneFields>): Mount {
  if (fields.token_type && kindOf(mount) !== 'auth') {
    throw invalidRequest("'token_type' can only be modified on auth mounts");
  }
  if (fields.token_type && mount.type === 'token') {
    throw invalidRequest("'token_type' cannot be set for 'token' or 'ns_token' auth mounts");
  }
  const defaultLeaseTtlMs = lease('default TTL', fields.default_lease_ttl, mount.defaultLeaseTtlMs);
  const maxLeaseTtlMs = lease('max TTL', fields.max_lease_ttl, mount.maxLeaseTtlMs);
  if (defaultLeaseTtlMs !== 0 && maxLeaseTtlMs !== 0 && maxLeaseTtlMs < defaultLeaseTtlMs) {
    throw invalidRequest(
      `backend max lease TTL of ${maxLeaseTtlMs / 1_000} would be less than ` +
        `backend default lease TTL of ${defaultLeaseTtlMs / 1_000}`,
    );
  }
  return {
    ...mount,
    defaultLeaseTtlMs,
    maxLeaseTtlMs,
    description: fields.description ?? mount.description,
    listingVisibility: visibility(fields.listing_visibility ?? mount.listingVisibility),
    options: fields.options ? { ...mount.options, ...fields.options } : mount.options,
    ...chosenLists(mount.lists, fields),
    ...(fields.token_type ? { tokenType: tokenType(fields.token_type) } : {}),
  };
}

/** An empty list takes the setting away. */
function chosenLists(
  before: Mount['lists'] = {},
  given: FieldValues<typeof listFields>,
): Pick<Mount, 'lists'> {
  const lists = { ...before };
  for (const name of mountLists) {
    const list = given[name];
    if (list?.length === 0) delete lists[name];
    else if (list) lists[name] = list;
  }
  return Object.keys({ ...before, ...lists }).length > 0 ? { lists } : {};
}

function lease(what: string, text: string | undefined, unchangedMs: number): number {
  if (text === undefined || text === '') return unchangedMs;
  if (text === 'system') return 0;
  const refusal = (why: string) => invalidRequest(`unable to parse ${what} of ${text}: ${why}`);
  let ms: number;
  try {
    ms = Math.trunc(durationMs(text) / 1_000) * 1_000;
  } catch (error) {
    throw refusal(describeError(error));
  }
  if (ms < 0) throw refusal('it is negative');
  return ms;
}

function tokenType(text: string): MountTokenType {
  const known = tokenTypes.find((type) => type === text);
  if (!known) throw invalidRequest("invalid value for 'token_type'");
  return known;
}

function visibility(text: string): string {
  if (['', 'unauth', 'hidden'].includes(text)) return text;
  throw invalidRequest(`invalid listing_visibility ${text}`);
}
