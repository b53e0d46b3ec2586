import { Fault } from '../base/fault.ts';

/** A request that the authority's rules turn down; `authority.KIND`. */
export function refused(kind: string, message: string, cause?: unknown): Fault {
  return new Fault(message, { code: `authority.${kind}`, blame: 'caller', cause });
}
