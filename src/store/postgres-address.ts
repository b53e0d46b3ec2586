import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Fault } from '../base/fault.ts';
import { SecretText } from '../base/secret.ts';

/** Where a PostgreSQL database is and who connects to it. What is given beside a URL wins over the URL's. */
export interface PostgresAddress {
  /**
   * `postgres://user:password@host:5432/database?sslmode=verify-full&sslrootcert=ca.pem`, as libpq reads it
   * (PostgreSQL's manual, 34.1.1.2); secret, since it may hold a password.
   */
  url?: SecretText;
  /** A name, an address, or the folder of a Unix socket. Default `localhost`. */
  host?: string;
  /** Default 5432. */
  port?: number;
  user?: string;
  /** Default: named as the user. */
  database?: string;
  password?: SecretText;
  /**
   * Options of Node's TLS, or false for none. By default as the URL's `sslmode` says; and where it says nothing,
   * `verify-full`, but none on this machine unless there is a root certificate to verify by.
   */
  tls?: ConnectionOptions | false;
}

/** An address that is complete. */
export interface PostgresTarget {
  /** For messages: user, host and database, no secret. */
  name: string;
  host: string;
  port: number;
  user: string;
  database: string;
  password: SecretText | undefined;
  tls: ConnectionOptions | false;
}

/** @throws Fault `store.postgres.address` */
export function postgresTarget(address: PostgresAddress): PostgresTarget {
  const url = address.url && readUrl(address.url);
  const settings = url?.searchParams ?? new URLSearchParams();
  refuseUnknown(settings);
  const part = (text: string | undefined) => (text ? decodeURIComponent(text) : undefined);
  const host =
    address.host ?? settings.get('host') ?? part(url?.hostname.replace(/^\[(.*)\]$/, '$1')) ?? 'localhost';
  const port = address.port ?? Number(settings.get('port') ?? (url?.port || 5432));
  const user = address.user ?? settings.get('user') ?? part(url?.username);
  if (!user) throw addressFault('the address of PostgreSQL names no user');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw addressFault(`${port} is no port`);
  const database = address.database ?? settings.get('dbname') ?? part(url?.pathname.slice(1)) ?? user;
  const password = settings.get('password') ?? part(url?.password);
  return {
    name: `PostgreSQL at ${host}:${port} (database ${database}, user ${user})`,
    host,
    port,
    user,
    database,
    password: address.password ?? (password ? new SecretText(password) : undefined),
    tls: address.tls ?? tlsOf(settings, host),
  };
}

/** The settings of a URL that mean something here; one that is left out in silence could be the one that protects. */
const known = ['host', 'port', 'user', 'dbname', 'password', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'];

function refuseUnknown(settings: URLSearchParams): void {
  const unknown = [...settings.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw addressFault(`the address of PostgreSQL has the unknown setting ${unknown}`);
}

function readUrl(secret: SecretText): URL {
  let url: URL;
  try {
    // libpq lets the host be left out behind a user, since `?host=/folder` may say it; URLs do not.
    url = new URL(secret.reveal().replace('@/', '@localhost/'));
    for (const text of [url.username, url.password, url.hostname, url.pathname]) decodeURIComponent(text);
  } catch {
    // The parser's own message repeats the text, password included.
    throw addressFault('the address of PostgreSQL is not a URL');
  }
  if (!['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw addressFault(`the address of PostgreSQL begins with ${url.protocol}`);
  }
  return url;
}

/** What `sslmode` asks for, with libpq's meaning; its `prefer` and `allow` protect from nobody and are refused. */
function tlsOf(settings: URLSearchParams, host: string): ConnectionOptions | false {
  const plain = isLocal(host) && !settings.has('sslrootcert');
  const mode = settings.get('sslmode') ?? (plain ? 'disable' : 'verify-full');
  const certificates = {
    ...fileOption('ca', settings.get('sslrootcert')),
    ...fileOption('cert', settings.get('sslcert')),
    ...fileOption('key', settings.get('sslkey')),
  };
  switch (mode) {
    case 'disable':
      return false;
    case 'require':
      // As libpq has it: with a root certificate at hand the server's is verified, without one it is not.
      if (!('ca' in certificates)) return { ...certificates, rejectUnauthorized: false };
      return { ...certificates, checkServerIdentity: () => undefined };
    case 'verify-ca':
      return { ...certificates, checkServerIdentity: () => undefined };
    case 'verify-full':
      // Node sends no name, and so checks none, for an address of digits unless it is told to.
      return isIP(host) === 0 ? { ...certificates, servername: host } : certificates;
    default:
      throw addressFault(`sslmode ${mode} is not served`, 'use disable, require, verify-ca or verify-full');
  }
}

function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\./.test(host);
}

function fileOption(name: string, path: string | null): Record<string, Buffer> {
  if (path === null || path === 'system') return {};
  try {
    return { [name]: readFileSync(path) };
  } catch (error) {
    throw addressFault(`${path} cannot be read: ${(error as Error).message}`, 'name a PEM file', error);
  }
}

function addressFault(
  message: string,
  fix = 'write it as postgres://user:password@host:5432/database?sslmode=verify-full',
  cause?: unknown,
): Fault {
  return new Fault(message, { code: 'store.postgres.address', blame: 'operator', fix, cause });
}
