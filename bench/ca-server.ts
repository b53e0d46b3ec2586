import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../tools/sources.ts';
import type { LoadTarget } from './http-load.ts';

/** A server of Vault's API, unsealed, on a core of its own where there are two. */
export interface CaServer {
  name: string;
  target: LoadTarget;
  token: string;
  pid: number;
  /** Where it keeps everything; undefined where it keeps nothing. */
  folder: string | undefined;
  stop(): Promise<void>;
}

const pins = process.platform === 'linux' && spawnSync('taskset', ['-V']).status === 0;

/** The load is made on the second core, so that it does not take from the server's. */
export function pinGenerator(): boolean {
  return pins && spawnSync('taskset', ['-a', '-p', '-c', '1', String(process.pid)]).status === 0;
}

function start(command: readonly string[]): ChildProcess {
  const [file, ...args] = pins ? ['taskset', '-c', '0', ...command] : command;
  return spawn(file!, args, { stdio: ['pipe', 'pipe', 'ignore'] });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

/** `folder` undefined for a server that forgets. */
export async function startCapstan(name: string, folder: string | undefined): Promise<CaServer> {
  const token = 'bench';
  const args = ['vault', 'server', '-dev', '-dev-listen-address=127.0.0.1:0', `-dev-root-token-id=${token}`];
  const kept = folder === undefined ? [] : [`-data=${folder}`];
  const bin = join(root, 'bin', 'capstan.mjs');
  const child = start([process.execPath, bin, ...args, '-log-level=error', ...kept]);
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const [, found] = /Api Address: (\S+)/.exec(line) ?? [];
      if (found) resolve(found);
    });
    child.once('exit', () => reject(new Error('capstan vault server ended early')));
  });
  const { hostname, port } = new URL(address);
  const target = { host: hostname, port: Number(port) };
  return { name, target, token, pid: child.pid!, folder, stop: () => stop(child) };
}

/** The first of `vault` and `bao` that is on the path, on one node of its own raft storage, which syncs. */
export async function startPeer(folder: string): Promise<CaServer | undefined> {
  const program = ['vault', 'bao'].find((name) => spawnSync(name, ['version']).status === 0);
  if (!program) return undefined;
  const [port, clusterPort] = [await freePort(), await freePort()];
  mkdirSync(folder, { recursive: true });
  const config = join(folder, '..', 'peer.hcl');
  writeFileSync(
    config,
    `storage "raft" {\n  path = "${folder}"\n  node_id = "bench"\n}\n` +
      `listener "tcp" {\n  address = "127.0.0.1:${port}"\n  tls_disable = true\n}\n` +
      `api_addr = "http://127.0.0.1:${port}"\ncluster_addr = "http://127.0.0.1:${clusterPort}"\n` +
      'disable_mlock = true\nlog_level = "error"\n',
  );
  const child = start([program, 'server', `-config=${config}`]);
  const target = { host: '127.0.0.1', port };
  const api = async (path: string, body: object) => {
    const response = await fetch(`http://127.0.0.1:${port}/v1/${path}`, {
      method: 'PUT',
      body: JSON.stringify(body),
    });
    return (await response.json()) as { keys: string[]; root_token: string };
  };
  await until(async () => (await fetch(`http://127.0.0.1:${port}/v1/sys/seal-status`)).ok);
  const made = await api('sys/init', { secret_shares: 1, secret_threshold: 1 });
  await api('sys/unseal', { key: made.keys[0] });
  await until(async () => (await fetch(`http://127.0.0.1:${port}/v1/sys/health`)).status === 200);
  return { name: program, target, token: made.root_token, pid: child.pid!, folder, stop: () => stop(child) };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await holds().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('a server did not come up');
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Writes to a server, as its operator. @throws Error with what it answered */
export async function write({ target, token }: CaServer, path: string, body: object) {
  const response = await fetch(`http://${target.host}:${target.port}/v1/${path}`, {
    method: 'PUT',
    headers: { 'x-vault-token': token },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return (text === '' ? {} : JSON.parse(text)) as { data: Record<string, unknown> };
}

/** Milliseconds of processor time that a process has taken, all its threads together. */
export function processorMs(pid: number): number {
  const [, after] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const fields = after!.split(' ');
  // Linux counts in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Bytes of all files below a folder, as long as they are. */
export function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
