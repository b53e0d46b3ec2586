import type { QueryConfig } from 'pg';
import { checkAfter } from './changes.ts';
import type { ChangedKeys } from './store.ts';

/** How many rows of each table one answer is made from at most, unless a single commit wrote more. */
const windowRows = 2_000;

/** One changed key; all of `key`, `revision` and `gone` are null in the only row where none has changed. */
export interface ChangedRow {
  newest: string;
  compacted: string;
  up_to: string;
  key: Buffer | null;
  revision: string | null;
  gone: boolean | null;
}

/**
 * One statement, and so one view of all tables. It walks from `after` on by revision, whatever the prefixes, so that
 * its cost is what has been written since, never what there is below a prefix.
 */
export function changedKeysQuery(
  schema: string,
  { prefixes, after }: { prefixes: readonly string[]; after: number },
): QueryConfig {
  const below = (key: string) =>
    `EXISTS (SELECT FROM unnest($2::bytea[]) AS p (prefix) WHERE substring(${key} FROM 1 FOR length(prefix)) = prefix)`;
  const past = (table: string) =>
    `(SELECT revision FROM ${schema}.${table} WHERE revision > $1::bigint ORDER BY revision OFFSET $3::bigint LIMIT 1)`;
  return {
    name: `${schema}.changed`,
    text: `
      WITH span AS MATERIALIZED (
        SELECT h.revision AS newest, h.compacted, CASE WHEN w.first_past IS NULL THEN h.revision
          ELSE least(h.revision, greatest($1 + 1, w.first_past - 1)) END AS up_to
        FROM ${schema}.head h, (SELECT least(${past('entry')}, ${past('removed')}) AS first_past OFFSET 0) w
      )
      SELECT s.newest, s.compacted, s.up_to, c.key, c.revision, c.gone
      FROM span s LEFT JOIN LATERAL (
        SELECT e.key, e.revision, false AS gone FROM ${schema}.entry e
        WHERE e.revision > $1 AND e.revision <= s.up_to AND ${below('e.key')}
        UNION ALL
        SELECT r.key, r.revision, true FROM ${schema}.removed r
        WHERE r.revision > $1 AND r.revision <= s.up_to AND ${below('r.key')}
          AND NOT EXISTS (SELECT FROM ${schema}.entry e WHERE e.key = r.key)
      ) c ON true
      ORDER BY c.revision, c.key`,
    values: [after, prefixes.map((prefix) => Buffer.from(prefix)), windowRows],
  };
}

/** @throws Fault `store.watch.compacted` */
export function readChangedRows(rows: readonly ChangedRow[], after: number): ChangedKeys {
  const { newest, compacted, up_to } = rows[0]!;
  checkAfter(after, { from: Number(compacted), to: Number(newest) });
  const commits: ChangedKeys['commits'] = [];
  for (const { key, revision: text, gone } of rows) {
    if (key === null) break;
    const revision = Number(text);
    if (commits.at(-1)?.revision !== revision) commits.push({ revision, puts: [], deletes: [] });
    commits.at(-1)![gone ? 'deletes' : 'puts'].push(key.toString());
  }
  return { upTo: Number(up_to), more: Number(up_to) < Number(newest), commits };
}
