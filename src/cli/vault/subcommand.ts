import type { Readable } from 'node:stream';
import type { CommandContext } from '../command.ts';
import type { VaultClient } from './client.ts';
import { misuse } from './failure.ts';
import type { Flag, Flags } from './flags.ts';
import type { Terminal } from './terminal.ts';

/** One command of the group, `secrets enable` say. */
export interface Subcommand {
  /** One line for the list of commands. */
  summary: string;
  /** What follows the command's name on its usage line. */
  usage: string;
  /** What the help says between the usage line and the flags. */
  about: string;
  /** Its own flags; those of the connection go without saying. */
  flags?: readonly Flag[];
  /** Which flags for the output it takes. */
  output?: readonly OutputFlag[];
  /** Whether it can print an answer as it came, with `-format=raw`. */
  allowsRaw?: boolean;
  /** Does it; answers the exit status where that is not 0. A Failure thrown ends it with a message. */
  run(call: Call): Promise<number | undefined>;
}

export type OutputFlag = 'field' | 'format' | 'detailed';

/** One use of a subcommand. */
export interface Call {
  flags: Flags;
  /** What stood behind the flags. */
  args: readonly string[];
  terminal: Terminal;
  context: CommandContext;
  /** Where `-` reads from: stdin, or nothing where the user forbade it. */
  input: { stdin: Readable; cwd: string };
  /** A client with the token that is in use. */
  connect(): Promise<VaultClient>;
  /** A client with no token but one that the environment gives. */
  connectWithoutToken(): Promise<VaultClient>;
}

export const outputFlags: Readonly<Record<OutputFlag, Flag>> = {
  field: {
    name: 'field',
    kind: 'text',
    help: 'Print only this field, and no line end where stdout is not a terminal.',
  },
  format: {
    name: 'format',
    kind: 'text',
    variable: 'FORMAT',
    default: 'table',
    help: 'How to print: table, json, yaml or pretty; for read also raw.',
  },
  detailed: {
    name: 'detailed',
    kind: 'switch',
    variable: 'DETAILED',
    help: 'Print what is known beside each key.',
  },
};

/** @throws Failure where there are fewer arguments than `least` or more than `most`, with Vault's own words for it */
export function expectArguments(
  { args }: Call,
  { least = 0, most = least, expected = String(least) }: { least?: number; most?: number; expected?: string },
): void {
  const got = `(expected ${expected}, got ${args.length})`;
  if (args.length < least) throw misuse(`Not enough arguments ${got}`);
  if (args.length > most) throw misuse(`Too many arguments ${got}`);
}

/** A path without slashes and blanks at its ends. */
export function barePath(path: string): string {
  return path.trim().replace(/^\/+|\/+$/g, '');
}

/** A path with one slash at its end, as mounts are named. */
export function mountPath(path: string): string {
  const trimmed = path.trim();
  return trimmed === '' || trimmed.endsWith('/') ? trimmed : `${trimmed}/`;
}
