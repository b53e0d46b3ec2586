import { createHash } from 'node:crypto';
import type { Command } from '../command.ts';
import type { Document } from './document.ts';
import { readFlags, usageFault } from './flags.ts';
import { readInput } from './input.ts';

const help = `Prints the SHA-256 fingerprint of a certificate or a certificate request.

Usage: capstan certificate fingerprint [FILE | - | ADDRESS] [FLAGS]

FILE and ADDRESS are as for capstan certificate inspect.

  --bundle           one line for every certificate, numbered from 0
  --format FORMAT    hex (the default), base64, base64-url, base64-raw or base64-url-raw
                     (raw: without padding)
  --sha1             of SHA-1 instead; only with --insecure, since it proves little
  --roots ROOTS      verify a server against these roots instead of the machine's: a file,
                     several with commas between, or a directory
  --servername NAME  ask a server for NAME, and look for it in the certificate
  --insecure         take what a server presents even where it does not verify
  --help

  capstan certificate fingerprint root.crt
  capstan certificate fingerprint --bundle https://127.0.0.1:6443 --insecure

The status is 0, or 1 where there is nothing to print.
`;

const options = {
  bundle: { type: 'boolean', default: false },
  format: { type: 'string', default: 'hex' },
  sha1: { type: 'boolean', default: false },
  roots: { type: 'string' },
  servername: { type: 'string' },
  insecure: { type: 'boolean', default: false },
} as const;

const unpadded = (text: string) => text.replace(/=+$/, '');
const urlSafe = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_');

/** Ways to write a digest, by step's names for them. */
const formats: Readonly<Record<string, (digest: Buffer) => string>> = {
  hex: (digest) => digest.toString('hex'),
  base64: (digest) => digest.toString('base64'),
  'base64-url': (digest) => urlSafe(digest.toString('base64')),
  base64url: (digest) => urlSafe(digest.toString('base64')),
  'base64-raw': (digest) => unpadded(digest.toString('base64')),
  base64raw: (digest) => unpadded(digest.toString('base64')),
  'base64-url-raw': (digest) => digest.toString('base64url'),
  'base64url-raw': (digest) => digest.toString('base64url'),
  base64urlraw: (digest) => digest.toString('base64url'),
};

export const command: Command = {
  summary: 'print the fingerprint of a certificate',
  help,
  async run(args, context) {
    const { values, input } = readFlags(args, options, 'fingerprint');
    if (values.sha1 && !values.insecure) {
      throw usageFault("flag '--sha1' requires the '--insecure' flag", 'fingerprint');
    }
    const name = values.format.trim().toLowerCase();
    const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
    if (!format) throw usageFault(`'${values.format}' is not a valid fingerprint format`, 'fingerprint');
    const { roots, insecure, servername: serverName } = values;
    const document = await readInput(input, { roots, serverName, insecure }, context);
    const prints = encodings(document, values.bundle).map((der) =>
      format(
        createHash(values.sha1 ? 'sha1' : 'sha256')
          .update(der)
          .digest(),
      ),
    );
    for (const [index, print] of prints.entries()) {
      context.stdout.write(values.bundle ? `${index}: ${print}\n` : `${print}\n`);
    }
    return 0;
  },
};

function encodings(document: Document, bundle: boolean): Buffer[] {
  if (document.kind === 'request') return [document.request.der];
  const certificates = bundle ? document.certificates : document.certificates.slice(0, 1);
  return certificates.map(({ der }) => der);
}
