import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embeddedStore } from '../src/store/embedded.ts';
import { postgresStore } from '../src/store/postgres.ts';
import type { Store } from '../src/store/store.ts';
import { postgresMissing, startPostgres } from '../test/support/postgres.ts';
import { median, print, throughput } from './measure.ts';

const windowMs = 1_000;
const rounds = 5;
const watchers = 2;
/** As large as a certificate. */
const value = Buffer.alloc(1_200, 7);

/** Durable commits as a signature makes them, on each store; on PostgreSQL also beside nodes that watch them all. */
export async function benchStore(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-bench-'));
  const embedded = embeddedStore({ path: join(folder, 'store.db') });
  await commits('embedded', embedded);
  await embedded.close();
  rmSync(folder, { recursive: true });
  if (postgresMissing) return print('PostgreSQL', postgresMissing);
  const server = await startPostgres();
  const nodes = await Promise.all(
    Array.from({ length: 1 + watchers }, () => postgresStore({ url: server.url })),
  );
  const [store, ...others] = nodes as [Store, ...Store[]];
  await commits('PostgreSQL', store);
  await looks(store);
  const ending = new AbortController();
  const watching = others.map(async (other) => {
    const after = await other.revision();
    let seen = 0;
    for await (const change of other.watch({ prefix: '', after, signal: ending.signal })) {
      seen += change.puts.length;
    }
    return seen;
  });
  await commits(`PostgreSQL, ${watchers} nodes watching`, store);
  ending.abort();
  print('entries that each of them was told of', (await Promise.all(watching)).join(', '));
  await Promise.all(nodes.map((node) => node.close()));
  await server.remove();
}

async function commits(name: string, store: Store): Promise<void> {
  let count = 0;
  const commit = () => {
    const key = `cert/${name}/${count++}`;
    return store.commit({
      expect: [{ key, revision: 0 }],
      puts: [
        { key, value },
        { key: `by-end/${name}/${count}`, value: Buffer.alloc(0) },
      ],
    });
  };
  for (const width of [1, 32, 256]) {
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) rates.push(await throughput(commit, width, windowMs));
    print(`${name}: commits, ${width} waiting`, `${median(rates).toFixed(0)}/s`);
  }
}

/** What a node pays before each request to see what others have done, where they have done nothing that concerns it. */
async function looks(store: Store): Promise<void> {
  const after = await store.revision();
  const prefixes = ['mount/', 'seal/', 'data/1/issuer/', 'data/1/key/', 'data/1/settings'];
  for (const width of [1, 8]) {
    const look = await throughput(() => store.changedKeys({ prefixes, after }), width, windowMs);
    const get = await throughput(() => store.get('mount/none'), width, windowMs);
    print(
      `PostgreSQL: looks for changes, ${width} waiting`,
      `${look.toFixed(0)}/s (reads ${get.toFixed(0)}/s)`,
    );
  }
}
