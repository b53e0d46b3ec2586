import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Running, start } from './capstan.ts';
import type { TestPostgres } from './postgres.ts';
import { callVault, type VaultReply } from './vault.ts';

/** One process of many that serve the same database. */
export interface VaultNode {
  running: Running;
  /** `http://127.0.0.1:PORT` */
  address: string;
  call(method: string, path: string, body?: unknown, token?: string): Promise<VaultReply>;
  kill(): Promise<void>;
}

/** Starts `capstan vault server` on `database`, with its configuration in `folder`. A port stays the same where given. */
export async function startNode(database: TestPostgres, folder: string, port = 0): Promise<VaultNode> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'vault.hcl'),
    `listener "tcp" {\n  address = "127.0.0.1:${port}"\n  tls_disable = true\n}\n` +
      `storage "postgresql" {\n  connection_url = "${database.url.reveal()}"\n}\nlog_level = "error"\n`,
  );
  const running = start(['vault', 'server', '-config=vault.hcl'], { cwd: folder });
  const [, address] = await running.printed(/Api Address: (\S+)\n[\s\S]*server started!/);
  return {
    running,
    address: address!,
    call: (method, path, body, token = '') => callVault(address!, { method, path, body, token }),
    async kill() {
      running.child.kill('SIGKILL');
      await running.finished;
    },
  };
}

export interface Secrets {
  keys: string[];
  root: string;
}

/** Initialises the database through one node; it stays sealed. */
export async function initialise(node: VaultNode): Promise<Secrets> {
  const { body } = await node.call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 });
  return { keys: body.keys as string[], root: body.root_token as string };
}

export async function unseal(node: VaultNode, { keys }: Secrets): Promise<void> {
  for (const key of keys) {
    const { status, body } = await node.call('PUT', 'sys/unseal', { key });
    if (status !== 200) throw new Error(JSON.stringify(body));
  }
}
