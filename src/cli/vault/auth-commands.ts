import { formatDuration } from '../../base/duration.ts';
import { table } from './columns.ts';
import { attempt } from './failure.ts';
import type { Flag, Flags } from './flags.ts';
import {
  givenSettings,
  leaseFlags,
  leaseTtl,
  listMounts,
  type Mounts,
  mountOptions,
  ownColumns,
  sharedSettings,
  tuning,
} from './mount-settings.ts';
import { text } from './secret.ts';
import { barePath, expectArguments, mountPath, type Subcommand } from './subcommand.ts';
import { isObject, type Value } from './value.ts';

const tokenType: Flag = {
  name: 'token-type',
  kind: 'text',
  help: 'What kind of tokens logins give: default-service, default-batch, service or batch.',
};

function givenTokenType(flags: Flags): [string, Value][] {
  return flags.given('token-type') ? [['token_type', flags.text('token-type')]] : [];
}

export const authEnable: Subcommand = {
  summary: 'Enable an auth method',
  usage: '[options] TYPE',
  about: `Enables an auth method of TYPE below auth/ at the path of the same name, or at the one given with -path.

    $ capstan vault auth enable kubernetes
    $ capstan vault auth enable -path=ci jwt`,
  flags: [
    ...leaseFlags,
    ...sharedSettings,
    tokenType,
    { name: 'path', kind: 'text', help: 'Where to enable the method, if not at TYPE.' },
    { name: 'plugin-name', kind: 'text', help: 'The plugin behind a TYPE of "plugin".' },
    { name: 'local', kind: 'switch', help: 'Keep the mount out of replication.' },
    { name: 'seal-wrap', kind: 'switch', help: 'Wrap critical values with the seal.' },
    {
      name: 'external-entropy-access',
      kind: 'switch',
      help: 'Let the method use an external entropy source.',
    },
    { name: 'force-no-cache', kind: 'switch', help: 'Cache nothing of the method.' },
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
      ...givenTokenType(flags),
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
    await attempt(
      `Error enabling ${type} auth`,
      client.ask({ method: 'POST', path: `sys/auth/${path.replace(/\/$/, '')}`, body }),
    );
    const version = flags.text('plugin-version');
    const what = `${type} auth method${version ? ` version ${version}` : ''}`;
    call.terminal.line(`Success! Enabled ${what} at: ${path}`);
    return 0;
  },
};

export const authTune: Subcommand = {
  summary: 'Tune an enabled auth method',
  usage: '[options] PATH',
  about: `Changes the settings of the auth method at PATH; those not given stay as they are, and a duration of "system"
goes back to the server's own.

    $ capstan vault auth tune -default-lease-ttl=1h approle`,
  flags: [...leaseFlags, ...sharedSettings, tokenType],
  async run(call) {
    expectArguments(call, { least: 1 });
    const client = await call.connect();
    const path = mountPath(barePath(call.args[0]!));
    const body = new Map<string, Value>([...tuning(call.flags), ...givenTokenType(call.flags)]);
    await attempt(
      `Error tuning auth method ${path}`,
      client.ask({ method: 'POST', path: `sys/mounts/auth/${path.replace(/\/$/, '')}/tune`, body }),
    );
    call.terminal.line(`Success! Tuned the auth method at: ${path}`);
    return 0;
  },
};

export const authDisable: Subcommand = {
  summary: 'Disable an auth method',
  usage: '[options] PATH',
  about: `Takes away the auth method at PATH (not TYPE) with its roles; the tokens that its logins gave are revoked.

    $ capstan vault auth disable approle/`,
  async run(call) {
    expectArguments(call, { least: 1 });
    const client = await call.connect();
    const path = mountPath(barePath(call.args[0]!));
    await attempt(
      `Error disabling auth method at ${path}`,
      client.ask({ method: 'DELETE', path: `sys/auth/${path.replace(/\/$/, '')}` }),
    );
    call.terminal.line(`Success! Disabled the auth method (if it existed) at: ${path}`);
    return 0;
  },
};

export const authList: Subcommand = {
  summary: 'List the enabled auth methods',
  usage: '[options]',
  about: `Lists the auth methods and where they are enabled. A TTL of "system" is the server's own.

    $ capstan vault auth list -detailed`,
  output: ['format', 'detailed'],
  async run(call) {
    expectArguments(call, {});
    return listMounts(call, {
      path: 'sys/auth',
      what: 'enabled authentications',
      simple: simpleTable,
      detailed: detailedTable,
    });
  },
};

function simpleTable(mounts: Mounts): string {
  return table(
    ['Path', 'Type', 'Accessor', 'Description', 'Version'],
    mounts.map(([path, mount]) => [
      path,
      text(mount.type),
      text(mount.accessor),
      text(mount.description),
      text(mount.plugin_version),
    ]),
  );
}

function detailedTable(mounts: Mounts): string {
  const headers =
    'Path|Plugin|Accessor|Default TTL|Max TTL|Token Type|Replication|Seal Wrap|External Entropy Access|Options|' +
    'Description|UUID|Version|Running Version|Running SHA256|Deprecation Status';
  const rows = mounts.map(([path, mount]) => {
    const config = isObject(mount.config) ? mount.config : {};
    return [
      path,
      text(mount.type),
      text(mount.accessor),
      leaseTtl(mount, config.default_lease_ttl),
      leaseTtl(mount, config.max_lease_ttl),
      text(config.token_type),
      mount.local === true ? 'local' : 'replicated',
      String(mount.seal_wrap === true),
      String(mount.external_entropy_access === true),
      ...ownColumns(mount),
    ];
  });
  return table(headers.split('|'), rows);
}
