import { type Certificate, certificatePem, isSignedBy } from '../../x509/certificate.ts';
import type { Command, CommandContext } from '../command.ts';
import { readDocument } from './document.ts';
import { readBytes } from './file.ts';
import { readArguments } from './flags.ts';
import { certificatesOf } from './input.ts';
import { writeOutput } from './output-file.ts';

const help = `Puts a certificate and the certificate of its issuer into one file, in that order.

Usage: capstan certificate bundle CERTIFICATE ISSUER BUNDLE [FLAGS]

CERTIFICATE and ISSUER are files in PEM or DER, of which the first certificate counts.
BUNDLE is written in PEM, with permissions 0600.

  --force, -f  replace a bundle that is there already
  --help

  capstan certificate bundle web.crt intermediate.crt web-bundle.crt

The status is 0, or 1 where the bundle was not written. A word of warning tells where the
issuer has not signed the certificate.
`;

const options = { force: { type: 'boolean', short: 'f', default: false } } as const;

export const command: Command = {
  summary: 'put a certificate and its issuer into one file',
  help,
  async run(args, context) {
    const { values, positionals } = readArguments(args, options, {
      command: 'bundle',
      names: ['the certificate', 'the certificate of its issuer', 'the file to write'],
    });
    const [certificatePath, issuerPath, path] = positionals as [string, string, string];
    const certificate = await firstCertificate(certificatePath, context);
    const issuer = await firstCertificate(issuerPath, context);
    const content = [certificate, issuer].map(certificatePem).join('');
    await writeOutput({ path, content }, values, context);
    if (!isSignedBy(certificate, issuer)) {
      context.stderr.write(`WARNING! ${certificatePath} is not signed by ${issuerPath}.\n`);
    }
    context.stderr.write(`Your certificate has been saved in ${path}.\n`);
    return 0;
  },
};

async function firstCertificate(path: string, { cwd }: CommandContext): Promise<Certificate> {
  return certificatesOf(readDocument(await readBytes(path, cwd), path), path)[0];
}
