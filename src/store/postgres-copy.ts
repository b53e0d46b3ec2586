import type { PoolClient } from 'pg';
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

/** Puts `pages` in the place of all entries: in one transaction, which keeps commits of all nodes waiting. */
export async function replaceAll(
  client: PoolClient,
  schema: string,
  pages: AsyncIterable<readonly { key: string; value: Uint8Array }[]>,
): Promise<number> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0');
  await client.query(
    `SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'`,
  );
  const head = await client.query<{ revision: string }>(
    `UPDATE ${schema}.head SET revision = revision + 1, compacted = revision + 1 RETURNING revision`,
  );
  const revision = Number(head.rows[0]!.revision);
  await client.query(`DELETE FROM ${schema}.entry; DELETE FROM ${schema}.removed`);
  for await (const page of pages) {
    checkBatch({ puts: page });
    const keys = page.map(({ key }) => Buffer.from(key));
    await client.query({
      text: `INSERT INTO ${schema}.entry (key, value, revision)
             SELECT p.key, p.value, $3 FROM unnest($1::bytea[], $2::bytea[]) AS p (key, value)`,
      values: [keys, page.map(({ value }) => value), revision],
    });
  }
  await client.query(`SELECT pg_notify('capstan', $1)`, [schema]);
  await client.query('COMMIT');
  return revision;
}
