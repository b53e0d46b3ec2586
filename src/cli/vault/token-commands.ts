import { formatDuration } from '../../base/duration.ts';
import { attempt, Failure, misuse } from './failure.ts';
import type { Flag } from './flags.ts';
import { printDocument, printFieldOrSecret, printSecret } from './output.ts';
import type { VaultRequest } from './request.ts';
import { strings } from './secret.ts';
import { type Call, expectArguments, type Subcommand } from './subcommand.ts';
import type { Value } from './value.ts';

const accessorFlag: Flag = {
  name: 'accessor',
  kind: 'switch',
  help: 'The argument is an accessor, not a token.',
};

export const tokenCreate: Subcommand = {
  summary: 'Create a token',
  usage: '[options]',
  about: `Creates a child of the token in use, with all of its policies where none are named.

    $ capstan vault token create -policy=issuer -ttl=767h -orphan -no-default-policy`,
  flags: [
    {
      name: 'id',
      kind: 'text',
      help: 'The token itself, where the server should not make one up; needs sudo.',
    },
    { name: 'display-name', kind: 'text', help: 'A name for logs.' },
    { name: 'ttl', kind: 'duration', help: 'How long the token lives, if not renewed.' },
    { name: 'explicit-max-ttl', kind: 'duration', help: 'How long the token lives, renewed or not.' },
    {
      name: 'period',
      kind: 'duration',
      help: 'How long each renewal of a token without end gives; needs sudo.',
    },
    { name: 'renewable', kind: 'switch', default: 'true', help: 'Whether it can be renewed.' },
    { name: 'orphan', kind: 'switch', help: 'Let it outlive the token that creates it; needs sudo.' },
    { name: 'no-default-policy', kind: 'switch', help: 'Leave out the policy named default.' },
    { name: 'use-limit', kind: 'whole', help: 'How often it can be used; 0 for any number of times.' },
    { name: 'role', kind: 'text', help: 'The token role to create it by.' },
    { name: 'type', kind: 'text', default: 'service', help: 'service or batch.' },
    {
      name: 'metadata',
      kind: 'map',
      help: 'What audit logs show with it, as key=value; may be given again.',
    },
    { name: 'policy', kind: 'list', help: 'A policy for it; may be given again.' },
    { name: 'entity-alias', kind: 'text', help: 'The entity alias to tie it to; only with -role.' },
  ],
  output: ['field', 'format'],
  async run(call) {
    expectArguments(call, {});
    const { flags } = call;
    const client = await call.connect();
    const role = flags.text('role');
    const secret = await attempt(
      'Error creating token',
      client.ask({
        method: 'POST',
        path: `auth/token/create${role ? `/${role}` : ''}`,
        body: createBody(call),
      }),
    );
    if (secret) await printFieldOrSecret(call.terminal, secret, flags.text('field'));
    return 0;
  },
};

/** What is left at its default goes unsent where Vault's client leaves it out too. */
function createBody({ flags }: Call): Value {
  const type = flags.text('type');
  const optional: [string, Value][] = [
    ['id', flags.text('id')],
    ['policies', flags.list('policy')],
    ['meta', flags.map('metadata') ?? ''],
    ['ttl', formatDuration(flags.durationMs('ttl'))],
    ['explicit_max_ttl', formatDuration(flags.durationMs('explicit-max-ttl'))],
    ['period', formatDuration(flags.durationMs('period'))],
    ['no_parent', flags.on('orphan')],
    ['no_default_policy', flags.on('no-default-policy')],
  ];
  return new Map<string, Value>([
    ...optional.filter(([, value]) => value !== '' && value !== false && (value as string[]).length !== 0),
    ['display_name', flags.text('display-name')],
    ['num_uses', flags.whole('use-limit')],
    ['renewable', type !== 'batch' && flags.on('renewable')],
    ['type', type],
    ['entity_alias', flags.text('entity-alias')],
  ]);
}

export const tokenLookup: Subcommand = {
  summary: 'Show what is known of a token',
  usage: '[options] [TOKEN | ACCESSOR]',
  about: `Shows a token's policies, its remaining life and where it came from; the token in use where none is named.

    $ capstan vault token lookup
    $ capstan vault token lookup -accessor ACCESSOR`,
  flags: [accessorFlag],
  output: ['format'],
  async run(call) {
    const accessor = call.flags.on('accessor');
    const [got, token = ''] = [call.args.length, call.args[0]?.trim()];
    if (accessor && got < 1) throw misuse(`Not enough arguments with -accessor (expected 1, got ${got})`);
    if (accessor && got > 1) throw misuse(`Too many arguments with -accessor (expected 1, got ${got})`);
    expectArguments(call, { most: 1, expected: '0-1' });
    const client = await call.connect();
    const secret = await attempt('Error looking up token', client.ask(lookupRequest(token, accessor)));
    if (secret) await printSecret(call.terminal, secret);
    return 0;
  },
};

function lookupRequest(token: string, accessor: boolean): VaultRequest {
  if (token === '') return { method: 'GET', path: 'auth/token/lookup-self' };
  return accessor
    ? { method: 'POST', path: 'auth/token/lookup-accessor', body: { accessor: token } }
    : { method: 'POST', path: 'auth/token/lookup', body: { token } };
}

export const tokenRenew: Subcommand = {
  summary: "Renew a token's lease",
  usage: '[options] [TOKEN | ACCESSOR]',
  about: `Gives a token more time, up to its maximum; the token in use where none is named.

    $ capstan vault token renew -increment=24h`,
  flags: [
    accessorFlag,
    { name: 'increment', kind: 'duration', aliases: ['i'], help: 'How much time to ask for.' },
  ],
  output: ['format'],
  async run(call) {
    expectArguments(call, { most: 1, expected: '1' });
    const token = call.args[0]?.trim() ?? '';
    const increment = Math.max(0, Math.trunc(call.flags.durationMs('increment') / 1_000));
    const client = await call.connect();
    const secret = await attempt(
      'Error renewing token',
      client.ask(renewRequest(token, call.flags.on('accessor'), increment)),
    );
    if (secret) await printSecret(call.terminal, secret);
    return 0;
  },
};

function renewRequest(token: string, accessor: boolean, increment: number): VaultRequest {
  if (token === '') return { method: 'PUT', path: 'auth/token/renew-self', body: { increment } };
  return accessor
    ? { method: 'POST', path: 'auth/token/renew-accessor', body: { accessor: token, increment } }
    : { method: 'PUT', path: 'auth/token/renew', body: { increment, token } };
}

export const tokenRevoke: Subcommand = {
  summary: 'Revoke a token and its children',
  usage: '[options] [TOKEN | ACCESSOR]',
  about: `Ends a token, the tokens made from it, and what they hold.

    $ capstan vault token revoke TOKEN
    $ capstan vault token revoke -self
    $ capstan vault token revoke -mode=orphan TOKEN`,
  flags: [
    accessorFlag,
    { name: 'self', kind: 'switch', help: 'Revoke the token in use.' },
    {
      name: 'mode',
      kind: 'text',
      help: '"orphan" leaves the children alive; "path" revokes what an auth path has issued.',
    },
  ],
  async run(call) {
    const request = revokeRequest(call);
    const client = await call.connect();
    await attempt('Error revoking token', client.ask(request));
    call.terminal.line('Success! Revoked token (if it existed)');
    return 0;
  },
};

function revokeRequest({ flags, args }: Call): VaultRequest {
  const [mode, self, accessor] = [flags.text('mode'), flags.on('self'), flags.on('accessor')];
  const got = args.length;
  if (!['', 'orphan', 'path'].includes(mode)) throw misuse(`Invalid mode: ${mode}`);
  if (self && got > 0) throw misuse(`Too many arguments with -self (expected 0, got ${got})`);
  if (!self && got > 1) throw misuse(`Too many arguments (expected 1 or -self, got ${got})`);
  if (!self && got < 1) throw misuse(`Not enough arguments (expected 1 or -self, got ${got})`);
  if (self && accessor) throw misuse('Cannot use -self with -accessor!');
  if (self && mode) throw misuse('Cannot use -self with -mode!');
  if (accessor && mode) throw misuse(`Cannot use -accessor with -mode=${mode}!`);
  const token = args[0]?.trim() ?? '';
  if (self) return { method: 'PUT', path: 'auth/token/revoke-self' };
  if (accessor) return { method: 'POST', path: 'auth/token/revoke-accessor', body: { accessor: token } };
  if (mode === 'path') return { method: 'PUT', path: `sys/leases/revoke-prefix/${token}` };
  return { method: 'PUT', path: `auth/token/revoke${mode ? `-${mode}` : ''}`, body: { token } };
}

export const tokenCapabilities: Subcommand = {
  summary: 'Print what a token may do at a path',
  usage: '[options] [TOKEN] PATH',
  about: `Prints the capabilities that a token has at PATH; of the token in use where none is named.

    $ capstan vault token capabilities pki/root/sign-intermediate`,
  output: ['format'],
  async run(call) {
    expectArguments(call, { least: 1, most: 2, expected: '1-2' });
    const client = await call.connect();
    const path = call.args.at(-1)!;
    const token = call.args.length === 2 ? call.args[0]! : client.token;
    const self = token === client.token;
    const secret = await attempt(
      'Error listing capabilities',
      client.ask({
        method: 'POST',
        path: `sys/capabilities${self ? '-self' : ''}`,
        body: { path, token },
      }),
    );
    if (!secret?.data) throw new Failure(2, 'Error listing capabilities: data from server response is empty');
    const capabilities = strings(secret.data[path]) ?? strings(secret.data.capabilities);
    if (!capabilities) throw misuse('No capabilities found');
    if (call.terminal.format === 'table') call.terminal.line(capabilities.toSorted().join(', '));
    else await printDocument(call.terminal, capabilities);
    return 0;
  },
};
