import { formatDuration } from '../../base/duration.ts';
import { attempt, Failure } from './failure.ts';
import type { Flag, Flags } from './flags.ts';
import { printDocument } from './output.ts';
import { number, text } from './secret.ts';
import type { Call } from './subcommand.ts';
import { isList, isObject, plainText, type Value, type ValueObject } from './value.ts';

/** Settings that `enable` and `tune` share, each sent only where it was given. */
export const sharedSettings: readonly (Flag & { field: string })[] = [
  {
    name: 'audit-non-hmac-request-keys',
    field: 'audit_non_hmac_request_keys',
    kind: 'list',
    help: 'A request field that audit logs show as it is; may be given again.',
  },
  {
    name: 'audit-non-hmac-response-keys',
    field: 'audit_non_hmac_response_keys',
    kind: 'list',
    help: 'A response field that audit logs show as it is; may be given again.',
  },
  {
    name: 'listing-visibility',
    field: 'listing_visibility',
    kind: 'text',
    help: 'Whether the mount shows without a token: unauth or hidden.',
  },
  {
    name: 'passthrough-request-headers',
    field: 'passthrough_request_headers',
    kind: 'list',
    help: 'A request header that the engine may see; may be given again.',
  },
  {
    name: 'allowed-response-headers',
    field: 'allowed_response_headers',
    kind: 'list',
    help: 'A response header that the engine may set; may be given again.',
  },
  {
    name: 'plugin-version',
    field: 'plugin_version',
    kind: 'text',
    help: 'The version of the plugin to run.',
  },
];

/** Those of secrets engines. */
export const secretSettings: typeof sharedSettings = [
  ...sharedSettings,
  {
    name: 'allowed-managed-keys',
    field: 'allowed_managed_keys',
    kind: 'list',
    help: 'A managed key that the engine may use; may be given again.',
  },
];

export const leaseFlags: readonly Flag[] = [
  { name: 'default-lease-ttl', kind: 'duration', help: 'How long what the engine issues lasts by default.' },
  { name: 'max-lease-ttl', kind: 'duration', help: 'How long what the engine issues lasts at most.' },
  { name: 'options', kind: 'map', help: 'A mount option, as key=value; may be given again.' },
  { name: 'version', kind: 'whole', help: 'The version of the engine, where it has several.' },
  { name: 'description', kind: 'text', help: 'What the mount is for.' },
];

export function givenSettings(flags: Flags, settings = sharedSettings): [string, Value][] {
  return settings
    .filter(({ name }) => flags.given(name))
    .map(({ name, field, kind }) => [field, kind === 'list' ? flags.list(name) : flags.text(name)]);
}

export function mountOptions(flags: Flags): ValueObject | null {
  const version = flags.whole('version');
  const options = flags.map('options');
  return version > 0 ? { ...options, version: String(version) } : (options ?? null);
}

/** Empty leaves the setting as it is; `system` takes it away. */
function tunedDuration(durationMs: number): string {
  if (durationMs === 0) return '';
  return durationMs < 0 ? 'system' : formatDuration(durationMs);
}

/** What a tune sends: what was not given stays as it is. */
export function tuning(flags: Flags, settings = sharedSettings): Map<string, Value> {
  return new Map<string, Value>([
    ['options', mountOptions(flags)],
    ['default_lease_ttl', tunedDuration(flags.durationMs('default-lease-ttl'))],
    ...(flags.given('description') ? [['description', flags.text('description')] as [string, Value]] : []),
    ['max_lease_ttl', tunedDuration(flags.durationMs('max-lease-ttl'))],
    ['force_no_cache', false],
    ...givenSettings(flags, settings),
  ]);
}

interface MountLists {
  path: string;
  /** As the failure to list them says it. */
  what: string;
  simple: (mounts: Mounts) => string;
  detailed: (mounts: Mounts) => string;
}

/** Lists the mounts that `path` tells of, those with all that is known of them by `detailed`. */
export async function listMounts(call: Call, { path, what, simple, detailed }: MountLists): Promise<number> {
  const client = await call.connect();
  const secret = await attempt(`Error listing ${what}`, client.ask({ method: 'GET', path }));
  if (!secret?.data) {
    throw new Failure(2, `Error listing ${what}: data from server response is empty`);
  }
  const mounts = Object.entries(secret.data)
    .filter((entry): entry is [string, ValueObject] => isObject(entry[1]))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (call.terminal.format === 'table') {
    call.terminal.line(call.flags.on('detailed') ? detailed(mounts) : simple(mounts));
  } else {
    await printDocument(
      call.terminal,
      Object.fromEntries(mounts.map(([at, mount]) => [at, mountDocument(mount)])),
    );
  }
  return 0;
}

/** The columns of a detailed list from its options on, which all kinds of mounts share. */
export function ownColumns(mount: ValueObject): string[] {
  return [
    plainText(mount.options ?? {}),
    text(mount.description),
    text(mount.uuid),
    text(mount.plugin_version),
    text(mount.running_plugin_version),
    text(mount.running_sha256),
    text(mount.deprecation_status),
  ];
}

export type Mounts = readonly (readonly [string, ValueObject])[];

export function leaseTtl({ type }: ValueObject, ttl: Value | undefined): string {
  if (type === 'system' || type === 'cubbyhole') return '';
  return number(ttl) === 0 ? 'system' : String(number(ttl));
}

/** A mount as Vault's client prints it: its known fields in their order, the config's empty lists left out. */
function mountDocument(mount: ValueObject): Value {
  const config = isObject(mount.config) ? mount.config : {};
  const lists = [
    'audit_non_hmac_request_keys',
    'audit_non_hmac_response_keys',
    'listing_visibility',
    'passthrough_request_headers',
    'allowed_response_headers',
    'token_type',
    'allowed_managed_keys',
    'user_lockout_config',
  ].filter((name) => !isBlank(config[name]));
  return new Map<string, Value>([
    ['uuid', text(mount.uuid)],
    ['type', text(mount.type)],
    ['description', text(mount.description)],
    ['accessor', text(mount.accessor)],
    [
      'config',
      new Map<string, Value>([
        ['default_lease_ttl', number(config.default_lease_ttl)],
        ['max_lease_ttl', number(config.max_lease_ttl)],
        ['force_no_cache', config.force_no_cache === true],
        ...lists.map((name): [string, Value] => [name, config[name]!]),
      ]),
    ],
    [
      'options',
      isObject(mount.options) && Object.keys(mount.options).length === 0 ? null : (mount.options ?? null),
    ],
    ['local', mount.local === true],
    ['seal_wrap', mount.seal_wrap === true],
    ['external_entropy_access', mount.external_entropy_access === true],
    ['plugin_version', text(mount.plugin_version)],
    ['running_plugin_version', text(mount.running_plugin_version)],
    ['running_sha256', text(mount.running_sha256)],
    ['deprecation_status', text(mount.deprecation_status)],
  ]);
}

function isBlank(value: Value | undefined): boolean {
  return value === undefined || value === null || value === '' || (isList(value) && value.length === 0);
}
