import { dayMs, durationProblem, parseDuration, secondMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import type { CommandContext } from '../command.ts';
import { variable } from './environment.ts';
import { misuse } from './failure.ts';

/** One flag of a command, as data: what parses it, prints it in the help and tells its default. */
export interface Flag {
  name: string;
  kind: FlagKind;
  /** Other names for the same flag. */
  aliases?: readonly string[];
  /** The environment variable that stands in for it, without `VAULT_` or `BAO_`. */
  variable?: string;
  /** Its value where neither the command line nor the environment gives one, as one would type it. */
  default?: string;
  help: string;
  /** Understood, but not shown in the help. */
  hidden?: boolean;
}

/** `list` and `map` (of `key=value`) flags may be given several times. */
export type FlagKind = 'text' | 'switch' | 'whole' | 'duration' | 'list' | 'map';

/** The flags of one command line. Asking for a flag that the command does not have is a bug, and throws. */
export interface Flags {
  /** True where the flag stood on the command line itself. */
  given(name: string): boolean;
  text(name: string): string;
  on(name: string): boolean;
  whole(name: string): number;
  /** In milliseconds; negative for `system`. */
  durationMs(name: string): number;
  list(name: string): readonly string[];
  map(name: string): Readonly<Record<string, string>> | undefined;
}

type Held = string | boolean | number | readonly string[] | Record<string, string> | undefined;

/**
 * Reads flags the way Go's `flag` package does: one dash or two, `-name=value` or `-name value` (a switch takes a
 * value only after `=`), up to the first argument that is no flag, or `--`.
 *
 * @throws Failure with status 1
 */
export function parseFlags(
  known: readonly Flag[],
  args: readonly string[],
  env: CommandContext['env'],
): { flags: Flags; rest: readonly string[] } {
  const byName = new Map(
    known.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])].map((name) => [name, flag])),
  );
  const held = new Map<string, Held>(known.map((flag) => [flag.name, initial(flag, env)]));
  const given = new Set<string>();
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at]!;
    if (arg.length < 2 || !arg.startsWith('-')) break;
    if (arg === '--') {
      at++;
      break;
    }
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg);
    if (!match) throw misuse(`bad flag syntax: ${arg}`);
    const [, name, attached] = match;
    const flag = byName.get(name!);
    if (!flag) throw misuse(`flag provided but not defined: -${name}`);
    let value = attached;
    if (value === undefined) {
      if (flag.kind === 'switch') value = 'true';
      else if (at + 1 < args.length) value = args[++at];
      else throw misuse(`flag needs an argument: -${name}`);
    }
    const before = given.has(flag.name) || flag.kind === 'list' ? held.get(flag.name) : undefined;
    held.set(flag.name, taken(flag, name!, value!, before));
    given.add(flag.name);
  }
  return { flags: accessors(held, given), rest: args.slice(at) };
}

function initial(flag: Flag, env: CommandContext['env']): Held {
  const fromEnvironment = flag.variable === undefined ? undefined : variable(env, flag.variable);
  if (fromEnvironment !== undefined) {
    if (flag.kind === 'list') return fromEnvironment.split(',').map((part) => part.trim());
    try {
      return parsed(flag, fromEnvironment);
    } catch {
      // What cannot be read as the flag's kind counts as not set, as Vault has it.
    }
  }
  if (flag.default !== undefined) return parsed(flag, flag.default);
  return { text: '', switch: false, whole: 0, duration: 0, list: [], map: undefined }[flag.kind];
}

function taken(flag: Flag, name: string, value: string, before: Held): Held {
  if (flag.kind === 'list') return [...((before as readonly string[] | undefined) ?? []), value.trim()];
  try {
    const one = parsed(flag, value);
    return flag.kind === 'map' ? { ...(before as object | undefined), ...(one as object) } : one;
  } catch (error) {
    const what = flag.kind === 'switch' ? 'boolean value' : 'value';
    const where = flag.kind === 'switch' ? `for -${name}` : `for flag -${name}`;
    throw misuse(`invalid ${what} ${JSON.stringify(value)} ${where}: ${(error as Error).message}`);
  }
}

/** @throws Error with Go's own message for it */
function parsed({ kind }: Flag, value: string): Held {
  switch (kind) {
    case 'switch':
      return parseSwitch(value);
    case 'whole':
      return parseWhole(value);
    case 'duration':
      return parseFlagDuration(value);
    case 'map': {
      const at = value.indexOf('=');
      if (at < 0) throw new Error(`missing = in KV pair: ${JSON.stringify(value)}`);
      return { [value.slice(0, at)]: value.slice(at + 1) };
    }
    default:
      return value;
  }
}

/** @throws Error for anything but the spellings of true and false that Go knows */
export function parseSwitch(value: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
}

function parseWhole(value: string): number {
  if (!/^[+-]?\d+$/.test(value)) {
    throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  return Number(value);
}

/** Milliseconds of `90` (seconds), `30d`, `1h30m` or `system` (which reads as -1 s). */
export function parseFlagDuration(value: string): number {
  if (value === 'system') return -secondMs;
  if (value === '') return 0;
  if (/^[+-]?\d+$/.test(value)) return Number(value) * secondMs;
  if (value.endsWith('d')) return parseWhole(value.slice(0, -1)) * dayMs;
  try {
    return parseDuration(value);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Error(durationProblem(value), { cause: error });
  }
}

function accessors(held: ReadonlyMap<string, Held>, given: ReadonlySet<string>): Flags {
  const value = (name: string): Held => {
    if (!held.has(name)) throw new Error(`this command has no flag -${name}`);
    return held.get(name);
  };
  return {
    given: (name) => given.has(name),
    text: (name) => value(name) as string,
    on: (name) => value(name) as boolean,
    whole: (name) => value(name) as number,
    durationMs: (name) => value(name) as number,
    list: (name) => value(name) as readonly string[],
    map: (name) => value(name) as Record<string, string> | undefined,
  };
}
