import { Fault } from '../../base/fault.ts';
import { version as capstanVersion } from '../version.ts';
import { askPlain, type VaultClient } from './client.ts';
import { table } from './columns.ts';
import { attempt, Failure } from './failure.ts';
import { printDocument, printFieldOrSecret } from './output.ts';
import { number, text } from './secret.ts';
import { expectArguments, type Subcommand } from './subcommand.ts';
import type { Terminal } from './terminal.ts';
import { NumberText, type Value, type ValueObject } from './value.ts';

export const status: Subcommand = {
  summary: 'Print whether the server is sealed, and who leads',
  usage: '[options]',
  about: `Prints the seal's state, the version and the leader. Ends with status 0 where the server is unsealed, 2 where it is
sealed, 1 where it cannot be asked.`,
  output: ['format'],
  async run(call) {
    expectArguments(call, {});
    const client = await statusOne(call.connect());
    const seal = await statusOne(attempt('Error checking seal status', askPlain(client, 'sys/seal-status')));
    await printStatus(call.terminal, client, seal);
    return seal.sealed === true ? 2 : 0;
  },
};

/** Prints a seal's status, and who leads. @throws Failure with status 1 where that cannot be asked */
export async function printStatus(terminal: Terminal, client: VaultClient, seal: ValueObject): Promise<void> {
  const leader = await statusOne(attempt('Error checking leader status', askLeader(client)));
  const all = { ...seal, ...leader };
  if (terminal.format === 'table') terminal.line(table(['Key', 'Value'], statusRows(all)));
  else await printDocument(terminal, statusDocument(all));
}

/** 2 means "sealed" here, so what ends other commands with 2 ends this one with 1. */
export async function statusOne<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof Failure ? new Failure(1, error.message) : error;
  }
}

async function askLeader(client: VaultClient): Promise<ValueObject> {
  try {
    return await askPlain(client, 'sys/leader');
  } catch (error) {
    // Only a server that shares the lead has to be unsealed to tell who has it.
    if (error instanceof Fault && error.message.includes('Vault is sealed')) return { ha_enabled: true };
    throw error;
  }
}

function statusRows(all: ValueObject): string[][] {
  const sealed = all.sealed === true;
  const recovery = all.recovery_seal === true;
  const named = (key: string, name: string) => (text(all[name]) ? [[key, text(all[name])]] : []);
  const counted = (key: string, name: string) =>
    number(all[name]) > 0 ? [[key, String(number(all[name]))]] : [];
  return [
    ['Seal Type', text(all.type)],
    ...(recovery ? [['Recovery Seal Type', text(all.recovery_seal_type)]] : []),
    ['Initialized', String(all.initialized === true)],
    ['Sealed', String(sealed)],
    [`Total ${recovery ? 'Recovery ' : ''}Shares`, String(number(all.n))],
    ['Threshold', String(number(all.t))],
    ...(sealed
      ? [
          ['Unseal Progress', `${number(all.progress)}/${number(all.t)}`],
          ['Unseal Nonce', text(all.nonce)],
        ]
      : []),
    ...(all.migration === true ? [['Seal Migration in Progress', 'true']] : []),
    ...named('Version', 'version'),
    // Vault tells when it was built, OpenBao from which day its sources are.
    ...(text(all.commit_date) ? named('Commit Date', 'commit_date') : named('Build Date', 'build_date')),
    ...named('Storage Type', 'storage_type'),
    ...(text(all.cluster_id)
      ? [...named('Cluster Name', 'cluster_name'), ...named('Cluster ID', 'cluster_id')]
      : []),
    ['HA Enabled', String(all.ha_enabled === true)],
    ...(all.ha_enabled === true && !sealed ? leaderRows(all) : []),
    ...counted('Raft Committed Index', 'raft_committed_index'),
    ...counted('Raft Applied Index', 'raft_applied_index'),
  ];
}

function leaderRows(all: ValueObject): string[][] {
  const active = all.is_self === true;
  const since = text(all.active_time);
  return [
    ['HA Cluster', text(all.leader_cluster_address)],
    ['HA Mode', active ? 'active' : 'standby'],
    ...(active && since && !since.startsWith('0001-') ? [['Active Since', since]] : []),
    ...(!active && text(all.leader_address) ? [['Active Node Address', text(all.leader_address)]] : []),
  ];
}

/** What the server told, in the order in which Vault's client prints it (OpenBao's, where OpenBao answered). */
function statusDocument(all: ValueObject): Value {
  const commitDate = all.commit_date !== undefined;
  const names = [
    ...['type', 'initialized', 'sealed', 't', 'n', 'progress', 'nonce', 'version'],
    commitDate ? 'commit_date' : 'build_date',
    ...['migration', 'cluster_name', 'cluster_id', 'recovery_seal', 'recovery_seal_type', 'storage_type'],
    'warnings',
    ...(commitDate ? ['build_date'] : []),
    ...['ha_enabled', 'is_self', 'active_time', 'leader_address', 'leader_cluster_address'],
    ...['raft_committed_index', 'raft_applied_index'],
  ];
  const told: ValueObject = { build_date: '', ...all };
  const shown = names.filter(
    (name) => Object.hasOwn(told, name) && !(leftOutWhenBlank.has(name) && isBlank(told[name]!)),
  );
  return new Map(shown.map((name) => [name, told[name]!]));
}

const leftOutWhenBlank: ReadonlySet<string> = new Set([
  ...['cluster_name', 'cluster_id', 'recovery_seal_type', 'storage_type', 'warnings', 'is_self'],
  ...['leader_address', 'leader_cluster_address', 'raft_committed_index', 'raft_applied_index'],
]);

function isBlank(value: Value): boolean {
  return (
    value === null || value === '' || value === false || (value instanceof NumberText && value.text === '0')
  );
}

export const unwrap: Subcommand = {
  summary: 'Unwrap a wrapped answer',
  usage: '[options] [TOKEN]',
  about: `Prints what TOKEN wraps, once; the token in use where none is given.

    $ capstan vault unwrap TOKEN`,
  output: ['field', 'format'],
  async run(call) {
    expectArguments(call, { most: 1, expected: '0-1' });
    const client = await call.connect();
    const token = call.args[0]?.trim() ?? '';
    // Without a token in use the wrapping token speaks for itself.
    const speaksForItself = client.token === '' || client.token === token;
    if (speaksForItself && token) client.token = token;
    const body = token && !speaksForItself ? { token } : null;
    const secret = await attempt(
      'Error unwrapping',
      client.find({ method: 'PUT', path: 'sys/wrapping/unwrap', body }),
    );
    if (!secret) throw new Failure(2, 'Could not find wrapped response');
    await printFieldOrSecret(call.terminal, secret, call.flags.text('field'));
    return 0;
  },
};

export const printToken: Subcommand = {
  summary: 'Print the token in use',
  usage: '',
  about: 'Prints the token that commands are sent with: VAULT_TOKEN, else what the last login kept.',
  async run(call) {
    const client = await call.connect();
    call.terminal.line(client.token);
    return 0;
  },
};

export const version: Subcommand = {
  summary: 'Print the version of this program',
  usage: '',
  about: "Prints this program's version, not the server's; capstan vault status tells that one.",
  run(call) {
    call.terminal.line(`Capstan v${capstanVersion()}`);
    return Promise.resolve(0);
  },
};
