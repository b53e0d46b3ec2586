import type { PoolClient, QueryConfig } from 'pg';
import { checkBatch } from './expectations.ts';

/** Values have 4 MiB at most, so that a page is never too large for memory. */
const pageSize = 200;

/** The rows of all entries, in pages, in one transaction that sees the database as it was at its beginning. */
export async function* snapshotPages<Row extends { key: Buffer }>(
  client: PoolClient,
  schema: string,
): AsyncGenerator<Row[]> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  for (let after: Buffer = Buffer.alloc(0); ; ) {
    const { rows } = await client.query<Row>({
      name: `${schema}.page`,
      text: `SELECT key, value, revision FROM ${schema}.entry WHERE key > $1 ORDER BY key LIMIT $2`,
      values: [after, pageSize],
    });
    if (rows.length === 0) break;
    yield rows;
    after = rows.at(-1)!.key;
  }
  await client.query('COMMIT');
}

/** No limit that a connection has for ordinary statements fits these; Node's timers take no more. */
const noTimeoutMs = 2 ** 31 - 1;

/**
 * Puts `pages` in the place of all entries, in one transaction. They are gathered in a table of its own first: only
 * then, and not while they are still on their way here, do commits of all nodes wait.
 */
export async function replaceAll(
  client: PoolClient,
  schema: string,
  pages: AsyncIterable<readonly { key: string; value: Uint8Array }[]>,
): Promise<number> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0');
  await client.query('SET LOCAL idle_in_transaction_session_timeout = 0');
  await client.query(
    `SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'`,
  );
  await client.query(
    'CREATE TEMPORARY TABLE filled (key bytea NOT NULL, value bytea NOT NULL) ON COMMIT DROP; ' +
      'ALTER TABLE filled ALTER COLUMN value SET STORAGE EXTERNAL',
  );
  for await (const page of pages) {
    checkBatch({ puts: page });
    const keys = page.map(({ key }) => Buffer.from(key));
    await client.query({
      text: 'INSERT INTO filled SELECT * FROM unnest($1::bytea[], $2::bytea[])',
      values: [keys, page.map(({ value }) => value)],
    });
  }
  const head = await client.query<{ revision: string }>(
    `UPDATE ${schema}.head SET revision = revision + 1, compacted = revision + 1 RETURNING revision`,
  );
  const revision = Number(head.rows[0]!.revision);
  const unhurried = (text: string) => {
    const query: QueryConfig & { query_timeout: number } = { text, query_timeout: noTimeoutMs };
    return client.query(query);
  };
  await unhurried(`DELETE FROM ${schema}.entry; DELETE FROM ${schema}.removed`);
  await unhurried(`INSERT INTO ${schema}.entry SELECT key, value, ${revision} FROM filled`);
  await client.query(`SELECT pg_notify('capstan', $1)`, [schema]);
  await unhurried('COMMIT');
  return revision;
}
