import { type ClientBase, Pool, type PoolClient, type QueryConfig } from 'pg';
import { Fault } from '../base/fault.ts';
import { watchChanges } from './changes.ts';
import { checkBatch, closedFault } from './expectations.ts';
import { type PostgresAddress, type PostgresTarget, postgresTarget } from './postgres-address.ts';
import { type ChangedRow, changedKeysQuery, readChangedRows } from './postgres-changes.ts';
import { replaceAll, snapshotPages } from './postgres-copy.ts';
import {
  commitFault,
  databaseFault,
  durabilityFault,
  openFault,
  standbyFault,
  wasRefused,
} from './postgres-faults.ts';
import { type GroupRow, groupParameters, groupSize, outcomeOf } from './postgres-group.ts';
import { checkSchemaName, prepareSchema } from './postgres-schema.ts';
import { PostgresWakeups } from './postgres-wakeups.ts';
import type { Batch, Change, ChangedKeys, Entry, ListOptions, Store, WatchOptions } from './store.ts';

export interface PostgresOptions extends PostgresAddress {
  /** The schema that holds the store; made where missing. One database can hold several. Default `capstan`. */
  schema?: string;
  /** Connections at most; one of them writes. Default 8. */
  connections?: number;
  /** How long connecting, or waiting for a free connection, may take. Default 5 s. */
  connectTimeoutMs?: number;
  /** How long a statement may run on the server, waiting for other nodes included. Default 30 s. */
  statementTimeoutMs?: number;
  /** Takes a server with fsync off, which loses acknowledged commits in a power cut. For throw-away data only. */
  allowFsyncOff?: boolean;
}

/** How much longer than the server's own limit an answer may take, before the connection is held for dead. */
const answerGraceMs = 5_000;

/**
 * A store in a schema of a PostgreSQL database, which any number of nodes may use at once. Commits of one node that
 * wait at the same time share a transaction. A lost connection fails what was using it; what comes after connects
 * anew. Nodes need the primary, and a session each: a pooler between must pool sessions, not transactions.
 *
 * @throws Fault `store.postgres.address`, `store.postgres.schema`, `store.open.denied`, `store.open.version`,
 *   `store.open.durability`, `store.unavailable`; each with its fix.
 */
export async function postgresStore(options: PostgresOptions): Promise<Store> {
  const { schema = 'capstan', allowFsyncOff = false } = options;
  checkSchemaName(schema);
  const target = postgresTarget(options);
  const pool = connectionPool(target, options);
  try {
    const client = await pool.connect();
    try {
      await prepareSchema(client, schema, target.name);
    } finally {
      client.release(true);
    }
  } catch (error) {
    await pool.end();
    throw openFault(error, target.name);
  }
  return new PostgresStore({ pool, schema, name: target.name, needsFsync: !allowFsyncOff });
}

function connectionPool(target: PostgresTarget, options: PostgresOptions): Pool {
  const { connections = 8, connectTimeoutMs = 5_000, statementTimeoutMs = 30_000 } = options;
  const pool = new Pool({
    host: target.host,
    port: target.port,
    user: target.user,
    database: target.database,
    // Always a function: without a password the library would look for one in the environment and the home folder.
    password: () => target.password?.reveal() ?? '',
    ssl: target.tls,
    application_name: 'capstan',
    keepAlive: true,
    max: connections,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementTimeoutMs + answerGraceMs,
    // oxlint-disable-next-line typescript/no-misused-promises -- the pool waits for it, though its type has no promise
    onConnect: (client: ClientBase) => prepareSession(client, statementTimeoutMs, target.name, options),
  });
  // A connection that breaks fails its query, or is dropped from the pool; its event says nothing more.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Settings that must hold whatever the server, the database or the user defaults to; and the server's own state. */
async function prepareSession(
  client: ClientBase,
  statementTimeoutMs: number,
  name: string,
  { allowFsyncOff = false }: PostgresOptions,
): Promise<void> {
  await client.query(`
    SET default_transaction_isolation = 'read committed';
    SET default_transaction_read_only = off;
    -- Plans are made once, not for each new argument, and outlive the size of the table: what is read is in an order
    -- that an index has, however much of it there is.
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off;
    SET plan_cache_mode = force_generic_plan;
    SET statement_timeout = ${Math.ceil(statementTimeoutMs)}`);
  const { rows } = await client.query<{ fsync: string; standby: boolean }>(
    `SELECT current_setting('fsync') AS fsync, pg_is_in_recovery() AS standby`,
  );
  const { fsync, standby } = rows[0]!;
  if (standby) throw standbyFault(name);
  if (fsync === 'off' && !allowFsyncOff) throw durabilityFault(name);
}

interface Waiting {
  batch: Batch;
  resolve: (revision: number) => void;
  reject: (error: unknown) => void;
}

interface EntryRow {
  key: Buffer;
  value: Buffer;
  revision: string;
}

class PostgresStore implements Store {
  readonly #pool: Pool;
  readonly #schema: string;
  readonly #name: string;
  readonly #needsFsync: boolean;
  readonly #wakeups: PostgresWakeups;
  #queue: Waiting[] = [];
  /** The writer at work, until nothing waits. */
  #writing: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(given: { pool: Pool; schema: string; name: string; needsFsync: boolean }) {
    this.#pool = given.pool;
    this.#schema = given.schema;
    this.#name = given.name;
    this.#needsFsync = given.needsFsync;
    this.#wakeups = new PostgresWakeups(given.pool, given.schema);
  }

  async get(key: string): Promise<Entry | undefined> {
    const [row] = await this.#read<EntryRow>({
      name: `${this.#schema}.get`,
      text: `SELECT key, value, revision FROM ${this.#schema}.entry WHERE key = $1`,
      values: [Buffer.from(key)],
    });
    return row && toEntry(row);
  }

  async list({ prefix, after, limit, reverse, keysOnly }: ListOptions): Promise<Entry[]> {
    const from = Buffer.from(prefix);
    // The octet FF is in no UTF-8 text, so it comes after whatever follows the prefix.
    const end = Buffer.concat([from, Buffer.of(0xff)]);
    const bound = after === undefined ? undefined : Buffer.from(after);
    const [comparison, order] = reverse ? ['<', 'DESC'] : ['>', 'ASC'];
    const rows = await this.#read<EntryRow>({
      name: `${this.#schema}.${keysOnly ? 'keys' : 'list'}.${order}`,
      text: `SELECT key, ${keysOnly ? "''::bytea AS value" : 'value'}, revision FROM ${this.#schema}.entry
             WHERE key >= $1 AND key ${comparison} $2 AND key < $3 ORDER BY key ${order} LIMIT $4`,
      values: [from, bound ?? (reverse ? end : Buffer.alloc(0)), end, limit ?? null],
    });
    return rows.map(toEntry);
  }

  async revision(): Promise<number> {
    const [row] = await this.#read<{ revision: string }>({
      name: `${this.#schema}.revision`,
      text: `SELECT revision FROM ${this.#schema}.head`,
    });
    return Number(row!.revision);
  }

  async commit(batch: Batch): Promise<number> {
    if (this.#closed) throw closedFault();
    checkBatch(batch);
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  async changedKeys(options: { prefixes: readonly string[]; after: number }): Promise<ChangedKeys> {
    const rows = await this.#read<ChangedRow>(changedKeysQuery(this.#schema, options));
    return readChangedRows(rows, options.after);
  }

  watch(options: WatchOptions): AsyncIterable<Change> {
    return watchChanges(this, options, () => this.#wakeups.arm());
  }

  async *snapshot(): AsyncGenerator<Entry[]> {
    if (this.#closed) throw closedFault();
    let client: PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      for await (const rows of snapshotPages<EntryRow>(client, this.#schema)) yield rows.map(toEntry);
    } catch (error) {
      throw databaseFault(error, this.#name);
    } finally {
      // Whoever stops half-way leaves a transaction open.
      client?.release(true);
    }
  }

  async replace(pages: AsyncIterable<readonly { key: string; value: Uint8Array }[]>): Promise<number> {
    if (this.#closed) throw closedFault();
    let client: PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw databaseFault(error, this.#name);
    }
    try {
      return await replaceAll(client, this.#schema, pages);
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw commitFault(error, this.#name);
    } finally {
      client.release(true);
    }
  }

  close(): Promise<void> {
    this.#wakeups.close();
    this.#closed ??= Promise.resolve(this.#writing).then(() => this.#pool.end());
    return this.#closed;
  }

  async #read<Row extends object>(query: QueryConfig): Promise<Row[]> {
    if (this.#closed) throw closedFault();
    try {
      return await this.#queryTwice<Row>(query);
    } catch (error) {
      throw databaseFault(error, this.#name);
    }
  }

  /** A read does no harm when it is done twice, and a server that restarted is only noticed by using it. */
  async #queryTwice<Row extends object>(query: QueryConfig): Promise<Row[]> {
    const client = await this.#pool.connect();
    try {
      return await queryAndRelease<Row>(client, query);
    } catch (error) {
      if (wasRefused(error)) throw error;
    }
    return queryAndRelease<Row>(await this.#pool.connect(), query);
  }

  /** Writes what waits, group after group: while one is on its way, the next gathers. */
  async #write(): Promise<void> {
    // All commits of this turn of the event loop join the first group.
    await new Promise(setImmediate);
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, groupSize(this.#queue.map(({ batch }) => batch)));
      await this.#writeGroup(group);
    }
    this.#writing = undefined;
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const batches = group.map(({ batch }) => batch);
    try {
      const rows = await this.#sendGroup(batches);
      for (const [at, { batch, resolve, reject }] of group.entries()) {
        const outcome = outcomeOf(batch, rows[at]!);
        if (outcome instanceof Fault) reject(outcome);
        else resolve(outcome);
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  async #sendGroup(batches: readonly Batch[]): Promise<GroupRow[]> {
    let client: PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw databaseFault(error, this.#name);
    }
    try {
      return await queryAndRelease<GroupRow>(client, {
        name: `${this.#schema}.commit`,
        text: `SELECT new_revision, conflict_key, actual_revision
               FROM ${this.#schema}.commit_batches($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        values: groupParameters(batches, this.#needsFsync),
      });
    } catch (error) {
      throw commitFault(error, this.#name);
    }
  }
}

/** Gives the connection back afterwards, or, after an error, away: nobody knows what state it is in. */
async function queryAndRelease<Row extends object>(client: PoolClient, query: QueryConfig): Promise<Row[]> {
  let rows: Row[];
  try {
    ({ rows } = await client.query<Row>(query));
  } catch (error) {
    client.release(true);
    throw error;
  }
  client.release();
  return rows;
}

function toEntry({ key, value, revision }: EntryRow): Entry {
  return { key: key.toString(), value, revision: Number(revision) };
}
