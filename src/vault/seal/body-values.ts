import { invalidRequest } from '../faults.ts';
import type { RawFields } from '../routing/fields.ts';

/** A whole number in a body that is no engine's: not coerced, as Vault has it. @throws Fault `vault.request.invalid` */
export function whole(given: RawFields, name: string): number {
  const value = given[name] ?? 0;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw invalidRequest(`failed to parse JSON input: ${name} must be a whole number`);
}

/** @throws Fault `vault.request.invalid` */
export function switched(given: RawFields, name: string): boolean {
  const value = given[name] ?? false;
  if (typeof value === 'boolean') return value;
  throw invalidRequest(`failed to parse JSON input: ${name} must be true or false`);
}

/** Clients send what they were not asked for as zero, null or nothing. */
export function isSet(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}
