import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresStore } from '../../src/store/postgres.ts';
import type { Store } from '../../src/store/store.ts';
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts';

const nodeFile = new URL('./store-postgres-node.ts', import.meta.url).pathname;
const conflict = expect.objectContaining({ code: 'store.conflict' });

describe.skipIf(postgresMissing)(postgresMissing ?? 'many nodes on one PostgreSQL database', () => {
  let server: TestPostgres;
  let count = 0;
  const newSchema = () => `nodes_${count++}`;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  /** Gives `act` so many nodes on one new store. */
  async function withNodes(size: number, act: (nodes: Store[]) => Promise<void>): Promise<void> {
    const schema = newSchema();
    // All at once: they make the schema together, too.
    const nodes = await Promise.all(
      Array.from({ length: size }, () => postgresStore({ url: server.url, schema, connections: 4 })),
    );
    try {
      await act(nodes);
    } finally {
      await Promise.all(nodes.map((node) => node.close()));
    }
  }

  test('what one has committed, every other reads', () =>
    withNodes(3, async (nodes) => {
      for (let n = 0; n < 30; n++) {
        const revision = await nodes[n % 3]!.commit({ puts: [{ key: 'k', value: Buffer.from(`${n}`) }] });
        const entry = { key: 'k', value: Buffer.from(`${n}`), revision };
        expect(await Promise.all(nodes.map((node) => node.get('k')))).toEqual([entry, entry, entry]);
        expect(await nodes[(n + 1) % 3]!.revision()).toBe(revision);
      }
    }));

  test('no update is lost and no revision given twice', () =>
    withNodes(4, async (nodes) => {
      const revisions: number[] = [];
      let conflicts = 0;
      const increment = async (node: Store) => {
        for (;;) {
          const counter = await node.get('counter');
          const next = Buffer.from(`${Number(counter?.value ?? 0) + 1}`);
          const expected = [{ key: 'counter', revision: counter?.revision ?? 0 }];
          try {
            revisions.push(await node.commit({ expect: expected, puts: [{ key: 'counter', value: next }] }));
            return;
          } catch (error) {
            expect(error).toEqual(conflict);
            conflicts += 1;
          }
        }
      };
      const lane = async (node: Store) => {
        for (let n = 0; n < 15; n++) await increment(node);
      };
      await Promise.all(nodes.flatMap((node) => [lane(node), lane(node), lane(node)]));
      expect(Number((await nodes[0]!.get('counter'))!.value)).toBe(180);
      expect(revisions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 180 }, (_, n) => n + 1));
      expect(conflicts).toBeGreaterThan(0);
    }));

  test('of many nodes that claim one key exactly one wins', () =>
    withNodes(5, async (nodes) => {
      for (let round = 0; round < 10; round++) {
        const claims = await Promise.allSettled(
          nodes.map((node, n) =>
            node.commit({
              expect: [{ key: `lease/${round}`, revision: 0 }],
              puts: [{ key: `lease/${round}`, value: Buffer.from(`${n}`) }],
            }),
          ),
        );
        expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      }
    }));

  test('whoever sees a revision sees every commit up to it, and never half of one', () =>
    withNodes(4, async (nodes) => {
      const [reader, ...writers] = nodes as [Store, ...Store[]];
      const writing = new AbortController();
      const write = async (node: Store, name: string) => {
        for (let n = 0; n < 60; n++) {
          const value = Buffer.from(`${n}`);
          await node.commit({
            puts: [
              { key: `log/${name}/${String(n).padStart(3, '0')}`, value },
              { key: `twin/${name}`, value },
              { key: `other/${name}`, value },
            ],
          });
        }
      };
      const read = async () => {
        let looks = 0;
        let before = 0;
        while (!writing.signal.aborted) {
          const newest = await reader.revision();
          expect(newest).toBeGreaterThanOrEqual(before);
          before = newest;
          // Every commit adds exactly one entry to the log, so none up to `newest` may be missing.
          const seen = (await reader.list({ prefix: 'log/' })).map(({ revision }) => revision);
          expect(seen.filter((revision) => revision <= newest)).toHaveLength(newest);
          const all = await reader.list({ prefix: '' });
          for (const twin of all.filter(({ key }) => key.startsWith('twin/'))) {
            const other = all.find(({ key }) => key === twin.key.replace('twin/', 'other/'));
            expect(other).toMatchObject({ value: twin.value, revision: twin.revision });
          }
          looks += 1;
        }
        return looks;
      };
      const looking = read();
      // Several lanes a node, so that commits travel in groups.
      await Promise.all(
        writers.flatMap((node, n) => ['a', 'b', 'c'].map((lane) => write(node, `${n}${lane}`))),
      ).finally(() => {
        writing.abort();
      });
      expect(await looking).toBeGreaterThan(3);
      expect(await reader.revision()).toBe(540);
    }));

  test('kill -9 of nodes that count together loses nothing acknowledged, and leaves no half commit', async () => {
    const schema = newSchema();
    const nodes = ['a', 'b', 'c'].map((name) => {
      const child = spawn(process.execPath, [nodeFile, server.url.reveal(), schema, name, '3'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const node = { child, output: '' };
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        node.output += text;
      });
      return node;
    });
    // One after the other dies in the middle of its work, while the others go on.
    for (const node of nodes) {
      const enough = node.output.length + 600;
      while (node.output.length < enough) await once(node.child.stdout, 'data');
      node.child.kill('SIGKILL');
      await once(node.child, 'close');
    }
    const acknowledged = nodes
      .flatMap(({ output }) => output.split('\n').slice(0, -1))
      .map((line) => line.split(' '))
      .map(([name, revision, counted]) => ({ name: name!, revision: Number(revision), counted }));
    expect(acknowledged.length).toBeGreaterThan(60);
    expect(new Set(acknowledged.map(({ revision }) => revision)).size).toBe(acknowledged.length);

    const store = await postgresStore({ url: server.url, schema });
    const first = await store.list({ prefix: 'first/' });
    const kept = new Map(
      first.map(({ key, value, revision }) => [key, { counted: value.toString(), revision }]),
    );
    for (const { name, revision, counted } of acknowledged) {
      expect(kept.get(`first/${name}`)).toEqual({ counted, revision });
    }
    const second = await store.list({ prefix: 'second/' });
    expect(second.map(({ key, value }) => [key.slice('second/'.length), value.toString()])).toEqual(
      first.map(({ key, value }) => [key.slice('first/'.length), value.toString()]),
    );
    // Each commit counted once, from what it had read: no update was lost.
    const counts = first.map(({ value }) => Number(value)).toSorted((a, b) => a - b);
    expect(counts).toEqual(Array.from(counts, (_, n) => n + 1));
    expect(Number((await store.get('counter'))!.value)).toBe(counts.length);
    expect(await store.revision()).toBe(counts.length);
    await store.close();
  });
});
