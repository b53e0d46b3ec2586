import { paragraph } from './columns.ts';
import type { Flag } from './flags.ts';
import type { Subcommand } from './subcommand.ts';

/** The help of one command: how to call it, what it does, its flags and then those of the connection. */
export function commandHelp(name: string, { usage, about }: Subcommand, flags: readonly Flag[]): string {
  const shown = flags.filter(({ hidden }) => !hidden);
  return [
    `Usage: capstan vault ${name} ${usage}`.trimEnd(),
    ...about.split('\n\n').map((part) => (part.startsWith(' ') ? part : paragraph(part))),
    'Flags (one dash or two; before the arguments):',
    ...shown.map((flag) => `  ${spelling(flag)}\n${paragraph(explanation(flag), 6)}`),
    '',
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}

function spelling({ name, aliases = [], kind }: Flag): string {
  const value = {
    text: '=TEXT',
    whole: '=NUMBER',
    duration: '=DURATION',
    list: '=TEXT',
    map: '=KEY=VALUE',
    switch: '',
  };
  return [name, ...aliases].map((spelled) => `-${spelled}${value[kind]}`).join(', ');
}

function explanation({ help, variable, default: standard }: Flag): string {
  const notes = [
    ...(standard === undefined || standard === '-1' ? [] : [`Default: ${standard}.`]),
    ...(variable === undefined ? [] : [`Also VAULT_${variable}.`]),
  ];
  return [help, ...notes].join(' ');
}

/** The help of a family of commands. */
export function groupHelp(family: string, members: readonly (readonly [string, string])[]): string {
  const width = Math.max(...members.map(([name]) => name.length));
  return [
    `Usage: capstan vault ${family} COMMAND [options] [arguments]`,
    '',
    ...members.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    `capstan vault ${family} COMMAND -help tells more of one.`,
    '',
  ].join('\n');
}

/** The whole group's help, below the word that is none of its commands. */
export function listing(help: string, word: string | undefined): string {
  return word === undefined ? help : `capstan vault: there is no command ${JSON.stringify(word)}\n\n${help}`;
}
