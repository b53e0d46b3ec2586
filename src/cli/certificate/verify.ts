import { Fault } from '../../base/fault.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { verifyChain } from '../../x509/verify.ts';
import type { Command, CommandContext } from '../command.ts';
import { readDocument } from './document.ts';
import { readBytes } from './file.ts';
import { readFlags, usageFault } from './flags.ts';
import { certificatesOf, readInput } from './input.ts';
import { checkCrl, checkOcsp, type Looked } from './revocation.ts';
import { readRoots } from './roots.ts';
import { verifyMessage } from './verdict.ts';

const help = `Says whether a certificate chains to a trusted root: signatures, dates, CA flags, key
usages, path lengths and, where asked for, the host name (RFC 5280 section 6) and that
its CA has not revoked it.

Usage: capstan certificate verify FILE | - | ADDRESS [FLAGS]

The first certificate of FILE is verified, the others may stand between it and a root.
FILE and ADDRESS are as for capstan certificate inspect.

  --host NAME        the certificate must be for NAME, a DNS name or an IP address
  --roots ROOTS      trust these roots instead of the machine's: a file, several with
                     commas between, or a directory
  --servername NAME  ask a server for NAME, and look for it in the certificate
  --verify-crl       look for the certificate on its CA's revocation list, ...
  --crl-endpoint URL ... at URL instead of where the certificate says
  --verify-ocsp      ask its CA's OCSP responder, ...
  --ocsp-endpoint URL
                     ... at URL instead of where the certificate says
  --issuing-ca FILE  the certificate of that CA, where it is not the next one in the chain
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
  'verify-crl': { type: 'boolean', default: false },
  'crl-endpoint': { type: 'string' },
  'verify-ocsp': { type: 'boolean', default: false },
  'ocsp-endpoint': { type: 'string' },
  'issuing-ca': { type: 'string' },
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
    const told = ['certificate validated against roots'];
    if (host !== undefined) told.push('certificate host name validated');
    if (values['verify-crl'] || values['verify-ocsp']) {
      const looked: Looked = {
        certificate: leaf,
        issuer: await issuerOf(verdict.chain, values['issuing-ca'], context),
        access: { roots: rootsPath, insecure: false },
        context,
        onSilence: (message) => {
          if (values.verbose) context.stdout.write(`${message}\n`);
        },
      };
      if (values['verify-crl'])
        told.push(`certificate not revoked in CRL ${await checkCrl(looked, values['crl-endpoint'])}`);
      if (values['verify-ocsp']) {
        const responder = await checkOcsp(looked, values['ocsp-endpoint']);
        told.push(`certificate status is good according OCSP ${responder}`);
      }
    }
    if (values.verbose) context.stdout.write([...told, 'certificate is valid', ''].join('\n'));
    return 0;
  },
};

/** Who has signed the leaf: the certificate of `--issuing-ca`, else the next in the chain. */
async function issuerOf(
  [leaf, next = leaf]: readonly Certificate[],
  path: string | undefined,
  { cwd }: CommandContext,
): Promise<Certificate> {
  if (path === undefined) return next!;
  const [issuer] = certificatesOf(readDocument(await readBytes(path, cwd), path), path);
  return issuer;
}
