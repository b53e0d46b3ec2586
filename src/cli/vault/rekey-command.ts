import { askCeremony, dropCeremony } from './ceremony-client.ts';
import type { VaultClient } from './client.ts';
import { paragraph, table } from './columns.ts';
import { attempt, misuse } from './failure.ts';
import { readKey } from './key-prompt.ts';
import { printDocument } from './output.ts';
import { number, strings, text } from './secret.ts';
import { type Call, expectArguments, type Subcommand } from './subcommand.ts';
import type { Value, ValueObject } from './value.ts';

/** Which key is replaced. */
interface Target {
  path: string;
  /** As prompts name its shares, and as sentences do. */
  share: 'Unseal' | 'Recovery';
}

const targets: Readonly<Record<string, Target>> = {
  barrier: { path: 'sys/rekey', share: 'Unseal' },
  recovery: { path: 'sys/rekey-recovery-key', share: 'Recovery' },
  hsm: { path: 'sys/rekey-recovery-key', share: 'Recovery' },
};

export const operatorRekey: Subcommand = {
  summary: 'Replace the unseal keys, or the recovery keys',
  usage: '[options] [KEY]',
  about: `Makes new unseal keys for a server that is unsealed, in another number if that is wanted: enough of the present keys
are given one by one, then the new ones are printed, once. Without KEY one is asked for, and not shown as it is typed;
- reads it from stdin. Takes no token, except for OpenBao: who has the keys needs none.

    $ capstan vault operator rekey -init -key-shares=5 -key-threshold=3
    $ capstan vault operator rekey -nonce=NONCE

With -verify at -init the new keys count only once enough of them were given back, by -verify -nonce=NONCE. With
-target=recovery it is the recovery keys, of a server that unseals by itself, that are replaced.`,
  flags: [
    { name: 'init', kind: 'switch', help: 'Begin.' },
    { name: 'cancel', kind: 'switch', help: 'Drop what was begun.' },
    { name: 'status', kind: 'switch', help: 'Only print how far it is.' },
    { name: 'key-shares', aliases: ['n'], kind: 'whole', default: '5', help: 'How many new keys to make.' },
    {
      name: 'key-threshold',
      aliases: ['t'],
      kind: 'whole',
      default: '3',
      help: 'How many of them are needed.',
    },
    { name: 'nonce', kind: 'text', help: 'The name that the attempt was given at -init.' },
    {
      name: 'target',
      kind: 'text',
      default: 'barrier',
      help: 'What to replace: barrier (the unseal keys) or recovery.',
    },
    {
      name: 'verify',
      kind: 'switch',
      help: 'At -init, ask for verification; else work on the verification.',
    },
    { name: 'backup', kind: 'switch', hidden: true, help: 'Keep the keys, encrypted with PGP.' },
    { name: 'pgp-keys', kind: 'list', hidden: true, help: 'Encrypt the keys with PGP.' },
  ],
  output: ['format'],
  async run(call) {
    expectArguments(call, { least: 0, most: 1, expected: '0-1' });
    const { flags } = call;
    const name = flags.text('target').trim().toLowerCase();
    const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
    if (!target) throw misuse(`Unknown target: ${flags.text('target')}`);
    const client = await call.connect();
    if (flags.on('cancel')) return cancel(call, client, target);
    if (flags.on('init')) return init(call, client, target);
    if (flags.on('status')) return printProgress(call, client, target);
    return provide(call, client, target);
  },
};

/** Where the verification is, or the attempt itself. */
function statusPath({ flags }: Call, { path }: Target): string {
  return `${path}/${flags.on('verify') ? 'verify' : 'init'}`;
}

async function cancel(call: Call, client: VaultClient, target: Target): Promise<number> {
  const path = statusPath(call, target);
  await attempt('Error canceling rekey', dropCeremony(client, path));
  call.terminal.line('Success! Canceled rekeying (if it was started)');
  return 0;
}

async function init(call: Call, client: VaultClient, target: Target): Promise<number> {
  const { flags, terminal } = call;
  const pgpKeys = flags.list('pgp-keys');
  const request: [string, Value][] = [
    ['secret_shares', flags.whole('key-shares')],
    ['secret_threshold', flags.whole('key-threshold')],
    ['pgp_keys', pgpKeys.length > 0 ? [...pgpKeys] : null],
    ['backup', flags.on('backup')],
    ['require_verification', flags.on('verify')],
  ];
  const status = await attempt(
    'Error initializing rekey',
    askCeremony(client, `${target.path}/init`, new Map(request)),
  );
  // Where no share comes of it, only the root key is replaced.
  if (terminal.format === 'table' && number(status.n) > 0) {
    terminal.warn(
      paragraph(
        `WARNING! The new ${target.share.toLowerCase()} keys will be printed once. If they are lost then, nothing gives ` +
          'them back; with -verify they do not count before they have been given back.',
      ),
    );
    terminal.line('');
  }
  return print(call, status, false);
}

async function printProgress(call: Call, client: VaultClient, target: Target): Promise<number> {
  const path = statusPath(call, target);
  const status = await attempt('Error reading rekey status', askCeremony(client, path));
  return print(call, status, call.flags.on('verify'));
}

async function print({ terminal }: Call, status: ValueObject, verification: boolean): Promise<number> {
  if (terminal.format !== 'table') await printDocument(terminal, status);
  else terminal.line(table(['Key', 'Value'], verification ? verificationRows(status) : rekeyRows(status)));
  return 0;
}

function rekeyRows(status: ValueObject): string[][] {
  const [progress, required] = [number(status.progress), number(status.required)];
  const started = status.started === true;
  const note = progress === required ? ' (verification in progress)' : '';
  const counted = (key: string, count: number) => (count > 0 ? [[key, String(count)]] : []);
  return [
    ['Nonce', text(status.nonce)],
    ['Started', String(started)],
    ...(started
      ? [
          ['Rekey Progress', `${progress}/${required}${note}`],
          ...counted('New Shares', number(status.n)),
          ...counted('New Threshold', number(status.t)),
          ['Verification Required', String(status.verification_required === true)],
          ...(text(status.verification_nonce)
            ? [['Verification Nonce', text(status.verification_nonce)]]
            : []),
        ]
      : []),
  ];
}

function verificationRows(status: ValueObject): string[][] {
  return [
    ['Started', String(status.started === true)],
    ['New Shares', String(number(status.n))],
    ['New Threshold', String(number(status.t))],
    ['Verification Nonce', text(status.nonce)],
    ['Verification Progress', `${number(status.progress)}/${number(status.t)}`],
  ];
}

async function provide(call: Call, client: VaultClient, target: Target): Promise<number> {
  const { flags, terminal } = call;
  const verify = flags.on('verify');
  const status = await attempt('Error getting rekey status', askCeremony(client, statusPath(call, target)));
  if (status.started !== true) {
    throw misuse(
      paragraph(
        'No rekey is in progress. Start a rekey process by running "capstan vault operator rekey -init".',
      ),
    );
  }
  const known = text(status.nonce);
  const asked = { what: `the ${target.share.toLowerCase()} key`, doing: 'rekey' };
  const prompt = `Rekey operation nonce: ${known}\n${target.share} Key (will be hidden): `;
  const { key, typed } = await readKey(call, { ...asked, prompt });
  const nonce = typed ? known : flags.text('nonce');
  if (nonce === '') throw misuse('Missing nonce value: specify it via the -nonce flag');
  const path = `${target.path}/${verify ? 'verify' : 'update'}`;
  const request = new Map<string, Value>([
    ['key', key],
    ['nonce', nonce],
  ]);
  const answer = await attempt('Error posting unseal key', askCeremony(client, path, request));
  if (answer.complete !== true) return printProgress(call, client, target);
  if (verify) {
    terminal.line(
      paragraph(
        'Rekey verification successful. The rekey operation is complete and the new keys are now active.',
      ),
    );
    return 0;
  }
  if (terminal.format !== 'table') {
    await printDocument(terminal, answer);
    return 0;
  }
  return printKeys(call, client, { target, status, answer });
}

interface Done {
  target: Target;
  /** As it was before the last key. */
  status: ValueObject;
  answer: ValueObject;
}

async function printKeys(call: Call, client: VaultClient, { target, status, answer }: Done): Promise<number> {
  const { terminal } = call;
  const keys = strings(answer.keys_base64) ?? [];
  terminal.line('');
  if (keys.length === 0) {
    terminal.line('The root key was replaced; the recovery keys stay as they are.');
    return 0;
  }
  for (const [at, key] of keys.entries()) terminal.line(`Key ${at + 1}: ${key}`);
  terminal.line(`\nOperation nonce: ${text(answer.nonce)}\n`);
  const [shares, threshold] = [number(status.n), number(status.t)];
  const kind = target.share.toLowerCase();
  const verifies = answer.verification_required === true;
  terminal.line(
    paragraph(
      `The ${kind} key is new${verifies ? ', once it is verified' : ''}: ${shares} key shares, ${threshold} of which are ` +
        `needed. Hand out the key shares printed above${verifies ? '' : '; the ones before are worth nothing any more'}.`,
    ),
  );
  if (!verifies) return 0;
  terminal.line('');
  terminal.warn(
    paragraph(
      'Until then the present keys are the ones that count. Give the new ones back with "capstan vault operator rekey ' +
        '-verify -nonce=NONCE"; canceling, or sealing the server, drops them.',
    ),
  );
  terminal.line('');
  const verification = await attempt(
    'Error reading rekey status',
    askCeremony(client, `${target.path}/verify`),
  );
  return print(call, verification, true);
}
