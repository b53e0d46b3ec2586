import { certificatePem } from '../../x509/certificate.ts';
import { printCertificateJson, printRequestJson } from '../../x509/print-json.ts';
import { printCertificateShort, printRequestShort } from '../../x509/print-short.ts';
import { type Layout, printCertificate, printRequest } from '../../x509/print-text.ts';
import { requestPem } from '../../x509/request.ts';
import type { Command } from '../command.ts';
import type { Document } from './document.ts';
import { readFlags, usageFault } from './flags.ts';
import { readInput } from './input.ts';

const help = `Prints a certificate or a certificate request in words, as JSON or as PEM.

Usage: capstan certificate inspect [FILE | - | ADDRESS] [FLAGS]

FILE is PEM or DER; - or nothing is stdin. ADDRESS is https://, tls:// or tcp:// (port
443 unless it says otherwise), smtps:// (465) or ldaps:// (636). Of several certificates
the first is printed. Those in files are not verified: use capstan certificate verify
before you rely on what one says.

  --bundle           print every certificate, in order
  --short            a few lines of what matters most
  --format FORMAT    text (the default), json or pem
  --layout LAYOUT    of text: current (the default), or classic, as step printed it until
                     August 2025 and linkerd identity prints it
  --roots ROOTS      verify a server against these roots instead of the machine's: a file,
                     several with commas between, or a directory
  --servername NAME  ask a server for NAME, and look for it in the certificate
  --insecure         print what a server presents even where it does not verify
  --help

  capstan certificate inspect issuer.crt
  vault write -field=certificate pki/root/generate/internal common_name=root.example \\
    | capstan certificate inspect -
  capstan certificate inspect https://127.0.0.1:6443 --insecure --short
  capstan certificate inspect chain.pem --bundle --format json

The status is 0, or 1 where there is nothing to print.
`;

const options = {
  bundle: { type: 'boolean', default: false },
  short: { type: 'boolean', default: false },
  format: { type: 'string', default: 'text' },
  layout: { type: 'string', default: 'current' },
  roots: { type: 'string' },
  servername: { type: 'string' },
  insecure: { type: 'boolean', default: false },
} as const;

type Format = 'text' | 'short' | 'json' | 'pem';

export const command: Command = {
  summary: 'print a certificate or request',
  help,
  async run(args, context) {
    const { values, input } = readFlags(args, options, 'inspect');
    const format = readFormat(values.format, values.short);
    const layout = readLayout(values.layout);
    const { roots, insecure, servername: serverName } = values;
    const document = await readInput(input, { roots, serverName, insecure }, context);
    context.stdout.write(print(document, format, layout, values.bundle));
    return 0;
  },
};

function readFormat(format: string, short: boolean): Format {
  if (format !== 'text' && format !== 'json' && format !== 'pem') {
    throw usageFault(`invalid value '${format}' for flag '--format'; options are text, json, pem`, 'inspect');
  }
  if (!short) return format;
  if (format === 'text') return 'short';
  throw usageFault(`flag '--short' is incompatible with '--format ${format}'`, 'inspect');
}

function readLayout(layout: string): Layout {
  if (layout === 'current' || layout === 'classic') return layout;
  throw usageFault(`invalid value '${layout}' for flag '--layout'; options are current, classic`, 'inspect');
}

function print(document: Document, format: Format, layout: Layout, bundle: boolean): string {
  if (document.kind === 'request') {
    const printers = {
      text: printRequest,
      short: printRequestShort,
      json: printRequestJson,
      pem: requestPem,
    };
    return printers[format](document.request);
  }
  const certificates = bundle ? document.certificates : document.certificates.slice(0, 1);
  switch (format) {
    case 'json':
      return printCertificateJson(certificates);
    case 'pem':
      return certificates.map(certificatePem).join('');
    case 'short':
      return certificates.map(printCertificateShort).join('');
    default:
      return certificates.map((certificate) => printCertificate(certificate, { layout })).join('');
  }
}
