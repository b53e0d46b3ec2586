import type { CommandContext } from '../command.ts';
import { variable } from './environment.ts';

export const formats = ['table', 'json', 'yaml', 'yml', 'pretty', 'raw'] as const;

export type Format = (typeof formats)[number];

/** Where a command's words go: results to stdout, everything about them to stderr. */
export interface Terminal {
  readonly format: Format;
  /** Whether lists show what the server tells beside each key. */
  readonly detailed: boolean;
  line(text: string): void;
  /** One value alone: with a line end for a person, without one for a pipe or a shell's `$(...)`. */
  bare(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

const red = 91;
const yellow = 93;

export function terminal(
  { stdout, stderr, env }: CommandContext,
  { format, detailed }: { format: Format; detailed: boolean },
): Terminal {
  const person = stdout.isTTY === true && env.TERM !== 'dumb' && !env.NO_COLOR;
  const colour = person && format === 'table' && !variable(env, 'CLI_NO_COLOR');
  const paint = (text: string, code: number) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    format,
    detailed,
    line: (text) => void stdout.write(`${text}\n`),
    bare: (text) => void stdout.write(person ? `${text}\n` : text),
    warn: (text) => void stderr.write(`${paint(text, yellow)}\n`),
    error: (text) => void stderr.write(`${paint(text, red)}\n`),
  };
}
