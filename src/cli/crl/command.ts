import { Fault } from '../../base/fault.ts';
import type { Command } from '../command.ts';

const help = `Works with certificate revocation lists (CRLs).

Usage: capstan crl COMMAND [ARGUMENTS]

  inspect  print a revocation list in words, as JSON or as PEM, and say whether it is valid

capstan crl COMMAND --help tells more of one.
`;

export const command: Command = {
  summary: 'inspect certificate revocation lists',
  help,
  async run(args, context) {
    const [name, ...rest] = args;
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      context.stdout.write(rest[0] === 'inspect' ? (await loadInspect()).help : help);
      return 0;
    }
    if (name !== 'inspect') {
      throw new Fault(`capstan crl has no command ${JSON.stringify(name)}`, {
        code: 'cli.usage',
        blame: 'caller',
        fix: 'see capstan crl --help',
      });
    }
    const inspect = await loadInspect();
    if (!rest.includes('--help') && !rest.includes('-h')) return await inspect.run(rest, context);
    context.stdout.write(inspect.help);
    return 0;
  },
};

async function loadInspect(): Promise<Command> {
  return (await import('./inspect.ts')).command;
}
