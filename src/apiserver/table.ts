import type { ApiObject } from './api-object.ts';
import { ageColumn, builtinColumns, type Cell, type ColumnSource, nameColumn } from './builtin-columns.ts';
import { ageSince } from './human-duration.ts';
import { compileJsonPath } from './json-path.ts';
import type { PrinterColumn, ResourceType, ServedVersion } from './resource-type.ts';

/** What of each object a Table's rows carry besides their cells. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableRow {
  cells: Cell[];
  object?: unknown;
}

const compiled = new WeakMap<ServedVersion, readonly ColumnSource[]>();

/** The columns of a kind: its own, its CRD's, or name and age. */
export function columnsOf(type: ResourceType, version: ServedVersion): readonly ColumnSource[] {
  if (!type.custom) return builtinColumns(type.group, type.plural);
  let columns = compiled.get(version);
  if (!columns) {
    const own = version.columns ?? [];
    columns = [nameColumn, ...(own.length === 0 ? [ageColumn] : own.map(customColumn))];
    compiled.set(version, columns);
  }
  return columns;
}

function customColumn({ name, type, format, description, priority, jsonPath }: PrinterColumn): ColumnSource {
  const path = compileJsonPath(jsonPath);
  return {
    name,
    type,
    format: format ?? '',
    description: description ?? '',
    priority: priority ?? 0,
    cell: (object, nowMs) => {
      const found = path?.(object) ?? [];
      return found.length === 0 ? null : customCell(type, found[0], nowMs);
    },
  };
}

/** As apiextensions' table convertor prints a JSONPath's first result; null is an empty cell. */
function customCell(type: string, value: unknown, nowMs: number): Cell {
  if (value === null || value === undefined) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? ageSince(value, nowMs) : null;
    default:
      return printed(value);
  }
}

function printed(value: {}): string {
  return typeof value === 'object' ? JSON.stringify(value) : `${value as string | number | boolean}`;
}

export function columnDefinitions(columns: readonly ColumnSource[]): unknown[] {
  return columns.map(({ cell: _cell, ...definition }) => definition);
}

export function tableRow(
  columns: readonly ColumnSource[],
  object: ApiObject,
  { nowMs, include, metaVersion }: { nowMs: number; include: IncludeObject; metaVersion: string },
): TableRow {
  const cells = columns.map((column) => column.cell(object, nowMs));
  if (include === 'None') return { cells };
  return { cells, object: include === 'Object' ? object : partialMetadata(object, metaVersion) };
}

/** The object without all but its metadata. */
export function partialMetadata({ metadata }: ApiObject, metaVersion: string): unknown {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${metaVersion}`, metadata };
}

export function table(
  columns: readonly ColumnSource[] | undefined,
  rows: readonly TableRow[],
  metadata: Record<string, unknown>,
  metaVersion: string,
): unknown {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${metaVersion}`,
    metadata,
    columnDefinitions: columns ? columnDefinitions(columns) : null,
    rows,
  };
}
