import type { ClientBase } from 'pg';
import { Fault } from '../base/fault.ts';
import { schemaFault } from './postgres-faults.ts';

/** Nodes that start at once take turns at the schema: "CPST", as the embedded file's header has it. */
const migrationLock = 0x43505354;

/**
 * What brings the schema from each format to the next; a format is never changed once it is released. Nodes of the
 * version before run on beside the new one while a cluster is upgraded: a step leaves working what they call.
 */
const migrations: readonly ((schema: string) => string)[] = [
  tables,
  (schema) => history(schema) + commitFunction(schema),
];

/** Makes the schema, or brings it up to date, in one transaction. @throws Fault `store.open.version` */
export async function prepareSchema(client: ClientBase, schema: string, name: string): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
    const format = await formatOf(client, schema, name);
    if (format > migrations.length)
      throw schemaFault(name, `schema ${schema} was written by a newer Capstan`);
    for (const migrate of migrations.slice(format)) await client.query(migrate(schema));
    if (format < migrations.length) {
      await client.query(`UPDATE ${schema}.format SET version = $1`, [migrations.length]);
    }
    await client.query('COMMIT');
  } catch (error) {
    // The first error tells more than a rollback that fails on a lost connection.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** The format of the schema; 0 where it is empty or missing (it then exists afterwards). */
async function formatOf(client: ClientBase, schema: string, name: string): Promise<number> {
  const found = await client.query<{ exists: boolean; tables: string; ours: boolean }>(
    `SELECT to_regnamespace($1) IS NOT NULL AS exists, to_regclass($1 || '.format') IS NOT NULL AS ours,
            (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace($1)) AS tables`,
    [schema],
  );
  const { exists, tables, ours } = found.rows[0]!;
  // A schema made by whoever runs the database needs no right to make schemas.
  if (!exists) await client.query(`CREATE SCHEMA ${schema}`);
  if (tables === '0' || !exists) return 0;
  if (!ours) throw schemaFault(name, `schema ${schema} belongs to another program`);
  const { rows } = await client.query<{ version: number }>(`SELECT version FROM ${schema}.format`);
  return rows[0]!.version;
}

/** Names that need no quotes in SQL. @throws Fault `store.postgres.schema` */
export function checkSchemaName(schema: string): void {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(schema) && !schema.startsWith('pg_')) return;
  throw new Fault(`${JSON.stringify(schema)} cannot be the name of a schema here`, {
    code: 'store.postgres.schema',
    blame: 'operator',
    fix: 'use up to 63 lower-case letters, digits and underscores, beginning with a letter',
  });
}

/**
 * Keys are bytes, so that their order does not depend on the database's encoding or collation. Values are not
 * compressed: they are mostly ciphertext.
 */
function tables(schema: string): string {
  return `
CREATE TABLE ${schema}.format (version integer NOT NULL);
INSERT INTO ${schema}.format VALUES (0);
CREATE TABLE ${schema}.head (revision bigint NOT NULL) WITH (fillfactor = 10);
INSERT INTO ${schema}.head VALUES (0);
CREATE TABLE ${schema}.entry (key bytea PRIMARY KEY, value bytea NOT NULL, revision bigint NOT NULL);
ALTER TABLE ${schema}.entry ALTER COLUMN value SET STORAGE EXTERNAL;
`;
}

/**
 * What changed after a revision is read from the entries themselves, by their revisions, and what was deleted from
 * `removed`: one row a key, so that a commit writes no value twice and a feed needs no table of its own. Deletions up
 * to `compacted` are forgotten.
 */
function history(schema: string): string {
  return `
CREATE INDEX entry_revision ON ${schema}.entry (revision);
CREATE TABLE ${schema}.removed (key bytea PRIMARY KEY, revision bigint NOT NULL);
CREATE INDEX removed_revision ON ${schema}.removed (revision);
ALTER TABLE ${schema}.head ADD COLUMN compacted bigint NOT NULL DEFAULT 0;
UPDATE ${schema}.head SET compacted = revision;
`;
}

/** For how many revisions a deletion is remembered at least, and in what steps it is forgotten. */
const keptRevisions = 100_000;
const compactionStep = 5_000;

/**
 * `commit_batches` is one statement, and so one transaction, for the client: no other node ever waits for a client
 * that stopped between two of them. It locks the row of `head` first and keeps it to the transaction's end, when the
 * transaction's effects are already visible; so commits happen one after the other, in the order of their revisions,
 * and whoever sees a revision sees all before it. Under READ COMMITTED each statement inside the function sees what
 * was committed before it began, that is, all that earlier holders of the lock wrote; under stricter levels it would
 * see the database as it was before it waited, which is why they are refused.
 *
 * The batches of a group come in rounds (postgres-group.ts). Within a round no batch touches what an earlier one of
 * it writes, so that a round can be judged and written as a set.
 */
function commitFunction(schema: string): string {
  return `
CREATE OR REPLACE FUNCTION ${schema}.commit_batches(
  rounds integer[],
  expect_batch integer[], expect_key bytea[], expect_revision bigint[],
  put_batch integer[], put_key bytea[], put_value bytea[],
  delete_batch integer[], delete_key bytea[],
  needs_fsync boolean
) RETURNS TABLE (new_revision bigint, conflict_key bytea, actual_revision bigint)
LANGUAGE plpgsql
-- Plans outlive the size of the table: one made while it was small must not scan it later. What has no other plan
-- then counts as dear, which must not have it compiled each time.
SET enable_seqscan = off SET jit = off
AS $function$
DECLARE
  newest bigint;
  oldest bigint;
  revisions bigint[] := array_fill(0::bigint, ARRAY[cardinality(rounds)]);
  conflict_keys bytea[];
  actual_revisions bigint[];
  conflict record;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'commit_batches needs READ COMMITTED' USING ERRCODE = 'CP001';
  END IF;
  IF needs_fsync AND current_setting('fsync') = 'off' THEN
    RAISE EXCEPTION 'fsync is off' USING ERRCODE = 'CP002';
  END IF;
  PERFORM set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
  SELECT h.revision, h.revision INTO STRICT newest, oldest FROM ${schema}.head h FOR UPDATE;
  FOR round IN 1 .. rounds[cardinality(rounds)] LOOP
${judgeRound(schema)}    FOR batch IN 1 .. cardinality(rounds) LOOP
      IF rounds[batch] = round AND revisions[batch] = 0 THEN
        newest := newest + 1;
        revisions[batch] := newest;
      END IF;
    END LOOP;
${writeRound(schema)}  END LOOP;
  IF newest > oldest THEN
    UPDATE ${schema}.head h SET revision = newest;
    -- Only wakes those who watch; what there is to see, they look for themselves.
    PERFORM pg_notify('capstan', '${schema}');
  END IF;
  IF newest / ${compactionStep} > oldest / ${compactionStep} AND newest > ${keptRevisions} THEN
    DELETE FROM ${schema}.removed r WHERE r.revision <= newest - ${keptRevisions};
    UPDATE ${schema}.head h SET compacted = greatest(h.compacted, newest - ${keptRevisions});
  END IF;
  FOR batch IN 1 .. cardinality(rounds) LOOP
    new_revision := revisions[batch];
    conflict_key := conflict_keys[batch];
    actual_revision := actual_revisions[batch];
    RETURN NEXT;
  END LOOP;
END
$function$;
`;
}

/** Marks the batches of a round that expect what is not so. */
function judgeRound(schema: string): string {
  return `    FOR conflict IN
      SELECT DISTINCT ON (found.batch) found.batch, found.key, found.actual FROM (
        SELECT x.batch, x.key, x.revision, x.place,
               coalesce((SELECT e.revision FROM ${schema}.entry e WHERE e.key = x.key), 0) AS actual
        FROM unnest(expect_batch, expect_key, expect_revision)
          WITH ORDINALITY AS x (batch, key, revision, place)
        WHERE rounds[x.batch] = round
      ) found
      WHERE found.actual <> found.revision
      ORDER BY found.batch, found.place
    LOOP
      revisions[conflict.batch] := -1;
      conflict_keys[conflict.batch] := conflict.key;
      actual_revisions[conflict.batch] := conflict.actual;
    END LOOP;
`;
}

/** Writes what the other batches of the round put and delete. */
function writeRound(schema: string): string {
  return `    INSERT INTO ${schema}.entry (key, value, revision)
      SELECT p.key, p.value, revisions[p.batch]
      FROM unnest(put_batch, put_key, put_value) AS p (batch, key, value)
      WHERE rounds[p.batch] = round AND revisions[p.batch] > 0
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision;
    IF cardinality(delete_batch) > 0 THEN
      WITH gone AS (
        DELETE FROM ${schema}.entry e WHERE e.key = ANY (ARRAY(
          SELECT d.key FROM unnest(delete_batch, delete_key) AS d (batch, key)
          WHERE rounds[d.batch] = round AND revisions[d.batch] > 0))
        RETURNING e.key
      )
      INSERT INTO ${schema}.removed (key, revision)
        SELECT gone.key, revisions[d.batch]
        FROM gone JOIN unnest(delete_batch, delete_key) AS d (batch, key) ON d.key = gone.key
        WHERE rounds[d.batch] = round AND revisions[d.batch] > 0
        ON CONFLICT (key) DO UPDATE SET revision = excluded.revision;
    END IF;
`;
}
