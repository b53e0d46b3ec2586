import { Fault } from '../../base/fault.ts';
import type { CommandContext } from '../command.ts';

interface RawInput {
  setRawMode?(raw: boolean): void;
}

const enter = /[\r\n]/;
const interrupt = '\u0003';
const endOfInput = '\u0004';
const erase = new Set(['\u0008', '\u007f']);

/**
 * Asks on stderr and reads one line without showing it; undefined where stdin is no terminal.
 *
 * @throws Fault `cli.interrupted` for Ctrl-C
 */
export async function askSecretly(
  { stdin, stderr }: CommandContext,
  question: string,
): Promise<string | undefined> {
  const terminal = stdin as typeof stdin & RawInput;
  stderr.write(question);
  if (!stdin.isTTY || !terminal.setRawMode) {
    stderr.write('\n');
    return undefined;
  }
  terminal.setRawMode(true);
  let line = '';
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
      for (const character of chunk.toString()) {
        if (character === interrupt) {
          throw new Fault('user interrupted', { code: 'cli.interrupted', blame: 'caller' });
        }
        if (enter.test(character) || character === endOfInput) return line;
        line = erase.has(character) ? line.slice(0, -1) : line + character;
      }
    }
    return line;
  } finally {
    terminal.setRawMode(false);
    stderr.write('\n');
  }
}
