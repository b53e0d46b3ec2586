import { paragraph } from './columns.ts';
import { Failure } from './failure.ts';
import { readAll } from './key-values.ts';
import { askSecretly } from './prompt.ts';
import type { Call } from './subcommand.ts';

export interface KeyQuestion {
  prompt: string;
  /** For the sentence about what could not be asked for: `an unseal key`. */
  what: string;
  /** The command's own name. */
  doing: string;
}

/** The key that a command is given as its argument, on stdin (`-`), or typed unseen, and whether that was so. */
export async function readKey(
  { args, input, flags, context }: Call,
  { prompt, what, doing }: KeyQuestion,
): Promise<{ key: string; typed: boolean }> {
  const given = (args[0] ?? '').trim();
  if (given === '-') return { key: (await readAll(input.stdin)).trim(), typed: false };
  if (given !== '') return { key: given, typed: false };
  const typed = flags.on('non-interactive') ? undefined : await askSecretly(context, prompt);
  if (typed !== undefined) return { key: typed.trim(), typed: true };
  throw new Failure(
    1,
    paragraph(
      `An error occurred attempting to ask for ${what}. The raw error message is shown below, but usually this ` +
        `is because you attempted to pipe a value into the ${doing} command or you are executing outside of a terminal ` +
        `(tty). You should run the ${doing} command from a terminal for maximum security. If this is not an option, the ` +
        `${what.replace(/^an? /, '')} can be provided as the first argument to the ${doing} command. The raw error was:\n\nfile descriptor ` +
        '0 is not a terminal',
    ),
  );
}
