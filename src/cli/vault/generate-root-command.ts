import { base62, randomText } from '../../base/entropy.ts';
import { askCeremony, dropCeremony } from './ceremony-client.ts';
import type { VaultClient } from './client.ts';
import { columns, paragraph } from './columns.ts';
import { attempt, misuse } from './failure.ts';
import { readKey } from './key-prompt.ts';
import { readAll } from './key-values.ts';
import { printDocument } from './output.ts';
import { number, text } from './secret.ts';
import { type Call, expectArguments, type Subcommand } from './subcommand.ts';
import type { Value, ValueObject } from './value.ts';

/** Of a server that does not say. */
const usualLength = 28;
const attemptPath = 'sys/generate-root/attempt';

export const operatorGenerateRoot: Subcommand = {
  summary: 'Make a new root token, with enough unseal keys',
  usage: '[options] [KEY]',
  about: `Makes a root token for people who have enough unseal keys (recovery keys, where the server unseals by itself). It comes
encoded with a one-time password that only who began it knows. Without KEY one is asked for, and not shown as it is
typed; - reads it from stdin. Takes no token, except for OpenBao.

    $ capstan vault operator generate-root -init
    $ capstan vault operator generate-root -nonce=NONCE
    $ capstan vault operator generate-root -decode=ENCODED -otp=PASSWORD`,
  flags: [
    { name: 'init', kind: 'switch', help: 'Begin.' },
    { name: 'cancel', kind: 'switch', help: 'Drop what was begun.' },
    { name: 'status', kind: 'switch', help: 'Only print how far it is.' },
    { name: 'generate-otp', kind: 'switch', help: 'Print a new one-time password.' },
    { name: 'decode', kind: 'text', help: 'An encoded token to decode; - reads it from stdin.' },
    { name: 'otp', kind: 'text', help: 'The one-time password, for -init or -decode.' },
    { name: 'nonce', kind: 'text', help: 'The name that the attempt was given at -init.' },
    { name: 'pgp-key', kind: 'text', hidden: true, help: 'Encrypt the token with PGP.' },
  ],
  output: ['format'],
  async run(call) {
    expectArguments(call, { least: 0, most: 1, expected: '0-1' });
    const { flags } = call;
    const client = await call.connect();
    if (flags.on('generate-otp')) return generateOtp(call, client);
    if (flags.text('decode') !== '') return decode(call, client);
    if (flags.on('cancel')) return cancel(call, client);
    if (flags.on('init')) return init(call, client);
    if (flags.on('status')) return print(call, await readStatus(client));
    return provide(call, client);
  },
};

function readStatus(client: VaultClient): Promise<ValueObject> {
  return attempt('Error getting root generation status', askCeremony(client, attemptPath));
}

async function generateOtp({ terminal, context }: Call, client: VaultClient): Promise<number> {
  const length = number((await readStatus(client)).otp_length) || usualLength;
  const otp = randomText(context.entropy, length, base62);
  if (terminal.format === 'table') terminal.bare(otp);
  else
    await printDocument(
      terminal,
      new Map<string, Value>([
        ['otp', otp],
        ['otp_length', length],
      ]),
    );
  return 0;
}

async function decode({ flags, input, terminal }: Call, client: VaultClient): Promise<number> {
  const otp = flags.text('otp');
  if (otp === '') throw misuse('Missing otp: use -otp to supply it');
  const fromStdin = flags.text('decode') === '-';
  const encoded = fromStdin ? (await readAll(input.stdin)).trim() : flags.text('decode');
  if (encoded === '') {
    throw misuse('Missing encoded value. When using -decode="-" value must be passed via stdin.');
  }
  // A server of another kind, or a path that is wrong, shows here and not in a token that makes no sense.
  await readStatus(client);
  const token = decoded(encoded, otp);
  if (terminal.format === 'table') terminal.bare(token);
  else await printDocument(terminal, new Map([['token', token]]));
  return 0;
}

function decoded(encoded: string, otp: string): string {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) {
    throw misuse("Error decoding root token: error decoding base64'd token: it is no base64");
  }
  const bytes = Buffer.from(encoded, 'base64');
  const password = Buffer.from(otp);
  if (bytes.length !== password.length) {
    throw misuse(
      `Error decoding root token: error xoring token: length of byte slices is not equivalent: ${bytes.length} != ${password.length}`,
    );
  }
  return Buffer.from(bytes.map((byte, at) => byte ^ password[at]!)).toString();
}

async function cancel({ terminal }: Call, client: VaultClient): Promise<number> {
  await attempt('Error canceling root token generation', dropCeremony(client, attemptPath));
  terminal.line('Success! Root token generation canceled (if it was started)');
  return 0;
}

async function init(call: Call, client: VaultClient): Promise<number> {
  const request = new Map<string, Value>([
    ['otp', call.flags.text('otp')],
    ['pgp_key', call.flags.text('pgp-key')],
  ]);
  const doing = 'Error initializing root generation';
  return print(call, await attempt(doing, askCeremony(client, attemptPath, request)));
}

async function provide(call: Call, client: VaultClient): Promise<number> {
  const status = await readStatus(client);
  if (status.started !== true) {
    throw misuse(
      paragraph(
        'No root generation is in progress. Start a root generation by running "capstan vault operator generate-root ' +
          '-init".',
      ),
    );
  }
  const known = text(status.nonce);
  const prompt = `Operation nonce: ${known}\nUnseal Key (will be hidden): `;
  const { key, typed } = await readKey(call, { what: 'the unseal key', doing: 'generate-root', prompt });
  const nonce = typed ? known : call.flags.text('nonce');
  if (nonce === '') throw misuse('Missing nonce value: specify it via the -nonce flag');
  const request = new Map<string, Value>([
    ['key', key],
    ['nonce', nonce],
  ]);
  const asked = askCeremony(client, 'sys/generate-root/update', request);
  return print(call, await attempt('Error posting unseal key', asked));
}

async function print({ terminal }: Call, status: ValueObject): Promise<number> {
  if (terminal.format !== 'table') {
    await printDocument(terminal, status);
    return 0;
  }
  const otp = text(status.otp);
  if (otp) {
    terminal.warn(
      paragraph('The one-time password below decodes the root token, and is not shown again: keep it safe.'),
    );
  }
  const told = (name: string, value: string) => (value ? [[name, value]] : []);
  terminal.line(
    columns([
      ['Nonce', text(status.nonce)],
      ['Started', String(status.started === true)],
      ['Progress', `${number(status.progress)}/${number(status.required)}`],
      ['Complete', String(status.complete === true)],
      ...told('PGP Fingerprint', text(status.pgp_fingerprint)),
      ...told('Encoded Token', text(status.encoded_token)),
      ...told('OTP', otp),
      ...(number(status.otp_length) > 0 ? [['OTP Length', String(number(status.otp_length))]] : []),
    ]),
  );
  return 0;
}
