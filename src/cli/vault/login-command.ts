import { Fault } from '../../base/fault.ts';
import type { VaultClient } from './client.ts';
import { paragraph } from './columns.ts';
import { variable } from './environment.ts';
import { attempt, Failure, misuse } from './failure.ts';
import { parseFlagDuration, parseSwitch } from './flags.ts';
import { asTexts, parseKeyValues } from './key-values.ts';
import { printField, printFieldOrSecret, printSecret } from './output.ts';
import { askSecretly } from './prompt.ts';
import { type Secret, type SecretAuth, strings, text } from './secret.ts';
import { barePath, type Call, type Subcommand } from './subcommand.ts';
import { tokenHelper } from './token-helper.ts';
import { isObject, NumberText, type Value } from './value.ts';

export const login: Subcommand = {
  summary: 'Log in, and keep the token for later commands',
  usage: '[options] [TOKEN | KEY=VALUE...]',
  about: `Checks a token with the server and keeps it in ~/.vault-token, from where every later command takes it (unless
VAULT_TOKEN is set, which goes first). Asks for the token where none is given; - reads it from stdin.

With -method=cert the client certificate logs in that -client-cert and -client-key name.

    $ capstan vault login my-token
    $ capstan vault login token=my-token lookup=false`,
  flags: [
    { name: 'method', kind: 'text', default: 'token', help: 'How to log in: token or cert.' },
    { name: 'path', kind: 'text', help: 'Where the auth method is mounted, if not at its name.' },
    { name: 'no-store', kind: 'switch', help: 'Do not keep the token; only print it.' },
    { name: 'no-print', kind: 'switch', help: 'Keep the token; do not print it.' },
    { name: 'token-only', kind: 'switch', help: 'The same as -field=token -no-store.' },
  ],
  output: ['field', 'format'],
  async run(call) {
    const { flags, terminal, context } = call;
    const tokenOnly = flags.on('token-only');
    const store = !tokenOnly && !flags.on('no-store');
    if (!store && flags.on('no-print')) throw misuse('-no-store and -no-print cannot be used together');
    const settings = await readSettings(call);
    const client = await call.connectWithoutToken();
    const secret = await attempt('Error authenticating', methods[methodName(flags)]!(call, client, settings));
    if (secret.wrapInfo && !store) return printWrapped(call, secret, tokenOnly);
    const { auth } = await attempt('Error extracting token', unwrapped(client, secret));
    const answer: Secret = { ...secret, ...(auth ? { auth } : {}) };

    if (store) {
      await keep(call, answer);
      if (variable(context.env, 'TOKEN')) {
        terminal.warn(`${paragraph(environmentGoesFirst)}\n`);
      }
    } else if (!tokenOnly) {
      terminal.warn(`${paragraph(notStored)}\n`);
    }
    if (flags.on('no-print')) return 0;
    const field = tokenOnly ? 'token' : flags.text('field');
    if (field === '' && terminal.format === 'table') terminal.line(`${paragraph(loggedIn)}\n`);
    await printFieldOrSecret(terminal, answer, field);
    return 0;
  },
};

// Vault's own sentences, line for line: people and scripts know them.
const loggedIn =
  'Success! You are now authenticated. The token information displayed below is already stored in the token helper. ' +
  'You do NOT need to run "vault login" again. Future Vault requests will automatically use this token.';
const notStored =
  'The token was not stored in token helper. Set the VAULT_TOKEN environment variable or pass the token below with ' +
  'each request to Vault.';
const environmentGoesFirst =
  'WARNING! The VAULT_TOKEN environment variable is set! The value of this variable will take precedence; if this is ' +
  'unwanted please unset VAULT_TOKEN or update its value accordingly.';

type Authenticate = (call: Call, client: VaultClient, settings: Record<string, string>) => Promise<Secret>;

const methods: Readonly<Record<string, Authenticate>> = { token: lookUp, cert: showCertificate };

function methodName(flags: Call['flags']): string {
  return barePath(flags.text('method')) || 'token';
}

async function readSettings({ flags, args, input }: Call): Promise<Record<string, string>> {
  const method = methodName(flags);
  if (!Object.hasOwn(methods, method)) {
    throw misuse(
      paragraph(
        `Unknown auth method: ${method}. Use "vault auth list" to see the complete list of auth methods. ` +
          'Additionally, some auth methods are only available via the HTTP API.',
      ),
    );
  }
  const [first, ...others] = args;
  const bare = method === 'token' && first !== undefined && !first.includes('=');
  const named = bare ? [`token=${first}`, ...others] : args;
  return asTexts(await parseKeyValues(named, input, 'Error parsing configuration'));
}

/** What the server knows of the token, in the form in which other auth methods answer a login. */
async function lookUp(call: Call, client: VaultClient, settings: Record<string, string>): Promise<Secret> {
  const lookup = lookupWanted(settings.lookup);
  const token = (settings.token ?? (await askForToken(call))).trim();
  if (token === '') {
    throw new Fault('a token must be passed to auth, please view the help for more information', {
      code: 'vault-client.login',
      blame: 'caller',
    });
  }
  if (!lookup) return secretOf({ token });
  client.token = token;
  // The token is looked up, not created: there is nothing to wrap.
  client.wrapTtl = undefined;
  let found: Secret | undefined;
  try {
    found = await client.ask({ method: 'GET', path: 'auth/token/lookup-self' });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { code, blame } = error;
    throw new Fault(`error looking up token: ${error.message}`, { code, blame, cause: error });
  }
  const data = found?.data ?? {};
  const [own, inherited] = [strings(data.policies), strings(data.identity_policies)];
  const policies = [...(own ?? []), ...(inherited ?? [])];
  const metadata = data.metadata ?? data.meta;
  return secretOf({
    token: text(data.id),
    accessor: text(data.accessor),
    policies: policies.length > 0 ? policies : null,
    tokenPolicies: own,
    identityPolicies: inherited,
    metadata: isObject(metadata) ? metadata : null,
    leaseDurationSeconds: seconds(data.ttl),
    renewable: data.renewable === true,
  });
}

/** The connection has shown the certificate; `name` says which of the roles it is for. */
async function showCertificate(
  { flags }: Call,
  client: VaultClient,
  { name = '' }: Record<string, string>,
): Promise<Secret> {
  const mount = barePath(flags.text('path')) || 'cert';
  const body = new Map([['name', name]]);
  const secret = await client.ask({ method: 'PUT', path: `auth/${mount}/login`, body });
  if (secret) return secret;
  throw new Fault('empty response from credential provider', { code: 'vault-client.login', blame: 'peer' });
}

function lookupWanted(setting: string | undefined): boolean {
  try {
    return setting === undefined || parseSwitch(setting);
  } catch (error) {
    throw new Failure(
      2,
      `Error authenticating: Failed to parse "lookup" as boolean: ${(error as Error).message}`,
    );
  }
}

async function askForToken({ context, flags }: Call): Promise<string> {
  if (flags.on('non-interactive')) {
    throw new Failure(2, "Error authenticating: 'token' not supplied and refusing to pull from stdin");
  }
  const answer = await askSecretly(context, 'Token (will be hidden): ');
  if (answer !== undefined) return answer;
  throw new Failure(
    2,
    'Error authenticating: An error occurred attempting to ask for a token. The raw error message is shown below, ' +
      'but usually this is because you attempted to pipe a value into the command or you are executing outside of a ' +
      'terminal (tty). If you want to pipe the value, pass "-" as the argument to read from stdin. The raw error ' +
      'was: file descriptor 0 is not a terminal',
  );
}

function secretOf(auth: Partial<SecretAuth>): Secret {
  return {
    requestId: '',
    leaseId: '',
    leaseDurationSeconds: 0,
    renewable: false,
    data: null,
    warnings: null,
    auth: {
      token: '',
      accessor: '',
      policies: null,
      tokenPolicies: null,
      identityPolicies: null,
      metadata: null,
      orphan: false,
      entityId: '',
      leaseDurationSeconds: 0,
      renewable: false,
      mfaRequirement: null,
      ...auth,
    },
  };
}

function seconds(ttl: Value | undefined): number {
  if (ttl instanceof NumberText) return Math.trunc(Number(ttl.text));
  return typeof ttl === 'string' ? Math.trunc(parseFlagDuration(ttl) / 1_000) : 0;
}

async function printWrapped({ terminal }: Call, secret: Secret, tokenOnly: boolean): Promise<number> {
  await (tokenOnly ? printField(terminal, secret, 'wrapping_token') : printSecret(terminal, secret));
  return 0;
}

async function unwrapped(client: VaultClient, secret: Secret): Promise<Secret> {
  if (secret.auth || !secret.wrapInfo) return secret;
  client.token = secret.wrapInfo.token;
  const inside = await client.ask({ method: 'PUT', path: 'sys/wrapping/unwrap', body: null });
  return inside ?? secret;
}

async function keep({ terminal, context }: Call, answer: Secret): Promise<void> {
  try {
    await tokenHelper(context).store(answer.auth?.token ?? '');
  } catch (error) {
    terminal.error(`Error storing token: ${(error as Error).message}`);
    terminal.error(
      `${paragraph(
        'Authentication was successful, but the token was not persisted. The resulting token is shown below for your ' +
          'records.',
      )}\n`,
    );
    await printSecret(terminal, answer);
    throw new Failure(2, '');
  }
}
