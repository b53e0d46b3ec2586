import { formatDuration } from '../../base/duration.ts';
import { table } from './columns.ts';
import { attempt } from './failure.ts';
import {
  givenSettings,
  leaseFlags,
  leaseTtl,
  listMounts,
  type Mounts,
  mountOptions,
  ownColumns,
  secretSettings,
  tuning,
} from './mount-settings.ts';
import { text } from './secret.ts';
import { barePath, expectArguments, mountPath, type Subcommand } from './subcommand.ts';
import { isObject, type Value } from './value.ts';

export const secretsEnable: Subcommand = {
  summary: 'Enable a secrets engine',
  usage: '[options] TYPE',
  about: `Mounts a secrets engine of TYPE at the path of the same name, or at the one given with -path.

    $ capstan vault secrets enable pki
    $ capstan vault secrets enable -path=pki_int -max-lease-ttl=43800h pki`,
  flags: [
    ...leaseFlags,
    ...secretSettings,
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
      ...givenSettings(flags, secretSettings),
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
  flags: [...leaseFlags, ...secretSettings],
  async run(call) {
    expectArguments(call, { least: 1 });
    const { flags } = call;
    const client = await call.connect();
    const path = mountPath(barePath(call.args[0]!));
    const body = tuning(flags, secretSettings);
    await attempt(
      `Error tuning secrets engine ${path}`,
      client.ask({ method: 'POST', path: `sys/mounts/${path}/tune`, body }),
    );
    call.terminal.line(`Success! Tuned the secrets engine at: ${path}`);
    return 0;
  },
};

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
    return listMounts(call, {
      path: 'sys/mounts',
      what: 'secrets engines',
      simple: simpleTable,
      detailed: detailedTable,
    });
  },
};

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
      ...ownColumns(mount),
    ];
  });
  return table(headers.split('|'), rows);
}
