import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresStore } from '../../src/store/postgres.ts';
import type { Change, Store } from '../../src/store/store.ts';
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts';

const put = (key: string, value = key) => ({ puts: [{ key, value: Buffer.from(value) }] });
const code = (value: string) => expect.objectContaining({ code: value });

describe.skipIf(postgresMissing)(postgresMissing ?? 'changes in PostgreSQL', () => {
  let server: TestPostgres;
  let count = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  async function withNodes(
    size: number,
    act: (nodes: Store[], schema: string) => Promise<void>,
  ): Promise<void> {
    const schema = `watch_${count++}`;
    const nodes = await Promise.all(
      Array.from({ length: size }, () => postgresStore({ url: server.url, schema, connections: 4 })),
    );
    try {
      await act(nodes, schema);
    } finally {
      await Promise.all(nodes.map((node) => node.close()));
    }
  }

  test('every node sees what all of them commit, in one order, none left out', () =>
    withNodes(3, async (nodes) => {
      const ending = new AbortController();
      const each = 60;
      const seen = nodes.map(async (node) => {
        const changes: Change[] = [];
        for await (const change of node.watch({ prefix: 'log/', after: 0, signal: ending.signal })) {
          changes.push(change);
          if (changes.length === nodes.length * each) break;
        }
        return changes;
      });
      await Promise.all(
        nodes.map(async (node, at) => {
          for (let n = 0; n < each; n++) {
            await node.commit({ puts: [...put(`log/${at}-${n}`).puts, ...put('other').puts] });
          }
        }),
      );
      const [first, ...others] = await Promise.all(seen);
      expect(first!.map(({ puts }) => puts.length)).toEqual(first!.map(() => 1));
      const revisions = first!.map(({ revision }) => revision);
      expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
      for (const other of others) expect(other).toEqual(first);
      ending.abort();
    }));

  test('much at once comes in parts, each commit whole', () =>
    withNodes(1, async ([node]) => {
      // More than one look takes, and one commit of more than that.
      const sizes = [1_500, 3_000, 700, 2_500];
      for (const [at, size] of sizes.entries()) {
        await node!.commit({ puts: Array.from({ length: size }, (_, n) => put(`k/${at}/${n}`).puts[0]!) });
      }
      const looks: number[][] = [];
      let after = 0;
      for (let more = true; more; ) {
        const changed = await node!.changedKeys({ prefixes: ['k/'], after });
        looks.push(changed.commits.map(({ puts }) => puts.length));
        ({ upTo: after, more } = changed);
      }
      expect(looks).toEqual([[1_500], [3_000], [700], [2_500]]);
      expect(after).toBe(4);
    }));

  test('deletions are forgotten after a while, and who is behind them is told so', () =>
    withNodes(1, async ([node], schema) => {
      await node!.commit({ puts: [...put('a').puts, ...put('b').puts] });
      await node!.commit({ deletes: ['a'] });
      await server.sql(`UPDATE ${schema}.head SET revision = 104998`);
      await node!.commit({ deletes: ['b'] });
      expect(await node!.changedKeys({ prefixes: [''], after: 1 })).toMatchObject({
        commits: [{ deletes: ['a'] }, { deletes: ['b'] }],
      });
      const last = await node!.commit(put('c'));
      expect(last).toBe(105_000);
      await expect(node!.changedKeys({ prefixes: [''], after: 1 })).rejects.toEqual(
        code('store.watch.compacted'),
      );
      expect(await node!.changedKeys({ prefixes: [''], after: 5_000 })).toEqual({
        upTo: last,
        more: false,
        commits: [
          { revision: 104_999, puts: [], deletes: ['b'] },
          { revision: 105_000, puts: ['c'], deletes: [] },
        ],
      });
      expect(await server.sql(`SELECT encode(key, 'escape') AS key FROM ${schema}.removed`)).toEqual([
        { key: 'b' },
      ]);
    }));

  test('a watch ends with the connection, and the next goes on where it ended', () =>
    withNodes(2, async (nodes) => {
      const [a, b] = nodes as [Store, Store];
      const ending = new AbortController();
      const watch = (after: number) =>
        b.watch({ prefix: '', after, signal: ending.signal })[Symbol.asyncIterator]();
      const changes = watch(0);
      const revision = await a.commit(put('a'));
      expect((await changes.next()).value).toMatchObject({ revision });
      const broken = expect(changes.next()).rejects.toEqual(code('store.unavailable'));
      await server.stop('immediate');
      await broken;
      await server.start();
      const later = await a.commit(put('b'));
      expect((await watch(revision).next()).value).toMatchObject({ revision: later });
      ending.abort();
    }));
});
