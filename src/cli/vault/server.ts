import { resolve } from 'node:path';
import { openSealedStore } from '../../app/sealed-store.ts';
import { aborted } from '../../base/abort.ts';
import { type ClockScale, scaledClock } from '../../base/clock.ts';
import { base62, randomText } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { jsonLog } from '../../base/log.ts';
import { startVault } from '../../vault/server.ts';
import { systemDialer } from '../../wire/dialer.ts';
import { formatAddress, parseListenAddress } from '../../wire/http-server.ts';
import type { Command, CommandContext } from '../command.ts';
import { version } from '../version.ts';
import { sinks } from './audit-sinks.ts';
import { processMetrics, systemDiagnostics } from './diagnostics.ts';
import { Failure } from './failure.ts';
import { type Flag, type Flags, parseFlags } from './flags.ts';
import { readLevel } from './server-log.ts';

const help = `Starts a server that speaks Vault's API: the PKI engine, tokens and policies.

Usage: capstan vault server -config=FILE
       capstan vault server -dev [options]

  -config=FILE                  Start sealed, as FILE says, in Vault's own language:

                                  listener "tcp" {
                                    address       = "127.0.0.1:8200"
                                    tls_cert_file = "server.pem"
                                    tls_key_file  = "server.key"
                                  }
                                  storage "file" { path = "/var/lib/capstan" }

                                or, for any number of servers side by side,

                                  storage "postgresql" {
                                    connection_url = "postgres://..."
                                  }

                                whose address VAULT_PG_CONNECTION_URL may give.

                                capstan vault operator init and unseal then make it
                                ready; with a seal block (static, transit, pkcs11) it unseals
                                by itself. There may be several listeners, "unix" ones
                                too. In place of its files, a certificate comes by ACME:

                                    tls_acme_ca_directory = "https://..."
                                    tls_acme_domains      = ["vault.example.com"]
                                    tls_acme_cache_path   = "/var/lib/capstan/acme"

                                All settings: docs/reference/vault.md. SIGHUP reads
                                certificates and opens log files anew.
  -dev                          Start initialised and unsealed, with a root token.
  -dev-listen-address=ADDR      Where to listen (default 127.0.0.1:8200; port 0 takes
                                any free port). Also VAULT_DEV_LISTEN_ADDRESS.
  -dev-root-token-id=TOKEN      The root token; a new one where it is left out.
                                Also VAULT_DEV_ROOT_TOKEN_ID.
  -log-level=LEVEL              debug, info, warn or error (default info).

Beyond Vault's own:

  -data=DIR                     Keep everything in DIR, encrypted with the key file that
                                is made there at the first start; without it the server
                                forgets all when it ends, as Vault's dev mode does.
  -clock-origin=MS, -clock-speed=N
                                For demonstrations: a clock that ran with the machine's
                                until the origin (epoch milliseconds), and runs N times
                                as fast since.

Flags take one dash or two, and = or a space before their value. Logs go to stderr, one
JSON document a line.
`;

const flags: readonly Flag[] = [
  { name: 'config', kind: 'text', help: '' },
  { name: 'dev', kind: 'switch', help: '' },
  {
    name: 'dev-listen-address',
    kind: 'text',
    default: '127.0.0.1:8200',
    variable: 'DEV_LISTEN_ADDRESS',
    help: '',
  },
  { name: 'dev-root-token-id', kind: 'text', variable: 'DEV_ROOT_TOKEN_ID', help: '' },
  // Nothing is ever written to the user's home; taken so that scripts which ask for that work.
  { name: 'dev-no-store-token', kind: 'switch', help: '' },
  { name: 'log-level', kind: 'text', variable: 'LOG_LEVEL', help: '' },
  { name: 'data', kind: 'text', help: '' },
  { name: 'clock-origin', kind: 'text', default: '0', help: '' },
  { name: 'clock-speed', kind: 'text', default: '1', help: '' },
];

/** `capstan vault server`. */
export const vaultServer: Command = { summary: 'Start a server', help, run };

async function run(args: readonly string[], context: CommandContext): Promise<number> {
  if (args.some((arg) => /^--?h(elp)?$/.test(arg))) {
    context.stdout.write(help);
    return 0;
  }
  let given: Flags;
  try {
    const parsed = parseFlags(flags, args, context.env);
    if (parsed.rest.length > 0)
      throw new Failure(1, `Too many arguments (expected 0, got ${parsed.rest.length})`);
    given = parsed.flags;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    context.stderr.write(`${error.message}\n`);
    return error.status;
  }
  return serve(given, context);
}

async function serve(given: Flags, context: CommandContext): Promise<number> {
  const config = given.text('config');
  if (given.on('dev') && config !== '') throw usage('-dev and -config exclude each other', 'choose one');
  if (given.on('dev')) return serveDev(given, context);
  if (config === '') throw usage('neither -config nor -dev says how to start', 'add -config=FILE, or -dev');
  const { serveSealed } = await import('./serve-sealed.ts');
  return serveSealed(
    config,
    { clock: scaledClock(readScale(given)), logLevel: given.text('log-level') },
    context,
  );
}

async function serveDev(given: Flags, context: CommandContext): Promise<number> {
  const clock = scaledClock(readScale(given));
  const folder = given.text('data');
  const rootToken = given.text('dev-root-token-id') || newRootToken(context);
  const store = openSealedStore(folder === '' ? undefined : resolve(context.cwd, folder), context.entropy);
  const log = jsonLog(clock, (line) => context.stderr.write(line), readLevel(given.text('log-level')));
  try {
    const server = await startVault({
      store,
      clock,
      entropy: context.entropy,
      log,
      openSink: sinks(context),
      metrics: processMetrics(),
      diagnostics: systemDiagnostics(clock),
      dialer: systemDialer,
      listen: parseListenAddress(given.text('dev-listen-address')),
      dev: { rootToken },
    });
    context.stdout.write(banner(formatAddress(server.address), rootToken, folder));
    await aborted(context.signal);
    await server.close();
  } finally {
    await store.close();
  }
  return 0;
}

function usage(message: string, fix: string): Fault {
  return new Fault(message, { code: 'cli.usage', blame: 'caller', fix });
}

function readScale(given: Flags): ClockScale {
  const originMs = Number(given.text('clock-origin'));
  const speed = Number(given.text('clock-speed'));
  if (!Number.isSafeInteger(originMs) || !Number.isFinite(speed) || speed <= 0) {
    throw usage('-clock-origin takes epoch milliseconds, -clock-speed a number above 0', 'see -help');
  }
  return { originMs, speed };
}

function newRootToken({ entropy }: CommandContext): string {
  return `hvs.${randomText(entropy, 24, base62)}`;
}

/** The lines that people and scripts look for, as Vault's dev mode words them; they come once it listens. */
function banner(address: string, rootToken: string, folder: string): string {
  return `==> Vault server configuration:

             Api Address: http://${address}
              Listener 1: tcp (addr: "${address}", max_request_duration: "1m30s", max_request_size: "33554432", tls: "disabled")
                 Storage: ${folder === '' ? 'inmem' : `embedded (${folder})`}
                 Version: Capstan v${version()}

==> Vault server started! Log data will stream in below:

WARNING! dev mode is enabled: the server is unsealed from the start, and its root
token is shown here. ${folder === '' ? 'Everything is kept in memory and ends with it.' : 'What it is told stays in its folder.'}

You may need to set the following environment variables:

    $ export VAULT_ADDR='http://${address}'

Root Token: ${rootToken}

Development mode should NOT be used in production installations!

`;
}
