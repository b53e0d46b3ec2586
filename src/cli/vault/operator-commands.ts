import { askPlain, type VaultClient } from './client.ts';
import { paragraph } from './columns.ts';
import { attempt } from './failure.ts';
import type { Flags } from './flags.ts';
import { readKey } from './key-prompt.ts';
import { printDocument } from './output.ts';
import { strings, text } from './secret.ts';
import { printStatus, statusOne } from './server-commands.ts';
import { type Call, expectArguments, type Subcommand } from './subcommand.ts';
import type { Value, ValueObject } from './value.ts';

const defaultShares = 5;
const defaultThreshold = 3;

export const operatorInit: Subcommand = {
  summary: 'Initialise a server, and print its unseal keys and root token',
  usage: '[options]',
  about: `Makes a new server ready: it draws a key, tells the shares that it was split into and the first root token, once, and
keeps none of them. Give the shares to people who do not all have to agree to unseal it, and to too few to do it alone.

    $ capstan vault operator init -key-shares=5 -key-threshold=3

With -status it only tells whether that was done: status 0 where it was, 2 where it was not, 1 where it cannot be asked.`,
  flags: [
    { name: 'status', kind: 'switch', help: 'Only tell whether the server is initialised.' },
    {
      name: 'key-shares',
      aliases: ['n'],
      kind: 'whole',
      help: `How many unseal keys to make (${defaultShares} where left out).`,
    },
    {
      name: 'key-threshold',
      aliases: ['t'],
      kind: 'whole',
      help: `How many of them unseal the server (${defaultThreshold} where left out).`,
    },
    {
      name: 'recovery-shares',
      kind: 'whole',
      help: 'How many recovery keys to make, on a server that unseals itself.',
    },
    {
      name: 'recovery-threshold',
      kind: 'whole',
      help: 'How many of them are needed.',
    },
  ],
  output: ['format'],
  async run(call) {
    expectArguments(call, {});
    const client = await call.connect();
    if (call.flags.on('status')) return initStatus(call, client);
    const request = await initRequest(call.flags, client);
    const answer = await attempt('Error initializing', askPlain(client, 'sys/init', new Map(request)));
    if (call.terminal.format === 'table') printKeys(call, new Map(request), answer);
    else await printDocument(call.terminal, keysDocument(new Map(request), answer));
    return 0;
  },
};

async function initStatus({ terminal }: Call, client: VaultClient): Promise<number> {
  const answer = await statusOne(attempt('Error checking init status', askPlain(client, 'sys/init')));
  const initialized = answer.initialized === true;
  if (terminal.format === 'table') terminal.line(`Vault is ${initialized ? '' : 'not '}initialized`);
  else await printDocument(terminal, new Map([['Initialized', initialized]]));
  return initialized ? 0 : 2;
}

type InitRequest = readonly (readonly [string, Value])[];

/** A server that unseals itself has recovery keys in place of unseal keys; only it knows whether it does. */
async function initRequest(flags: Flags, client: VaultClient): Promise<InitRequest> {
  const shown = flags.on('output-curl-string') || flags.on('output-policy');
  const seal = shown ? {} : await attempt('Error checking seal status', askPlain(client, 'sys/seal-status'));
  const recovers = seal.recovery_seal === true;
  const count = (name: string, wanted: boolean, standard: number) =>
    flags.whole(name) || (wanted ? standard : 0);
  return [
    ['secret_shares', count('key-shares', !recovers, defaultShares)],
    ['secret_threshold', count('key-threshold', !recovers, defaultThreshold)],
    ['stored_shares', 0],
    ['pgp_keys', null],
    ['recovery_shares', count('recovery-shares', recovers, defaultShares)],
    ['recovery_threshold', count('recovery-threshold', recovers, defaultThreshold)],
    ['recovery_pgp_keys', null],
    ['root_token_pgp_key', ''],
  ];
}

type Asked = ReadonlyMap<string, Value>;

function printKeys({ terminal }: Call, asked: Asked, answer: ValueObject): void {
  const unsealKeys = strings(answer.keys_base64) ?? [];
  const recoveryKeys = strings(answer.recovery_keys_base64) ?? [];
  for (const [at, key] of unsealKeys.entries()) terminal.line(`Unseal Key ${at + 1}: ${key}`);
  for (const [at, key] of recoveryKeys.entries()) terminal.line(`Recovery Key ${at + 1}: ${key}`);
  terminal.line(`\nInitial Root Token: ${text(answer.root_token)}`);
  const [shares, threshold] = [asked.get('secret_shares'), asked.get('secret_threshold')].map(String);
  const told =
    unsealKeys.length > 0
      ? [
          `Vault initialized with ${shares} key shares and a key threshold of ${threshold}. Please securely distribute ` +
            'the key shares printed above. When the Vault is re-sealed, restarted, or stopped, you must supply at least ' +
            `${threshold} of these keys to unseal it before it can start servicing requests.`,
          `Vault does not store the generated root key. Without at least ${threshold} keys to reconstruct the root key, ` +
            'Vault will remain permanently sealed!',
          'It is possible to generate new unseal keys, provided you have a quorum of existing unseal keys shares. See ' +
            '"vault operator rekey" for more information.',
        ]
      : ['Success! Vault is initialized'];
  if (recoveryKeys.length > 0) {
    const [count, quorum] = [asked.get('recovery_shares'), asked.get('recovery_threshold')].map(String);
    told.push(
      `Recovery key initialized with ${count} key shares and a key threshold of ${quorum}. Please securely ` +
        'distribute the key shares printed above.',
    );
  }
  for (const part of told) terminal.line(`\n${paragraph(part)}`);
}

/** For programs, in the order in which Vault's client has it. */
function keysDocument(asked: Asked, answer: ValueObject): Value {
  const unsealKeys = strings(answer.keys) ?? [];
  // Without any the server keeps its own, as one share.
  const kept = unsealKeys.length === 0;
  return new Map<string, Value>([
    ['unseal_keys_b64', strings(answer.keys_base64) ?? []],
    ['unseal_keys_hex', unsealKeys],
    ['unseal_shares', kept ? 1 : asked.get('secret_shares')!],
    ['unseal_threshold', kept ? 1 : asked.get('secret_threshold')!],
    ['recovery_keys_b64', strings(answer.recovery_keys_base64) ?? []],
    ['recovery_keys_hex', strings(answer.recovery_keys) ?? []],
    ['recovery_keys_shares', asked.get('recovery_shares')!],
    ['recovery_keys_threshold', asked.get('recovery_threshold')!],
    ['root_token', text(answer.root_token)],
  ]);
}

export const operatorUnseal: Subcommand = {
  summary: 'Give one of the keys that unseal a server',
  usage: '[options] [KEY]',
  about: `Gives a server KEY, one of its unseal keys, and prints how many have come and how many it takes. Without KEY it is
asked for, and not shown as it is typed; - reads it from stdin. A key on the command line stays in the shell's history.

    $ capstan vault operator unseal`,
  flags: [
    { name: 'reset', kind: 'switch', help: 'Drop the keys that have been given so far.' },
    {
      name: 'migrate',
      kind: 'switch',
      help: 'The key is one of the seal that is being left for another.',
    },
  ],
  output: ['format'],
  async run(call) {
    expectArguments(call, { most: 1, expected: '1' });
    const client = await call.connect();
    const reset = call.flags.on('reset');
    const seal = reset
      ? await attempt('Error resetting unseal process', askPlain(client, 'sys/unseal', { reset: true }))
      : await attempt('Error unsealing', offerKey(call, client));
    await printStatus(call.terminal, client, seal);
    return 0;
  },
};

async function offerKey(call: Call, client: VaultClient): Promise<ValueObject> {
  const { key } = await readKey(call, {
    prompt: 'Unseal Key (will be hidden): ',
    what: 'an unseal key',
    doing: 'unseal',
  });
  const request: [string, Value][] = [
    ['key', key],
    ['reset', false],
    ['migrate', call.flags.on('migrate')],
  ];
  return askPlain(client, 'sys/unseal', new Map(request));
}

export const operatorSeal: Subcommand = {
  summary: 'Seal a server',
  usage: '[options]',
  about: `Makes a server forget its keys: it answers nothing until it is unsealed again. Does nothing where it is sealed. Takes
a token with sudo on sys/seal.

    $ capstan vault operator seal`,
  async run(call) {
    expectArguments(call, {});
    const client = await call.connect();
    await attempt('Error sealing', client.ask({ method: 'PUT', path: 'sys/seal', body: null }));
    call.terminal.line('Success! Vault is sealed.');
    return 0;
  },
};
