import { describeError, Fault } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import * as coerce from './coerce.ts';
import { documentList } from './document-list.ts';

const readers = {
  text: coerce.text,
  boolean: coerce.boolean,
  integer: coerce.integer,
  duration: nonNegativeDuration,
  list: coerce.list,
  commaList: coerce.commaList,
  documentList,
  object: coerce.object,
  pairs: coerce.pairs,
} as const;

/** What a parameter is read as. */
export type FieldKind = keyof typeof readers;

export type FieldTable = Readonly<Record<string, FieldKind>>;

type FieldType<K extends FieldKind> = ReturnType<(typeof readers)[K]>;

/** The parameters of one request, each readable as what its route says it is. */
export type FieldValues<T extends FieldTable> = {
  /** Undefined where the request does not give it, or gives null. */
  readonly [Name in keyof T]?: FieldType<T[Name]>;
};

/** Parameters as they arrived; without a prototype, so that no name means anything but itself. */
export type RawFields = Readonly<Record<string, unknown>>;

/** @throws Fault `vault.request.invalid` in Vault's words, naming the field. */
export function readFields<T extends FieldTable>(table: T, raw: RawFields): FieldValues<T> {
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(raw)) {
    if (!Object.hasOwn(table, name) || value === null) continue;
    try {
      values[name] = readers[table[name]!](value);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      throw invalidRequest(
        `Field validation failed: error converting input for field ${JSON.stringify(name)}: ${describeError(error)}`,
        error,
      );
    }
  }
  return values as FieldValues<T>;
}

/** Whole seconds, as Vault keeps them. */
function nonNegativeDuration(value: unknown): number {
  const ms = Math.trunc(coerce.durationMs(value) / 1_000) * 1_000;
  if (ms >= 0) return ms;
  throw invalidRequest(`cannot provide negative value '${ms / 1_000}'`);
}
