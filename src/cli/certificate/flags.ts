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

function parse<const T extends Options>(args: readonly string[], options: T, command: string) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (error) {
    // What follows the first sentence is advice on positional arguments that nobody here needs.
    throw usageFault((error as Error).message.split('. ')[0]!, command);
  }
}

/** `command` is the one under `capstan certificate`, or empty for the group itself. */
export function usageFault(message: string, command: string): Fault {
  return new Fault(message, {
    code: 'cli.usage',
    blame: 'caller',
    fix: `see capstan certificate ${command ? `${command} ` : ''}--help`,
  });
}
