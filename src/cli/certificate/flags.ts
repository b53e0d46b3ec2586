import { type ParseArgsConfig, parseArgs } from 'node:util';
import { Fault } from '../../base/fault.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Flags and positional arguments of `capstan certificate COMMAND`.
 *
 * @throws Fault `cli.usage` for an unknown flag, a missing value or too many arguments.
 */
export function readFlags<const T extends Options>(args: readonly string[], options: T, command: string) {
  const { values, positionals } = parse(args, options, command);
  const [input, ...surplus] = positionals;
  if (surplus.length > 0)
    throw usageFault(`one file or address at a time, not also ${surplus.join(' ')}`, command);
  return { values, input };
}

/**
 * Flags and the positional arguments that `names` names, all of which must be there but the last `optional` ones.
 *
 * @throws Fault `cli.usage` for an unknown flag, a missing value or another number of arguments.
 */
export function readArguments<const T extends Options>(
  args: readonly string[],
  options: T,
  { command, names, optional = 0 }: { command: string; names: readonly string[]; optional?: number },
) {
  const { values, positionals } = parse(args, options, command);
  const missing = names[positionals.length];
  if (positionals.length < names.length - optional) throw usageFault(`${missing} is missing`, command);
  const surplus = positionals.slice(names.length);
  if (surplus.length > 0) throw usageFault(`too many arguments: ${surplus.join(' ')}`, command);
  return { values, positionals };
}

function parse<const T extends Options>(args: readonly string[], options: T, command: string) {
  try {
    return parseArgs({
      args: joinNegatives(args, options),
      options,
      strict: true,
      allowPositionals: true,
    });
  } catch (error) {
    // What follows the first sentence is advice on positional arguments that nobody here needs.
    throw usageFault((error as Error).message.split('. ')[0]!, command);
  }
}

/** `--not-before -1m` as `--not-before=-1m`: what looks like a flag there is a negative duration or number. */
function joinNegatives(args: readonly string[], options: Options): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const flag = joined.at(-1) ?? '';
    const takesValue = flag.startsWith('--') && options[flag.slice(2)]?.type === 'string';
    if (takesValue && /^-[\d.]/.test(arg)) joined[joined.length - 1] = `${flag}=${arg}`;
    else joined.push(arg);
  }
  return joined;
}

/** `command` is the one under `capstan certificate`, or empty for the group itself. */
export function usageFault(message: string, command: string): Fault {
  return new Fault(message, {
    code: 'cli.usage',
    blame: 'caller',
    fix: `see capstan certificate ${command ? `${command} ` : ''}--help`,
  });
}
