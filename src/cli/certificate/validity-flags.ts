import { durationProblem, parseDuration } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import { usageFault } from './flags.ts';

export interface ValidityFlags {
  'not-before'?: string | undefined;
  'not-after'?: string | undefined;
}

export interface Validity {
  /** Epoch milliseconds. */
  notBefore: number;
  notAfter: number;
}

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/**
 * The validity that `--not-before` and `--not-after` ask for: each an RFC 3339 time, or a duration from now. It
 * begins now and lasts `lifetimeMs` where they say nothing.
 *
 * @throws Fault `cli.usage`
 */
export function readValidity(
  flags: ValidityFlags,
  { now, lifetimeMs, command }: { now: number; lifetimeMs: number; command: string },
): Validity {
  const notBefore = readInstant(flags, 'not-before', now, command) ?? now;
  const notAfter = readInstant(flags, 'not-after', now, command) ?? notBefore + lifetimeMs;
  if (notBefore <= notAfter) return { notBefore, notAfter };
  throw usageFault(
    flags['not-before'] === undefined
      ? `invalid value '${flags['not-after']}' for flag '--not-after': certificate is already expired`
      : `flag '--not-before' with ${flags['not-before']} is later than the certificate's end`,
    command,
  );
}

function readInstant(
  flags: ValidityFlags,
  name: keyof ValidityFlags,
  now: number,
  command: string,
): number | undefined {
  const text = flags[name];
  if (text === undefined) return undefined;
  const time = rfc3339.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  try {
    return now + parseDuration(text);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw usageFault(`invalid value '${text}' for flag '--${name}': ${durationProblem(text)}`, command);
  }
}
