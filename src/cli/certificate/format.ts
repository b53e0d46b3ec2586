import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { certificatePem } from '../../x509/certificate.ts';
import { requestPem } from '../../x509/request.ts';
import type { Command, CommandContext } from '../command.ts';
import { type Document, readDocument } from './document.ts';
import { readFlags } from './flags.ts';
import { readInputBytes } from './input.ts';
import { writeOutput } from './output-file.ts';

const help = `Turns a certificate or certificate request from PEM into DER, and from DER into PEM.

Usage: capstan certificate format [FILE | -] [FLAGS]

- or nothing is stdin. Of several certificates in PEM the first becomes DER.

  --out FILE   write it there instead of to stdout, with the permissions of the file that
               was read, or 0600
  --force, -f  replace a file that is there already
  --help

  capstan certificate format web.crt --out web.der
  capstan certificate format < web.der

The status is 0, or 1 where there is nothing to convert.
`;

const options = {
  out: { type: 'string' },
  force: { type: 'boolean', short: 'f', default: false },
} as const;

export const command: Command = {
  summary: 'turn PEM into DER and DER into PEM',
  help,
  async run(args, context) {
    const { values, input } = readFlags(args, options, 'format');
    const { bytes, from } = await readInputBytes(input, context);
    const document = readDocument(bytes, from);
    const content = bytes.includes('-----BEGIN ') ? derOf(document) : pemOf(document);
    if (values.out === undefined) {
      context.stdout.write(content);
      return 0;
    }
    const mode = await modeOf(input, context);
    await writeOutput({ path: values.out, content, mode }, values, context);
    context.stderr.write(`Your certificate has been saved in ${values.out}\n`);
    return 0;
  },
};

function derOf(document: Document): Buffer {
  return document.kind === 'request' ? document.request.der : document.certificates[0].der;
}

function pemOf(document: Document): string {
  return document.kind === 'request'
    ? requestPem(document.request)
    : certificatePem(document.certificates[0]);
}

async function modeOf(input: string | undefined, { cwd }: CommandContext): Promise<number> {
  if (input === undefined || input === '-') return 0o600;
  return (await stat(resolve(cwd, input))).mode & 0o777;
}
