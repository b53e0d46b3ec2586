import { Fault } from '../../base/fault.ts';
import type { CommandContext } from '../command.ts';

type Input = CommandContext['stdin'];

function hidesTyping(stdin: Input): stdin is Input & { setRawMode(raw: boolean): void } {
  return stdin.isTTY === true && 'setRawMode' in stdin;
}

const enter = /[\r\n]/;
const interrupt = '\u0003';
const endOfInput = '\u0004';
const erase = new Set(['\u0008', '\u007f']);

/**
 * Asks on stderr and reads one line without showing it; undefined where stdin is no terminal.
 *
 * @throws Fault `cli.interrupted` for Ctrl-C, and where the program is told to stop
 */
export async function askSecretly(
  { stdin, stderr, signal }: CommandContext,
  question: string,
): Promise<string | undefined> {
  // Before the question, so that nothing typed in answer to it is shown.
  if (hidesTyping(stdin)) stdin.setRawMode(true);
  stderr.write(question);
  const stop = () => stdin.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return hidesTyping(stdin) ? await readLine(stdin) : undefined;
  } catch (error) {
    throw signal.aborted ? interrupted() : error;
  } finally {
    signal.removeEventListener('abort', stop);
    if (hidesTyping(stdin)) stdin.setRawMode(false);
    stderr.write('\n');
  }
}

async function readLine(stdin: Input): Promise<string> {
  let line = '';
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    for (const character of chunk.toString()) {
      if (character === interrupt) throw interrupted();
      if (enter.test(character) || character === endOfInput) return line;
      line = erase.has(character) ? line.slice(0, -1) : line + character;
    }
  }
  return line;
}

function interrupted(): Fault {
  return new Fault('user interrupted', { code: 'cli.interrupted', blame: 'caller' });
}
