import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';

/** Everything a command may touch of the world; nothing is read from `process` further in. */
export interface CommandContext {
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean };
  env: Readonly<Record<string, string | undefined>>;
  /** How to start this program again as a process of its own: the executable and its first arguments. */
  program: readonly [string, ...string[]];
  /** Folder that relative paths start from. */
  cwd: string;
  clock: Clock;
  entropy: Entropy;
  /** Aborts when the user asks to stop (Ctrl-C, SIGTERM). Long-running commands end cleanly on it. */
  signal: AbortSignal;
  /** Runs `act` whenever the user asks to read files anew (SIGHUP), until the answer is called. Absent where nobody can. */
  onHangup?: (act: () => void) => () => void;
}

/** One command, or a group of them (`capstan vault ...`) that looks at its first argument. */
export interface Command {
  /** One line for the list of commands. */
  summary: string;
  /** What `--help` prints: hand-written, whole, ending in a newline. */
  help: string;
  /** Does it; answers the exit status. A Fault thrown becomes one line on stderr and status 1. */
  run(args: readonly string[], context: CommandContext): Promise<number>;
}
