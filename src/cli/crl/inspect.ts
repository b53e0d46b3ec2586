import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { Fault } from '../../base/fault.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { crlPem } from '../../x509/crl.ts';
import { findExtension, readCrlDistributionPoints } from '../../x509/extension.ts';
import { oids } from '../../x509/oid.ts';
import { readDocument } from '../certificate/document.ts';
import { readBytes } from '../certificate/file.ts';
import { certificatesOf, readInput } from '../certificate/input.ts';
import type { Command, CommandContext } from '../command.ts';
import { judgeCrl } from './judge.ts';
import { printCrl } from './print.ts';
import { printCrlJson } from './print-json.ts';
import { crlFault, isUrl, readList } from './source.ts';

const help = `Prints a certificate revocation list in words, as JSON or as PEM, and says whether it is
valid: signed by its CA, whose certificate has not expired, and not past its next update.

Usage: capstan crl inspect [FILE | - | URL] [FLAGS]

FILE is PEM or DER; - or nothing is stdin. URL is http:// or https://, where the list is
fetched from.

  --ca FILE        the certificates of the CA to verify the list with
  --from           take a certificate (FILE) or the certificates of a server (https://...),
                   and the list from its distribution point; those behind the first one
                   verify it, beside --ca
  --insecure       print a list even where nothing is there to verify it with, and a server's
                   that does not verify itself
  --roots ROOTS    verify a server against these roots instead of the machine's: a file,
                   several with commas between, or a directory
  --format FORMAT  text (the default), json or pem
  --help

  capstan crl inspect --ca root.crt http://127.0.0.1:8200/v1/pki/crl
  capstan crl inspect --from issuer.crt --ca root.crt
  capstan crl inspect --insecure --format json < root.crl

The status is 0, of a list that is not valid too ("Valid: false"), or 1 where there is
none to print.
`;

const options = {
  ca: { type: 'string' },
  from: { type: 'boolean', default: false },
  insecure: { type: 'boolean', default: false },
  roots: { type: 'string', multiple: true, default: [] as string[] },
  format: { type: 'string', default: 'text' },
} as const;

export const command: Command = {
  summary: 'print a revocation list',
  help,
  async run(args, context) {
    const { flags, input } = readFlags(args, options);
    if (!['text', 'json', 'pem'].includes(flags.format)) {
      throw usageFault(`invalid value '${flags.format}' for flag '--format'; options are text, json, pem`);
    }
    const insistOnProof = () => {
      throw usageFault("nothing is there to verify the list with; name --ca, or use '--insecure'");
    };
    if (!flags.from && flags.ca === undefined && !flags.insecure) insistOnProof();
    const roots = flags.roots.length > 0 ? flags.roots.join(',') : undefined;
    const access = { roots, insecure: flags.insecure };
    const authorities = flags.ca === undefined ? [] : await readCertificatesOf(flags.ca, context);
    let source = input;
    if (flags.from) {
      if (input === undefined) throw usageFault('name the certificate or server that --from is to look at');
      const [certificate, ...above] = certificatesOf(await readInput(input, access, context), input);
      authorities.push(...above);
      if (authorities.length === 0 && !flags.insecure) insistOnProof();
      source = distributionPoint(certificate, input);
    }
    const list = await readList(source, access, context);
    const verdict = judgeCrl(list, authorities, context.clock.now());
    const print = { text: printCrl, json: printCrlJson, pem: () => crlPem(list.der) };
    context.stdout.write(print[flags.format as keyof typeof print](list, verdict));
    return 0;
  },
};

function readFlags<const T extends ParseArgsOptionsConfig>(args: readonly string[], config: T) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: config,
      strict: true,
      allowPositionals: true,
    });
    const [input, ...surplus] = positionals;
    if (surplus.length === 0) return { flags: values, input };
    throw usageFault(`one file or address at a time, not also ${surplus.join(' ')}`);
  } catch (error) {
    if (error instanceof Fault) throw error;
    // What follows the first sentence is advice on positional arguments that nobody here needs.
    throw usageFault((error as Error).message.split('. ')[0]!);
  }
}

async function readCertificatesOf(path: string, { cwd }: CommandContext): Promise<Certificate[]> {
  return [...certificatesOf(readDocument(await readBytes(path, cwd), path), path)];
}

function distributionPoint({ extensions }: Certificate, from: string): string {
  const extension = findExtension(extensions, oids.crlDistributionPoints);
  const urls = extension ? readCrlDistributionPoints(extension.value) : [];
  const url = urls.find(isUrl);
  if (url !== undefined) return url;
  throw crlFault('distribution-point', `failed to get CRL distribution points from ${from}`);
}

function usageFault(message: string): Fault {
  return new Fault(message, { code: 'cli.usage', blame: 'caller', fix: 'see capstan crl inspect --help' });
}
