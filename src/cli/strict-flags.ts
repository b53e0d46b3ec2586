import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { Fault } from '../base/fault.ts';

/**
 * The flags of `command`, which takes nothing else.
 *
 * @throws Fault `cli.usage` in one line for what it does not know
 */
export function strictFlags<const T extends ParseArgsOptionsConfig>(
  command: string,
  args: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    // Node's message goes on with advice about forms that are of no use here.
    const [message] = (error as Error).message.split(/\.(?:\s|$)/, 1);
    throw usageFault(command, message!);
  }
}

export function usageFault(command: string, message: string): Fault {
  return new Fault(message, { code: 'cli.usage', blame: 'caller', fix: `see capstan ${command} --help` });
}
