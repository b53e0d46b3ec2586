import { isDeepStrictEqual } from 'node:util';
import type { Grant } from './policy.ts';

/** Whether a request's parameters satisfy a grant's `required_`, `denied_` and `allowed_parameters`. */
export function parametersAllow(grant: Grant, data: Readonly<Record<string, unknown>>): boolean {
  const given = Object.entries(data).map(([name, value]) => [name.toLowerCase(), value] as const);
  // Required ones are looked for as policies are read, in lower case, and so must they come.
  if (!grant.requiredParameters.every((name) => Object.hasOwn(data, name))) return false;
  if (given.length === 0) return true;
  const { deniedParameters: denied, allowedParameters: allowed } = grant;
  if (denied?.has('*')) return false;
  if (denied && given.some(([name, value]) => denied.has(name) && isAmong(value, denied.get(name)!)))
    return false;
  if (!allowed || allowed.size === 0) return true;
  const others = allowed.has('*');
  return given.every(([name, value]) => {
    const values = allowed.get(name);
    return values ? isAmong(value, values) : others;
  });
}

/** An empty list holds every value. */
function isAmong(value: unknown, values: readonly unknown[]): boolean {
  return values.length === 0 || values.some((candidate) => matches(candidate, value));
}

/** Texts may begin or end in `*` for anything. */
function matches(candidate: unknown, value: unknown): boolean {
  if (typeof candidate !== 'string' || typeof value !== 'string') return isDeepStrictEqual(candidate, value);
  if (candidate.length < 2) return candidate === value;
  const open = candidate.startsWith('*');
  const close = candidate.endsWith('*');
  const inner = candidate.slice(open ? 1 : 0, close ? -1 : undefined);
  if (open && close) return value.includes(inner);
  if (open) return value.endsWith(inner);
  return close ? value.startsWith(inner) : value === candidate;
}
