import type { Command } from '../command.ts';
import { usageFault } from './flags.ts';

const subcommands: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  inspect: () => import('./inspect.ts'),
  fingerprint: () => import('./fingerprint.ts'),
  verify: () => import('./verify.ts'),
  'needs-renewal': () => import('./needs-renewal.ts'),
  format: () => import('./format.ts'),
  key: () => import('./public-key.ts'),
  bundle: () => import('./bundle.ts'),
  p12: () => import('./p12.ts'),
  lint: () => import('./lint.ts'),
  create: () => import('./create.ts'),
  sign: () => import('./sign.ts'),
};

const help = `Works with certificates and certificate requests: in files, on stdin, or served.

Usage: capstan certificate COMMAND [ARGUMENTS]

  inspect         print a certificate or request in words, as JSON or as PEM
  fingerprint     print the fingerprint of a certificate or request
  verify          say whether a certificate chains to a trusted root
  lint            hold a certificate against the rules for certificates
  needs-renewal   say by the exit status whether a certificate is due for renewal
  format          turn PEM into DER and DER into PEM
  key             print the public key of a certificate or request
  create          create a certificate or request with its key
  sign            sign a certificate request
  bundle          put a certificate and its issuer's into one file
  p12             pack certificates and a key as PKCS #12

The commands take the arguments that step certificate takes and print what it prints.
capstan certificate COMMAND --help tells more of one.
`;

export const command: Command = {
  summary: 'create, inspect, verify and convert certificates',
  help,
  async run(args, context) {
    const [name, ...rest] = args;
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      const topic = name === 'help' ? rest[0] : undefined;
      const load = topic === undefined ? undefined : find(topic);
      context.stdout.write(load ? (await load()).command.help : help);
      return 0;
    }
    const load = find(name);
    if (!load) throw usageFault(`capstan certificate has no command ${JSON.stringify(name)}`, '');
    const { command: subcommand } = await load();
    if (rest.includes('--help') || rest.includes('-h')) {
      context.stdout.write(subcommand.help);
      return 0;
    }
    return await subcommand.run(rest, context);
  },
};

function find(name: string) {
  return Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
}
