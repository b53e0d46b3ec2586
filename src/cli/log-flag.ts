import type { LogLevel } from '../base/log.ts';
import { usageFault } from './strict-flags.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];

/** The value of `--log-level`. @throws Fault `cli.usage` */
export function logLevel(command: string, value: string): LogLevel {
  const level = levels.find((known) => known === value);
  if (!level)
    throw usageFault(command, `--log-level takes ${levels.slice(0, -1).join(', ')} or ${levels.at(-1)}`);
  return level;
}
