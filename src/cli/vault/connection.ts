import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { formatDuration } from '../../base/duration.ts';
import type { HttpClientOptions } from '../../wire/http-client.ts';
import type { CommandContext } from '../command.ts';
import { variable } from './environment.ts';
import { Failure } from './failure.ts';
import { type Flag, type Flags, parseFlagDuration, parseSwitch } from './flags.ts';
import { fileProblem } from './key-values.ts';

/** How to reach a server and who to be there. */
export interface Connection {
  /** As the user wrote it; may end in a slash, may have a path of its own. */
  address: string;
  http: HttpClientOptions;
  /** Sent with every request. */
  headers: Readonly<Record<string, string | readonly string[]>>;
  /** How often a request that met a busy or failing server is sent again. */
  retries: number;
  followRedirect: boolean;
  /** For how long an answer may stay wrapped (`90s`); answers come unwrapped where absent. */
  wrapTtl?: string;
  /** Print what would be sent in place of sending it. */
  instead?: 'curl' | 'policy';
  /** The files behind `http`, for the printed curl command. */
  files: { ca?: string; caFolder?: string; clientCertificate?: string; clientKey?: string };
}

/** Flags that every command of the group takes. */
export const connectionFlags: readonly Flag[] = [
  {
    name: 'address',
    kind: 'text',
    variable: 'ADDR',
    default: 'https://127.0.0.1:8200',
    help: 'Where the server listens.',
  },
  {
    name: 'agent-address',
    kind: 'text',
    variable: 'AGENT_ADDR',
    help: 'Where an agent listens; goes before -address.',
  },
  {
    name: 'ca-cert',
    kind: 'text',
    variable: 'CACERT',
    help: 'PEM file of the CA that vouches for the server.',
  },
  { name: 'ca-path', kind: 'text', variable: 'CAPATH', help: 'Folder of such PEM files.' },
  {
    name: 'client-cert',
    kind: 'text',
    variable: 'CLIENT_CERT',
    help: 'PEM file of the certificate to show the server.',
  },
  {
    name: 'client-key',
    kind: 'text',
    variable: 'CLIENT_KEY',
    help: "PEM file of that certificate's private key.",
  },
  {
    name: 'header',
    kind: 'map',
    help: 'A header to send with each request, as name=value; may be given again.',
  },
  {
    name: 'mfa',
    kind: 'list',
    variable: 'MFA',
    help: 'Multi-factor credentials to send; may be given again.',
  },
  {
    name: 'namespace',
    kind: 'text',
    variable: 'NAMESPACE',
    help: 'The namespace to work in; -ns for short.',
  },
  { name: 'ns', kind: 'text', help: 'The same as -namespace.', hidden: true },
  { name: 'non-interactive', kind: 'switch', help: 'Never ask, and read nothing from stdin.' },
  {
    name: 'output-curl-string',
    kind: 'switch',
    help: 'Print the curl command for the request; send nothing.',
  },
  { name: 'output-policy', kind: 'switch', help: 'Print a policy that allows the request; send nothing.' },
  { name: 'policy-override', kind: 'switch', help: 'Override policies that may be overridden.' },
  {
    name: 'disable-redirects',
    kind: 'switch',
    variable: 'DISABLE_REDIRECTS',
    help: 'Do not follow the one redirect that a standby may answer.',
  },
  {
    name: 'tls-server-name',
    kind: 'text',
    variable: 'TLS_SERVER_NAME',
    help: "The name in the server's certificate.",
  },
  {
    name: 'tls-skip-verify',
    kind: 'switch',
    variable: 'SKIP_VERIFY',
    help: 'Accept any server certificate. Whoever is in between can then read the token.',
  },
  {
    name: 'wrap-ttl',
    kind: 'duration',
    variable: 'WRAP_TTL',
    help: 'Wrap the answer in a single-use token for so long.',
  },
];

const headersOfOurOwn = /^x-vault-/i;

/**
 * What flags and environment say of the connection.
 *
 * @throws Failure with status 2
 */
export async function readConnection(flags: Flags, { env, cwd }: CommandContext): Promise<Connection> {
  const files = {
    ca: flags.text('ca-cert'),
    caFolder: flags.text('ca-path'),
    clientCertificate: flags.text('client-cert'),
    clientKey: flags.text('client-key'),
  };
  requireSwitches(env);
  const wrapMs = flags.durationMs('wrap-ttl');
  const instead = flags.on('output-curl-string') ? 'curl' : flags.on('output-policy') ? 'policy' : undefined;
  const written = flags.text('agent-address') || flags.text('address') || 'https://127.0.0.1:8200';
  const [, socketPath] = /^unix:\/\/(\/.+)$/i.exec(written) ?? [];
  return {
    // What speaks HTTP over a socket of this machine has no name.
    address: socketPath === undefined ? requireAddress(written) : 'http://localhost',
    http: {
      ...(await readTls(files, flags, cwd)),
      timeoutMs: requestTimeoutMs(env),
      ...(socketPath === undefined ? {} : { socketPath }),
    },
    headers: { 'X-Vault-Request': 'true', ...namespaceHeader(flags), ...extraHeaders(flags) },
    retries: requestRetries(env),
    followRedirect: !flags.on('disable-redirects'),
    files,
    ...(wrapMs === 0 ? {} : { wrapTtl: formatDuration(wrapMs) }),
    ...(instead === undefined ? {} : { instead }),
  };
}

function requireAddress(address: string): string {
  if (/^https?:\/\//i.test(address) && URL.canParse(address)) return address;
  throw new Failure(
    2,
    `failed to create client: ${JSON.stringify(address)} is not an address; write it like http://127.0.0.1:8200 or unix:///run/vault.sock`,
  );
}

/** A variable that would turn a safeguard off or on must not be misread in silence. */
function requireSwitches(env: CommandContext['env']): void {
  for (const name of ['SKIP_VERIFY', 'DISABLE_REDIRECTS']) {
    try {
      parseSwitch(variable(env, name) || 'false');
    } catch {
      throw new Failure(2, `failed to read environment: could not parse VAULT_${name}`);
    }
  }
}

async function readTls(
  files: Required<Connection['files']>,
  flags: Flags,
  cwd: string,
): Promise<HttpClientOptions> {
  const { ca, caFolder, clientCertificate, clientKey } = files;
  if (Boolean(clientCertificate) !== Boolean(clientKey)) {
    throw new Failure(2, 'failed to setup TLS config: both client cert and client key must be provided');
  }
  const doing = (name: string) =>
    flags.given(name) ? 'failed to setup TLS config' : 'failed to read environment';
  const authorities = ca
    ? await authority(ca, `${doing('ca-cert')}: Error loading CA File`, cwd)
    : caFolder
      ? await pemFolder(caFolder, `${doing('ca-path')}: Error loading CA`, cwd)
      : undefined;
  return {
    ...(authorities === undefined ? {} : { ca: authorities }),
    ...(clientCertificate
      ? {
          clientCertificate: await pem(clientCertificate, doing('client-cert'), cwd),
          clientKey: await pem(clientKey, doing('client-key'), cwd),
        }
      : {}),
    ...(flags.text('tls-server-name') ? { serverName: flags.text('tls-server-name') } : {}),
    insecure: flags.on('tls-skip-verify'),
  };
}

async function pem(path: string, doing: string, cwd: string): Promise<string> {
  try {
    return await readFile(resolve(cwd, path), 'utf8');
  } catch (cause) {
    const problem = fileProblem({ asTyped: path, cause });
    throw new Failure(2, `${doing}: ${problem}`);
  }
}

const certificateLine = '-----BEGIN CERTIFICATE-----';

async function authority(path: string, doing: string, cwd: string): Promise<string> {
  const text = await pem(path, doing, cwd);
  if (text.includes(certificateLine)) return text;
  throw new Failure(2, `${doing}: Couldn't parse PEM in: ${path}`);
}

/** Every certificate in the folder's files; keys and what else lies there are passed over. */
async function pemFolder(path: string, doing: string, cwd: string): Promise<string> {
  const folder = resolve(cwd, path);
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new Failure(2, `${doing}Path: ${fileProblem({ asTyped: path, cause })}`);
  });
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => join(folder, name));
  const texts = await Promise.all(files.toSorted().map((file) => pem(file, `${doing} File`, cwd)));
  return texts.filter((text) => text.includes(certificateLine)).join('\n');
}

function namespaceHeader(flags: Flags): Record<string, string> {
  const namespace = canonicalNamespace(flags.text('ns') || flags.text('namespace'));
  return namespace ? { 'X-Vault-Namespace': namespace } : {};
}

/** `team/a/`: no slash in front, no empty parts, one slash behind; empty for the root. */
export function canonicalNamespace(namespace: string): string {
  const parts = namespace.split('/').filter((part) => part !== '' && part !== '.');
  return parts.map((part) => `${part}/`).join('');
}

function extraHeaders(flags: Flags): Record<string, string | readonly string[]> {
  const extra = flags.map('header') ?? {};
  const forbidden = Object.keys(extra).filter((name) => headersOfOurOwn.test(name));
  if (forbidden.length > 0) {
    throw new Failure(
      2,
      `failed to setup Headers[${forbidden.join(', ')}]: Header starting by 'X-Vault-' are for internal usage only`,
    );
  }
  const mfa = flags.list('mfa');
  return {
    ...extra,
    ...(mfa.length > 0 ? { 'X-Vault-MFA': mfa } : {}),
    ...(flags.on('policy-override') ? { 'X-Vault-Policy-Override': 'true' } : {}),
  };
}

function requestTimeoutMs(env: CommandContext['env']): number {
  const setting = variable(env, 'CLIENT_TIMEOUT');
  if (!setting) return 60_000;
  try {
    return parseFlagDuration(setting);
  } catch {
    throw new Failure(2, 'failed to read environment: could not parse "VAULT_CLIENT_TIMEOUT"');
  }
}

/** Vault's command line, unlike its Go library, sends once unless told otherwise. */
function requestRetries(env: CommandContext['env']): number {
  const setting = variable(env, 'MAX_RETRIES');
  if (!setting) return 0;
  if (/^\d+$/.test(setting)) return Number(setting);
  throw new Failure(
    2,
    `failed to read environment: "VAULT_MAX_RETRIES" is not a number: ${JSON.stringify(setting)}`,
  );
}
