import { Fault } from '../base/fault.ts';

/** SQLSTATEs (PostgreSQL's manual, appendix A) that say who connects, or what for, is wrong. */
const denied = ['28000', '28P01', '3D000', '42501'];

/**
 * Classes of SQLSTATEs that end a statement and leave the connection: data, constraints, transaction state, rollback,
 * access, resources, limits, locks; CP is our own (postgres-schema.ts). A commit that was answered so did not happen.
 */
const refusalClasses = ['22', '23', '25', '40', '42', '53', '54', '55', 'CP'];
const statementCancelled = '57014';
/** Raised by `commit_batches`. */
const fsyncIsOff = 'CP002';

function sqlState(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Whether the server answered that it did not do it; anything else may be an answer that was lost. */
export function wasRefused(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && (state === statementCancelled || refusalClasses.includes(state.slice(0, 2)));
}

/** What went wrong when the store was opened. */
export function openFault(error: unknown, name: string): Fault {
  if (error instanceof Fault) return error;
  if (!denied.includes(sqlState(error) ?? '')) return databaseFault(error, name);
  return new Fault(`${name} does not let us in: ${(error as Error).message}`, {
    code: 'store.open.denied',
    blame: 'operator',
    fix: 'give a user that may connect to the database and owns its schema, or may create one',
    cause: error,
  });
}

/** What went wrong during a read, or before a commit was sent. */
export function databaseFault(error: unknown, name: string): Fault {
  if (sqlState(error) === fsyncIsOff) return databaseFault(durabilityFault(name), name);
  if (error instanceof Fault) {
    // What keeps a store from opening can also befall one that is open, when it connects anew.
    const { message, blame, fix } = error;
    return new Fault(message, { code: 'store.unavailable', blame, ...(fix ? { fix } : {}), cause: error });
  }
  return new Fault(`${name} cannot be used: ${messageOf(error)}`, {
    code: 'store.unavailable',
    blame: 'operator',
    fix: 'see whether it runs, can be reached and has disk space',
    cause: error,
  });
}

/** What went wrong after a commit was sent. */
export function commitFault(error: unknown, name: string): Fault {
  if (wasRefused(error)) return databaseFault(error, name);
  return new Fault(`${name} was lost during a commit, which may have happened: ${messageOf(error)}`, {
    code: 'store.unavailable',
    blame: 'operator',
    fix: 'read again before doing it again',
    cause: error,
  });
}

export function standbyFault(name: string): Fault {
  return new Fault(`${name} is a standby: it cannot write, and reads may be old`, {
    code: 'store.unavailable',
    blame: 'operator',
    fix: 'connect to the primary',
  });
}

export function durabilityFault(name: string): Fault {
  return new Fault(`${name} runs with fsync off: what it acknowledges would not survive a power cut`, {
    code: 'store.open.durability',
    blame: 'operator',
    fix: 'set fsync = on in its configuration',
  });
}

export function schemaFault(name: string, what: string): Fault {
  return new Fault(`${name}: ${what}`, {
    code: 'store.open.version',
    blame: 'operator',
    fix: 'give another schema or database, or run the version that wrote it',
  });
}

/** Several addresses of one host fail as an AggregateError, whose own message is empty. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map((one) => messageOf(one)).join('; ');
  return error instanceof Error ? error.message : String(error);
}
