import { Fault } from '../../base/fault.ts';
import { verifyChain } from '../../x509/verify.ts';
import type { Command } from '../command.ts';
import { readFlags, usageFault } from './flags.ts';
import { certificatesOf, readInput } from './input.ts';
import { readRoots } from './roots.ts';
import { verifyMessage } from './verdict.ts';

const help = `Says whether a certificate chains to a trusted root: signatures, dates, CA flags, key
usages, path lengths and, where asked for, the host name (RFC 5280 section 6).

Usage: capstan certificate verify FILE | - | ADDRESS [FLAGS]

The first certificate of FILE is verified, the others may stand between it and a root.
FILE and ADDRESS are as for capstan certificate inspect.

  --host NAME        the certificate must be for NAME, a DNS name or an IP address
  --roots ROOTS      trust these roots instead of the machine's: a file, several with
                     commas between, or a directory
  --servername NAME  ask a server for NAME, and look for it in the certificate
  --verbose, -v      say so where it is valid
  --help

  capstan certificate verify issuer.crt --roots root.crt
  capstan certificate verify https://127.0.0.1:6443 --roots cluster-ca.crt --verbose

The status is 0 for a valid certificate, with nothing printed; else 1, with the reason on
stderr.
`;

const options = {
  host: { type: 'string' },
  roots: { type: 'string' },
  servername: { type: 'string' },
  verbose: { type: 'boolean', short: 'v', default: false },
} as const;

export const command: Command = {
  summary: 'verify a certificate',
  help,
  async run(args, context) {
    const { values, input } = readFlags(args, options, 'verify');
    if (input === undefined) throw usageFault('name the certificate to verify', 'verify');
    const { host, roots: rootsPath, servername: serverName } = values;
    const document = await readInput(input, { roots: rootsPath, serverName }, context);
    const [leaf, ...intermediates] = certificatesOf(document, input);
    const roots = await readRoots(rootsPath, context.cwd);
    const dnsName = host === undefined ? {} : { dnsName: host };
    const verdict = verifyChain(leaf, { roots, intermediates, at: context.clock.now(), ...dnsName });
    if (!verdict.valid) {
      throw new Fault(`failed to verify certificate: ${verifyMessage(verdict)}`, {
        code: verdict.code,
        blame: 'caller',
      });
    }
    if (values.verbose) {
      context.stdout.write('certificate validated against roots\n');
      if (host !== undefined) context.stdout.write('certificate host name validated\n');
      context.stdout.write('certificate is valid\n');
    }
    return 0;
  },
};
