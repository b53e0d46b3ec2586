import { table } from './columns.ts';
import { attempt, Failure } from './failure.ts';
import { asTexts, parseKeyValues } from './key-values.ts';
import { printDocument } from './output.ts';
import { text } from './secret.ts';
import { barePath, expectArguments, mountPath, type Subcommand } from './subcommand.ts';
import { isObject, plainText, type Value, type ValueObject } from './value.ts';

export const auditEnable: Subcommand = {
  summary: 'Enable an audit device',
  usage: '[options] TYPE [KEY=VALUE...]',
  about: `Enables an audit device of TYPE (file or socket), configured by the keys and values behind it. From then on
requests fail where no device takes their line; two devices are safer than one.

    $ capstan vault audit enable file file_path=/var/log/vault_audit.log
    $ capstan vault audit enable -path=out file file_path=stdout`,
  flags: [
    { name: 'description', kind: 'text', help: 'What the device is for.' },
    { name: 'path', kind: 'text', help: 'Where the device is to be found, if not at TYPE.' },
    { name: 'local', kind: 'switch', help: 'Keep the device out of replication.' },
  ],
  async run(call) {
    const [type, ...pairs] = call.args;
    if (type === undefined)
      throw new Failure(
        1,
        "Error enabling audit device: audit type missing. Valid types include 'file' and 'socket'.",
      );
    const { flags } = call;
    const options = asTexts(await parseKeyValues(pairs, call.input, 'Error parsing configuration'));
    const client = await call.connect();
    const path = mountPath(flags.text('path') || type);
    const body = new Map<string, Value>([
      ['type', type],
      ['description', flags.text('description')],
      ['options', options],
      ['local', flags.on('local')],
    ]);
    await attempt(
      'Error enabling audit device',
      client.ask({ method: 'PUT', path: `sys/audit/${barePath(path)}`, body }),
    );
    call.terminal.line(`Success! Enabled the ${type} audit device at: ${path}`);
    return 0;
  },
};

export const auditDisable: Subcommand = {
  summary: 'Disable an audit device',
  usage: '[options] PATH',
  about: `Disables the audit device at PATH (not TYPE). What it hashed cannot be compared with any value from then on.

    $ capstan vault audit disable file/`,
  async run(call) {
    expectArguments(call, { least: 1 });
    const client = await call.connect();
    const path = mountPath(barePath(call.args[0]!));
    await attempt(
      'Error disabling audit device',
      client.ask({ method: 'DELETE', path: `sys/audit/${barePath(path)}` }),
    );
    call.terminal.line(`Success! Disabled audit device (if it was enabled) at: ${path}`);
    return 0;
  },
};

export const auditList: Subcommand = {
  summary: 'List the enabled audit devices',
  usage: '[options]',
  about: `Lists the audit devices; with -detailed their options too.

    $ capstan vault audit list -detailed`,
  output: ['format', 'detailed'],
  async run(call) {
    expectArguments(call, {});
    const client = await call.connect();
    const secret = await attempt('Error listing audits', client.ask({ method: 'GET', path: 'sys/audit' }));
    const devices = Object.entries(secret?.data ?? {})
      .filter((entry): entry is [string, ValueObject] => isObject(entry[1]))
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const { terminal } = call;
    if (devices.length === 0) throw new Failure(2, 'No audit devices are enabled.');
    if (terminal.format === 'table')
      terminal.line(call.flags.on('detailed') ? detailed(devices) : simple(devices));
    else await printDocument(terminal, Object.fromEntries(devices.map(inOrder)));
    return 0;
  },
};

/** A device's fields in the order in which Vault's client prints them. */
function inOrder([path, { type, description, options, local }]: Devices[number]): [string, Value] {
  return [
    path,
    new Map<string, Value>([
      ['type', type ?? ''],
      ['description', description ?? ''],
      ['options', options ?? {}],
      ['local', local ?? false],
      ['path', path],
    ]),
  ];
}

type Devices = readonly (readonly [string, ValueObject])[];

function simple(devices: Devices): string {
  const rows = devices.map(([path, { type, description }]) => [path, text(type), text(description)]);
  return table(['Path', 'Type', 'Description'], rows);
}

function detailed(devices: Devices): string {
  const rows = devices.map(([path, { type, description, local, options }]) => {
    const pairs = Object.entries(isObject(options) ? options : {}).map(
      ([name, value]) => `${name}=${plainText(value)}`,
    );
    return [
      path,
      text(type),
      text(description),
      local === true ? 'local' : 'replicated',
      pairs.toSorted().join(' '),
    ];
  });
  return table(['Path', 'Type', 'Description', 'Replication', 'Options'], rows);
}
