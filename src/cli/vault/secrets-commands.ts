import { formatDuration } from '../../base/duration.ts';
import { table } from './columns.ts';
import { attempt, Failure } from './failure.ts';
import type { Flag, Flags } from './flags.ts';
import { printDocument } from './output.ts';
import { number, text } from './secret.ts';
import { barePath, expectArguments, mountPath, type Subcommand } from './subcommand.ts';
import { isList, isObject, plainText, type Value, type ValueObject } from './value.ts';

/** Settings that `enable` and `tune` share, each sent only where it was given. */
const sharedSettings: readonly (Flag & { field: string })[] = [
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

const leaseFlags: readonly Flag[] = [
  { name: 'default-lease-ttl', kind: 'duration', help: 'How long what the engine issues lasts by default.' },
  { name: 'max-lease-ttl', kind: 'duration', help: 'How long what the engine issues lasts at most.' },
  { name: 'options', kind: 'map', help: 'A mount option, as key=value; may be given again.' },
  { name: 'version', kind: 'whole', help: 'The version of the engine, where it has several.' },
  { name: 'description', kind: 'text', help: 'What the mount is for.' },
];

function givenSettings(flags: Flags): [string, Value][] {
  return sharedSettings
    .filter(({ name }) => flags.given(name))
    .map(({ name, field, kind }) => [field, kind === 'list' ? flags.list(name) : flags.text(name)]);
}

function mountOptions(flags: Flags): ValueObject | null {
  const version = flags.whole('version');
  const options = flags.map('options');
  return version > 0 ? { ...options, version: String(version) } : (options ?? null);
}

export const secretsEnable: Subcommand = {
  summary: 'Enable a secrets engine',
  usage: '[options] TYPE',
  about: `Mounts a secrets engine of TYPE at the path of the same name, or at the one given with -path.

    $ capstan vault secrets enable pki
    $ capstan vault secrets enable -path=pki_int -max-lease-ttl=43800h pki`,
  flags: [
    ...leaseFlags,
    ...sharedSettings,
    { name: 'path', kind: 'text', help: 'Where to mount the engine, if not at TYPE.' },
    { name: 'plugin-name', kind: 'text', help: 'The plugin behind a TYPE of "plugin".' },
    { name: 'local', kind: 'switch', help: 'Keep the mount out of replication.' },
    { name: 'seal-wrap', kind: 'switch', help: 'Wrap critical values with the seal.' },
    {
      name: 'external-entropy-access',
      kind: 'switch',
      help: 'Let the engine use an external entropy source.',
    },
    { name: 'force-no-cache', kind: 'switch', help: 'Cache nothing of the engine.' },
  ],
  async run(call) {
    expectArguments(call, { least: 1 });
    const { flags } = call;
    const client = await call.connect();
    const named = call.args[0]!.trim();
    const type = named === 'plugin' ? flags.text('plugin-name') : named;
    const path = mountPath(flags.text('path') || type);
    const config = new Map<string, Value>([
      ['options', null],
      ['default_lease_ttl', formatDuration(flags.durationMs('default-lease-ttl'))],
      ['max_lease_ttl', formatDuration(flags.durationMs('max-lease-ttl'))],
      ['force_no_cache', flags.on('force-no-cache')],
      ...givenSettings(flags),
    ]);
    const body = new Map<string, Value>([
      ['type', type],
      ['description', flags.text('description')],
      ['config', config],
      ['local', flags.on('local')],
      ['seal_wrap', flags.on('seal-wrap')],
      ['external_entropy_access', flags.on('external-entropy-access')],
      ['options', mountOptions(flags)],
    ]);
    await attempt('Error enabling', client.ask({ method: 'POST', path: `sys/mounts/${path}`, body }));
    const version = flags.text('plugin-version');
    const what = `${type} secrets engine${version ? ` version ${version}` : ''}`;
    call.terminal.line(`Success! Enabled the ${what} at: ${path}`);
    return 0;
  },
};

export const secretsTune: Subcommand = {
  summary: 'Tune an enabled secrets engine',
  usage: '[options] PATH',
  about: `Changes the settings of the engine at PATH; those not given stay as they are, and a duration of "system" goes
back to the server's own.

    $ capstan vault secrets tune -max-lease-ttl=2160h pki`,
  flags: [...leaseFlags, ...sharedSettings],
  async run(call) {
    expectArguments(call, { least: 1 });
    const { flags } = call;
    const client = await call.connect();
    const path = mountPath(barePath(call.args[0]!));
    const body = new Map<string, Value>([
      ['options', mountOptions(flags)],
      ['default_lease_ttl', tunedDuration(flags.durationMs('default-lease-ttl'))],
      ...(flags.given('description') ? [['description', flags.text('description')] as [string, Value]] : []),
      ['max_lease_ttl', tunedDuration(flags.durationMs('max-lease-ttl'))],
      ['force_no_cache', false],
      ...givenSettings(flags),
    ]);
    await attempt(
      `Error tuning secrets engine ${path}`,
      client.ask({ method: 'POST', path: `sys/mounts/${path}/tune`, body }),
    );
    call.terminal.line(`Success! Tuned the secrets engine at: ${path}`);
    return 0;
  },
};

/** Empty leaves the setting as it is; `system` takes it away. */
function tunedDuration(durationMs: number): string {
  if (durationMs === 0) return '';
  return durationMs < 0 ? 'system' : formatDuration(durationMs);
}

export const secretsDisable: Subcommand = {
  summary: 'Disable a secrets engine',
  usage: '[options] PATH',
  about: `Takes away the engine at PATH (not TYPE) with everything it holds: its issuers, keys and roles are gone.

    $ capstan vault secrets disable pki/`,
  async run(call) {
    expectArguments(call, { least: 1 });
    const client = await call.connect();
    const path = mountPath(barePath(call.args[0]!));
    await attempt(
      `Error disabling secrets engine at ${path}`,
      client.ask({ method: 'DELETE', path: `sys/mounts/${path}` }),
    );
    call.terminal.line(`Success! Disabled the secrets engine (if it existed) at: ${path}`);
    return 0;
  },
};

export const secretsList: Subcommand = {
  summary: 'List the enabled secrets engines',
  usage: '[options]',
  about: `Lists the engines and where they are mounted. A TTL of "system" is the server's own.

    $ capstan vault secrets list -detailed`,
  output: ['format', 'detailed'],
  async run(call) {
    expectArguments(call, {});
    const client = await call.connect();
    const secret = await attempt(
      'Error listing secrets engines',
      client.ask({ method: 'GET', path: 'sys/mounts' }),
    );
    if (!secret?.data) {
      throw new Failure(2, 'Error listing secrets engines: data from server response is empty');
    }
    const mounts = Object.entries(secret.data)
      .filter((entry): entry is [string, ValueObject] => isObject(entry[1]))
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    if (call.terminal.format === 'table') {
      call.terminal.line(call.flags.on('detailed') ? detailedTable(mounts) : simpleTable(mounts));
    } else {
      await printDocument(
        call.terminal,
        Object.fromEntries(mounts.map(([path, mount]) => [path, mountDocument(mount)])),
      );
    }
    return 0;
  },
};

type Mounts = readonly (readonly [string, ValueObject])[];

function simpleTable(mounts: Mounts): string {
  return table(
    ['Path', 'Type', 'Accessor', 'Description'],
    mounts.map(([path, mount]) => [path, text(mount.type), text(mount.accessor), text(mount.description)]),
  );
}

function detailedTable(mounts: Mounts): string {
  const headers =
    'Path|Plugin|Accessor|Default TTL|Max TTL|Force No Cache|Replication|Seal Wrap|External Entropy Access|Options|' +
    'Description|UUID|Version|Running Version|Running SHA256|Deprecation Status';
  const rows = mounts.map(([path, mount]) => {
    const config = isObject(mount.config) ? mount.config : {};
    return [
      path,
      text(mount.type),
      text(mount.accessor),
      leaseTtl(mount, config.default_lease_ttl),
      leaseTtl(mount, config.max_lease_ttl),
      String(config.force_no_cache === true),
      mount.local === true ? 'local' : 'replicated',
      String(mount.seal_wrap === true),
      String(mount.external_entropy_access === true),
      plainText(mount.options ?? {}),
      text(mount.description),
      text(mount.uuid),
      text(mount.plugin_version),
      text(mount.running_plugin_version),
      text(mount.running_sha256),
      text(mount.deprecation_status),
    ];
  });
  return table(headers.split('|'), rows);
}

function leaseTtl({ type }: ValueObject, ttl: Value | undefined): string {
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
    ['options', mount.options ?? null],
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
