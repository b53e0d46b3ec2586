import { Fault } from '../../base/fault.ts';

type PatchProblem = 'malformed' | 'failed' | 'large';

const statuses: Readonly<Record<string, 400 | 413 | 422>> = {
  'apiserver.patch.malformed': 400,
  'apiserver.patch.failed': 422,
  'apiserver.patch.large': 413,
};

/** A patch that is none, that does not fit the object, or that asks for too much. */
export function patchFault(problem: PatchProblem, message: string): Fault {
  return new Fault(message, { code: `apiserver.patch.${problem}`, blame: 'caller' });
}

/** The HTTP status that belongs to a fault of a patch; undefined for every other fault. */
export function patchFaultStatus(fault: Fault): 400 | 413 | 422 | undefined {
  return statuses[fault.code];
}

export type Json = Record<string, unknown>;

export function isJsonObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets a member of that very name: plain assignment would take `__proto__` for the prototype. */
export function setMember(object: Json, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}
