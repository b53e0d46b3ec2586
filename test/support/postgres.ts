import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { SecretText } from '../../src/base/secret.ts';

/** Where Debian's packages put the server's programs, newest version first; elsewhere they are on nobody's PATH. */
const versions = '/usr/lib/postgresql';
const binaries = (existsSync(versions) ? readdirSync(versions) : [])
  .toSorted((a, b) => Number(b) - Number(a))
  .map((version) => join(versions, version, 'bin'))
  .find((folder) => existsSync(join(folder, 'initdb')));

/** Why tests that need a PostgreSQL server do not run, or undefined where they do. */
export const postgresMissing =
  binaries === undefined
    ? `skipped: no PostgreSQL server under ${versions} (apt-get install postgresql)`
    : undefined;

/** A database server of one test file's own, on files that are synced as in production. */
export interface TestPostgres {
  /** Where its Unix socket lies; connections over it need no password. */
  folder: string;
  port: number;
  /** The user `postgres` needs it over TCP (127.0.0.1). */
  password: SecretText;
  /** The address over the Unix socket. */
  url: SecretText;
  /** A connection of the superuser's; end it. */
  connect(): Promise<Client>;
  /** Runs statements as the superuser. */
  sql(text: string): Promise<Record<string, unknown>[]>;
  /** Writes a file of the server's into its data folder, and says where. */
  place(name: string, content: string): string;
  /** `immediate` is as a crash: nothing that was not yet synced is written. */
  stop(how: 'fast' | 'immediate'): Promise<void>;
  start(settings?: readonly string[]): Promise<void>;
  remove(): Promise<void>;
}

/** PostgreSQL refuses to run as root; Debian's package brings a user for it. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** @param settings as `name=value`, for every start */
export async function startPostgres(settings: readonly string[] = []): Promise<TestPostgres> {
  const user = serverUser();
  const folder = mkdtempSync(join(tmpdir(), 'capstan-postgres-'));
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  const password = new SecretText('of the test server');
  writeFileSync(passwordFile, password.reveal());
  if (user) for (const path of [folder, passwordFile]) chownSync(path, user.uid, user.gid);
  const auth = ['--username=postgres', '--auth-local=trust', '--auth-host=scram-sha-256'];
  execFileSync(
    join(binaries!, 'initdb'),
    ['-D', data, '--no-sync', '--encoding=UTF8', '--locale=C', `--pwfile=${passwordFile}`, ...auth],
    { ...user, cwd: folder, stdio: 'pipe' },
  );
  const port = await freePort();
  let server: ChildProcess | undefined;

  const start = async (more: readonly string[] = []) => {
    const options = [...settings, ...more].flatMap((setting) => ['-c', setting]);
    const address = ['-k', folder, '-p', `${port}`, '-c', 'listen_addresses=127.0.0.1'];
    const command = [join(binaries!, 'postgres'), '-D', data, ...address, ...options];
    // It ends with this process, however that ends.
    server = spawn('setpriv', ['--pdeathsig', 'QUIT', ...command], {
      ...user,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await ready(server);
  };
  const connect = async () => {
    const client = new Client({ host: folder, port, user: 'postgres', database: 'postgres', ssl: false });
    await client.connect();
    return client;
  };
  const stop = async (how: 'fast' | 'immediate') => {
    if (!server || server.exitCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await ended;
  };
  await start();
  return {
    folder,
    port,
    password,
    url: new SecretText(`postgres://postgres@/postgres?host=${encodeURIComponent(folder)}&port=${port}`),
    connect,
    async sql(text) {
      const client = await connect();
      try {
        return (await client.query<Record<string, unknown>>(text)).rows;
      } finally {
        await client.end();
      }
    },
    place(name, content) {
      const path = join(data, name);
      writeFileSync(path, content, { mode: 0o600 });
      if (user) chownSync(path, user.uid, user.gid);
      return path;
    },
    stop,
    start,
    async remove() {
      await stop('immediate');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ready(server: ChildProcess): Promise<void> {
  let log = '';
  await new Promise<void>((resolve, reject) => {
    server.stderr!.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-10_000);
      if (/ready to accept (read-only )?connections/.test(log)) resolve();
    });
    server.once('exit', (status) => reject(new Error(`postgres ended with ${status}: ${log}`)));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
