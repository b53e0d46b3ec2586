import { durationProblem, parseDuration, secondMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';

/**
 * Vault takes parameters as loosely as its command line sends them: `"true"` for true, `"10"` for 10, `"48h"` or
 * `3600` for a time, `"a,b"` for a list. These say how (github.com/mitchellh/mapstructure, WeakDecode, and
 * go-secure-stdlib/parseutil). Each throws Fault `vault.field` for what does not fit.
 */
function misfit(value: unknown, wanted: string): Fault {
  return new Fault(`expected ${wanted}, got ${shown(value)}`, {
    code: 'vault.field',
    blame: 'caller',
  });
}

/** What holds other values is not repeated: errors are told where secrets are not, and one may be inside. */
function shown(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return Array.isArray(value) ? 'a list' : 'a map';
}

export function text(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (Array.isArray(value) && value.length === 0) return '';
  throw misfit(value, 'a string');
}

const truths = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falsehoods = new Set(['', '0', 'f', 'F', 'false', 'FALSE', 'False']);

export function boolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (value === null || falsehoods.has(value as string)) return false;
  if (truths.has(value as string)) return true;
  throw misfit(value, 'a boolean');
}

export function integer(value: unknown): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value === null || value === '') return 0;
  const number = typeof value === 'number' ? value : typeof value === 'string' ? parseInteger(value) : NaN;
  if (Number.isSafeInteger(number)) return number;
  throw misfit(value, 'an integer');
}

function parseInteger(value: string): number {
  return /^[+-]?(\d+|0x[0-9a-fA-F]+)$/.test(value) ? Number(value) : NaN;
}

/** What Go can count in nanoseconds: 292 years. */
const longestMs = 2 ** 63 / 1e6;

/** Milliseconds of a number of seconds, or of a duration such as `48h`; at most 292 years. */
export function durationMs(value: unknown): number {
  if (value === null || value === '') return 0;
  if (typeof value === 'number' && Number.isFinite(value)) return countable(value * secondMs);
  if (typeof value !== 'string') throw misfit(value, 'a duration');
  if (/^[+-]?\d+$/.test(value)) return countable(Number(value) * secondMs);
  let ms: number;
  try {
    ms = parseDuration(value.trim());
  } catch (error) {
    throw new Fault(durationProblem(value), { code: 'vault.field', blame: 'caller', cause: error });
  }
  if (Math.abs(ms) < longestMs) return ms;
  throw new Fault(`time: invalid duration ${JSON.stringify(value)}`, {
    code: 'vault.field',
    blame: 'caller',
  });
}

function countable(ms: number): number {
  if (Math.abs(ms) < longestMs) return ms;
  throw new Fault('multiplication of durations resulted in overflow, one operand may be too large', {
    code: 'vault.field',
    blame: 'caller',
  });
}

/** A list whose commas stay where they are. */
export function list(value: unknown): string[] {
  if (value === null || value === '') return [];
  return (Array.isArray(value) ? value : [value]).map((element) => text(element).trim());
}

/** A list that one text may hold, its elements parted by commas. */
export function commaList(value: unknown): string[] {
  if (Array.isArray(value)) return list(value);
  return text(value) === ''
    ? []
    : text(value)
        .split(',')
        .map((element) => element.trim())
        .filter((element) => element !== '');
}

export function object(value: unknown): Record<string, unknown> {
  if (value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  throw misfit(value, 'a map');
}

/** `{ "a": "b" }`, or `["a=b"]`. */
export function pairs(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || Array.isArray(value)) {
    return Object.fromEntries(
      list(value).map((pair) => {
        const [, key, rest] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
        if (key === undefined) throw misfit([pair], 'pairs like key=value');
        return [key, rest!];
      }),
    );
  }
  return Object.fromEntries(Object.entries(object(value)).map(([key, element]) => [key, text(element)]));
}

/** Milliseconds since the epoch of an RFC 3339 time, or of a number of seconds. */
export function instantMs(value: unknown): number {
  const written = text(value);
  if (/^\d+$/.test(written)) return Number(written) * secondMs;
  const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(written);
  const ms = rfc3339 ? Date.parse(written.toUpperCase()) : NaN;
  if (Number.isFinite(ms)) return ms;
  throw misfit(value, 'a time like 2027-01-31T12:00:00Z');
}
