import { encodePem } from '../../x509/pem.ts';
import type { Command } from '../command.ts';
import { readArguments } from './flags.ts';
import { readInput } from './input.ts';
import { writeOutput } from './output-file.ts';

const help = `Prints the public key of a certificate or certificate request in PEM.

Usage: capstan certificate key FILE | - | ADDRESS [FLAGS]

FILE and ADDRESS are as for capstan certificate inspect; of several certificates it is the
key of the first. Private keys are never printed.

  --out FILE   write it there instead of to stdout (--output-file says the same)
  --force, -f  replace a file that is there already
  --roots ROOTS, --servername NAME, --insecure
               for a server, as for capstan certificate inspect
  --help

  capstan certificate key web.crt
  capstan certificate key web.csr --out web.pub

The status is 0, or 1 where there is no public key.
`;

const options = {
  out: { type: 'string' },
  'output-file': { type: 'string' },
  force: { type: 'boolean', short: 'f', default: false },
  roots: { type: 'string' },
  servername: { type: 'string' },
  insecure: { type: 'boolean', default: false },
} as const;

export const command: Command = {
  summary: 'print the public key of a certificate or request',
  help,
  async run(args, context) {
    const { values, positionals } = readArguments(args, options, {
      command: 'key',
      names: ['the certificate or request'],
    });
    const { roots, servername: serverName, insecure } = values;
    const document = await readInput(positionals[0], { roots, serverName, insecure }, context);
    const { spki } = document.kind === 'request' ? document.request : document.certificates[0];
    const content = encodePem('PUBLIC KEY', spki);
    const path = values.out ?? values['output-file'];
    if (path === undefined) {
      context.stdout.write(content);
      return 0;
    }
    await writeOutput({ path, content }, values, context);
    context.stderr.write(`The public key has been saved in ${path}.\n`);
    return 0;
  },
};
