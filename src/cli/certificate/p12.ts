import { Fault } from '../../base/fault.ts';
import { samePublicKey } from '../../x509/key.ts';
import type { Command, CommandContext } from '../command.ts';
import { readDocument } from './document.ts';
import { readBytes } from './file.ts';
import { readArguments, usageFault } from './flags.ts';
import { certificatesOf } from './input.ts';
import { insistOnFree, writeOutput } from './output-file.ts';
import { writePkcs12 } from './pkcs12.ts';
import { obtainPassword, readPrivateKeyFile } from './private-key.ts';

const help = `Packs certificates and a private key into a PKCS #12 file (.p12, .pfx).

Usage: capstan certificate p12 P12 [CERTIFICATE KEY] [FLAGS]

P12 is written with permissions 0600. CERTIFICATE is a file with the key's certificate,
with those between it and its root behind it; KEY one with its private key. Both are left
out for a file of --ca certificates alone.

  --ca FILE             put the certificates in FILE in as well; as often as needed
  --password-file FILE  the password of P12; at a terminal you are asked for it
  --key-password-file FILE
                        the password of KEY
  --force, -f           replace a file that is there already
  --help

  capstan certificate p12 web.p12 web.crt web.key --ca root.crt --password-file p12.pass

Everything is encrypted with AES-256 (PBES2) and authenticated with HMAC-SHA-256.

The status is 0, or 1 where nothing was written.
`;

const options = {
  ca: { type: 'string', multiple: true, default: [] as string[] },
  'password-file': { type: 'string' },
  'key-password-file': { type: 'string' },
  force: { type: 'boolean', short: 'f', default: false },
} as const;

export const command: Command = {
  summary: 'pack certificates and a key as PKCS #12',
  help,
  async run(args, context) {
    const { values, positionals } = readArguments(args, options, {
      command: 'p12',
      names: ['the file to write', 'the certificate', 'the private key'],
      optional: 2,
    });
    const [path, certificatePath, keyPath] = positionals as [string, string | undefined, string | undefined];
    if (certificatePath !== undefined && keyPath === undefined) {
      throw usageFault('the private key is missing', 'p12');
    }
    if (certificatePath === undefined && values.ca.length === 0) {
      throw usageFault('name a certificate and its key, or --ca', 'p12');
    }
    await insistOnFree([path], values, context);
    const files = [...(certificatePath === undefined ? [] : [certificatePath]), ...values.ca];
    const certificates = (await Promise.all(files.map((file) => readAll(file, context)))).flat();
    const key =
      keyPath === undefined
        ? undefined
        : await readPrivateKeyFile(keyPath, values['key-password-file'], context);
    if (key && !samePublicKey(key.publicKey, certificates[0]!.publicKey)) {
      throw new Fault(`${keyPath} is not the private key of ${certificatePath}`, {
        code: 'cli.certificate.key',
        blame: 'caller',
      });
    }
    const password = await obtainPassword(
      {
        file: values['password-file'],
        question: 'Please enter a password to encrypt the .p12 file',
        fix: 'name a file with one (--password-file)',
      },
      context,
    );
    const content = await writePkcs12({ certificates, key }, password, context.entropy);
    await writeOutput({ path, content }, values, context);
    context.stderr.write(`Your .p12 bundle has been saved as ${path}.\n`);
    return 0;
  },
};

async function readAll(path: string, { cwd }: CommandContext) {
  return certificatesOf(readDocument(await readBytes(path, cwd), path), path);
}
