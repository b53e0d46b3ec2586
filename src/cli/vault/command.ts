import { Readable } from 'node:stream';
import type { Command, CommandContext } from '../command.ts';
import { ShowInstead, type VaultClient, vaultClient } from './client.ts';
import { connectionFlags, readConnection } from './connection.ts';
import { variable } from './environment.ts';
import { Failure } from './failure.ts';
import { type Flag, parseFlags, parseSwitch } from './flags.ts';
import { commandHelp, groupHelp, listing } from './help.ts';
import { type Call, outputFlags, type Subcommand } from './subcommand.ts';
import { type Format, formats, type Terminal, terminal } from './terminal.ts';
import { tokenHelper } from './token-helper.ts';

/** Each command's name as it is typed, and what has it; a family's file is loaded with its first use. */
const subcommands: Readonly<Record<string, () => Promise<Subcommand>>> = {
  status: async () => (await import('./server-commands.ts')).status,
  login: async () => (await import('./login-command.ts')).login,
  read: async () => (await import('./data-commands.ts')).read,
  write: async () => (await import('./data-commands.ts')).write,
  list: async () => (await import('./data-commands.ts')).list,
  delete: async () => (await import('./data-commands.ts')).remove,
  'secrets enable': async () => (await import('./secrets-commands.ts')).secretsEnable,
  'secrets disable': async () => (await import('./secrets-commands.ts')).secretsDisable,
  'secrets tune': async () => (await import('./secrets-commands.ts')).secretsTune,
  'secrets list': async () => (await import('./secrets-commands.ts')).secretsList,
  'auth enable': async () => (await import('./auth-commands.ts')).authEnable,
  'auth disable': async () => (await import('./auth-commands.ts')).authDisable,
  'auth tune': async () => (await import('./auth-commands.ts')).authTune,
  'auth list': async () => (await import('./auth-commands.ts')).authList,
  'audit enable': async () => (await import('./audit-commands.ts')).auditEnable,
  'audit disable': async () => (await import('./audit-commands.ts')).auditDisable,
  'audit list': async () => (await import('./audit-commands.ts')).auditList,
  'policy write': async () => (await import('./policy-commands.ts')).policyWrite,
  'policy read': async () => (await import('./policy-commands.ts')).policyRead,
  'policy list': async () => (await import('./policy-commands.ts')).policyList,
  'policy delete': async () => (await import('./policy-commands.ts')).policyDelete,
  'pki verify-sign': async () => (await import('./pki-commands.ts')).pkiVerifySign,
  'pki health-check': async () => (await import('./pki-health-command.ts')).pkiHealthCheck,
  'pki issue': async () => (await import('./pki-issue-commands.ts')).pkiIssue,
  'pki reissue': async () => (await import('./pki-issue-commands.ts')).pkiReissue,
  'pki list-intermediates': async () => (await import('./pki-commands.ts')).pkiListIntermediates,
  'token create': async () => (await import('./token-commands.ts')).tokenCreate,
  'token lookup': async () => (await import('./token-commands.ts')).tokenLookup,
  'token renew': async () => (await import('./token-commands.ts')).tokenRenew,
  'token revoke': async () => (await import('./token-commands.ts')).tokenRevoke,
  'token capabilities': async () => (await import('./token-commands.ts')).tokenCapabilities,
  'lease lookup': async () => (await import('./lease-commands.ts')).leaseLookup,
  'lease renew': async () => (await import('./lease-commands.ts')).leaseRenew,
  'lease revoke': async () => (await import('./lease-commands.ts')).leaseRevoke,
  'operator init': async () => (await import('./operator-commands.ts')).operatorInit,
  'operator unseal': async () => (await import('./operator-commands.ts')).operatorUnseal,
  'operator seal': async () => (await import('./operator-commands.ts')).operatorSeal,
  'operator rekey': async () => (await import('./rekey-command.ts')).operatorRekey,
  'operator generate-root': async () => (await import('./generate-root-command.ts')).operatorGenerateRoot,
  'operator rotate': async () => (await import('./key-commands.ts')).operatorRotate,
  'operator key-status': async () => (await import('./key-commands.ts')).operatorKeyStatus,
  'operator step-down': async () => (await import('./key-commands.ts')).operatorStepDown,
  'operator migrate': async () => (await import('./migrate-command.ts')).operatorMigrate,
  'operator raft snapshot save': async () => (await import('./snapshot-commands.ts')).snapshotSave,
  'operator raft snapshot restore': async () => (await import('./snapshot-commands.ts')).snapshotRestore,
  unwrap: async () => (await import('./server-commands.ts')).unwrap,
  'print token': async () => (await import('./server-commands.ts')).printToken,
  version: async () => (await import('./server-commands.ts')).version,
};

export const command: Command = {
  summary: 'talk to a Vault server, real or Capstan, as the vault command does',
  help: `Talks to a Vault, OpenBao or Capstan server, or starts one: the commands, flags,
environment variables, output and exit statuses are those of Vault's own command line.

Usage: capstan vault COMMAND [options] [arguments]

  server                     Start a server
  status                     Print whether the server is sealed, and who leads
  login                      Log in, and keep the token for later commands
  read, write, list, delete  Read, write, list and delete at a path
  secrets                    Enable, disable, tune and list secrets engines
  auth                       Enable, disable, tune and list auth methods
  audit                      Enable, disable and list audit devices
  policy                     Write, read, list and delete policies
  token                      Create, look up, renew and revoke tokens
  lease                      Look up, renew and revoke leases
  pki                        Check PKI mounts, tell who issued whom, and make new CAs
  operator                   Initialise, unseal, seal, rekey, save and move a server
  unwrap                     Unwrap a wrapped answer
  print token                Print the token in use
  version                    Print the version of this program

capstan vault COMMAND -help tells more of one.

Environment, each also as BAO_..., which goes first:

  VAULT_ADDR                 Where the server listens (default https://127.0.0.1:8200)
  VAULT_TOKEN                The token in use; where unset, the one in ~/.vault-token
  VAULT_FORMAT               table, json or yaml
  VAULT_CACERT               PEM file of the CA that vouches for the server
  VAULT_SKIP_VERIFY          Accept any server certificate
  VAULT_NAMESPACE            The namespace to work in
  VAULT_MAX_RETRIES          How often to ask a busy or failing server again (default 0)
`,
  run,
};

async function run(args: readonly string[], context: CommandContext): Promise<number> {
  // The one command that is no client: none of the flags and settings of a connection are for it.
  if (args[0] === 'server') return (await import('./server.ts')).vaultServer.run(args.slice(1), context);
  const beforeEnd = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const help = beforeEnd.some((arg) => /^--?h(elp)?$/.test(arg) && arg !== '--h');
  const first = args.findIndex((arg) => arg !== '' && !arg.startsWith('-'));
  const { name, rest } = findSubcommand(first < 0 ? [] : args.slice(first));
  if (name === undefined) return showGroup(rest, help, context);
  const subcommand = await subcommands[name]!();
  const flags = knownFlags(subcommand);
  if (help) {
    context.stdout.write(commandHelp(name, subcommand, flags));
    return 0;
  }
  if (first > 0) {
    context.stderr.write(
      'Invalid flags before the subcommand. If these flags are for\n' +
        `the subcommand, please put them after the subcommand.\n\n${commandHelp(name, subcommand, flags)}`,
    );
    return 1;
  }
  return runSubcommand(subcommand, flags, rest, args, context);
}

/** The longest name that the words begin with. */
function findSubcommand(words: readonly string[]): { name: string | undefined; rest: readonly string[] } {
  for (const length of [4, 2, 1]) {
    const name = words.slice(0, length).join(' ');
    if (words.length >= length && Object.hasOwn(subcommands, name))
      return { name, rest: words.slice(length) };
  }
  return { name: undefined, rest: words };
}

/** The commands of a family (`secrets`), or all of them. Asked for, it is an answer; come upon, a mistake. */
async function showGroup(words: readonly string[], help: boolean, context: CommandContext): Promise<number> {
  const family = Object.keys(subcommands).filter((name) => name.startsWith(`${words[0]} `));
  const output = help ? context.stdout : context.stderr;
  if (family.length === 0) {
    output.write(help ? command.help : listing(command.help, words[0]));
    return help ? 0 : 127;
  }
  const members = await Promise.all(
    family.map(
      async (name) => [name.slice(words[0]!.length + 1), (await subcommands[name]!()).summary] as const,
    ),
  );
  output.write(groupHelp(words[0]!, members));
  return help ? 0 : 1;
}

function knownFlags({ flags = [], output = [] }: Subcommand): readonly Flag[] {
  return [...flags, ...output.map((name) => outputFlags[name]), ...connectionFlags];
}

async function runSubcommand(
  subcommand: Subcommand,
  known: readonly Flag[],
  rest: readonly string[],
  all: readonly string[],
  context: CommandContext,
): Promise<number> {
  const screen = terminal(context, outputOptions(all, context.env));
  const clients: VaultClient[] = [];
  try {
    if (!(formats as readonly string[]).includes(screen.format)) {
      throw new Failure(1, `Invalid output format: ${screen.format}`);
    }
    const { flags, rest: args } = parseFlags(known, rest, context.env);
    warnOfTrailingFlags(args, screen);
    if (screen.format === 'raw' && !subcommand.allowsRaw) {
      throw new Failure(1, 'This command does not support the -format=raw option.');
    }
    const connectWithoutToken = async () => {
      const client = vaultClient(await readConnection(flags, context), context);
      clients.push(client);
      client.token = variable(context.env, 'TOKEN') ?? '';
      return client;
    };
    const call: Call = {
      flags,
      args,
      terminal: screen,
      context,
      input: { stdin: flags.on('non-interactive') ? Readable.from([]) : context.stdin, cwd: context.cwd },
      connectWithoutToken,
      async connect() {
        const client = await connectWithoutToken();
        client.token ||= await tokenHelper(context).read();
        return client;
      },
    };
    return (await subcommand.run(call)) ?? 0;
  } catch (error) {
    if (error instanceof ShowInstead) {
      screen.line(error.text);
      return 0;
    }
    if (!(error instanceof Failure)) throw error;
    if (error.message) screen.error(error.message);
    return error.status;
  } finally {
    for (const client of clients) client.close();
  }
}

/** `-format` and `-detailed` count wherever they stand, behind the arguments too. */
function outputOptions(
  args: readonly string[],
  env: CommandContext['env'],
): { format: Format; detailed: boolean } {
  const end = args.indexOf('--');
  const counted = end < 0 ? args : args.slice(0, end);
  let format = '';
  let detailed: string | undefined;
  for (const [at, arg] of counted.entries()) {
    const [, name, value] = /^--?(format|detailed)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === 'format') format = value ?? counted[at + 1] ?? '';
    if (name === 'detailed') detailed = value ?? 'true';
  }
  format ||= variable(env, 'FORMAT') ?? '';
  return {
    format: (format.toLowerCase() || 'table') as Format,
    detailed: isTrue(detailed ?? variable(env, 'DETAILED') ?? ''),
  };
}

function isTrue(text: string): boolean {
  try {
    return parseSwitch(text);
  } catch {
    return false;
  }
}

const countedAnywhere = /^-+(output-curl-string|output-policy|format|detailed)(=|$)/;

function warnOfTrailingFlags(args: readonly string[], screen: Terminal): void {
  const trailing = args.filter((arg) => arg.startsWith('-') && arg !== '-' && !countedAnywhere.test(arg));
  if (trailing.length === 0 || screen.format !== 'table') return;
  screen.warn(
    'Command flags must be provided before positional arguments. The following arguments will not be parsed as ' +
      `flags: [${trailing.join(',')}]`,
  );
}
