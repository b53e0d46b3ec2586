import { createCipheriv, createPrivateKey, type KeyObject, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { tags, writeDer } from '../../x509/der.ts';
import { type PrivateKey, readPrivateKey, writePrivateKey } from '../../x509/key.ts';
import { encodePem } from '../../x509/pem.ts';
import type { CommandContext } from '../command.ts';
import { askSecretly } from '../vault/prompt.ts';
import { readBytes } from './file.ts';

/** The password in a file, without the space at its end. @throws Fault `cli.certificate.password` for an empty one. */
export async function readPasswordFile(path: string, cwd: string): Promise<string> {
  const password = (await readBytes(path, cwd)).toString('utf8').trimEnd();
  if (password === '') throw passwordFault(`${path} holds no password`);
  return password;
}

/** Where a password comes from: a file, else whoever sits at the terminal. */
export interface PasswordSource {
  file: string | undefined;
  /** What to ask at the terminal. */
  question: string;
  /** What to do where there is neither. */
  fix: string;
}

/** @throws Fault `cli.certificate.password` where there is none */
export async function obtainPassword(
  { file, question, fix }: PasswordSource,
  context: CommandContext,
): Promise<string> {
  if (file !== undefined) return await readPasswordFile(file, context.cwd);
  const password = context.stdin.isTTY ? await askSecretly(context, `${question}: `) : undefined;
  if (password) return password;
  const reason =
    password === undefined ? 'stdin is no terminal to ask for a password on' : 'the password is empty';
  throw passwordFault(reason, fix);
}

/**
 * The private key in a file, decrypted where it has to be: PKCS#8, SEC 1 or PKCS#1, PEM or DER, and the encrypted
 * forms of PEM.
 *
 * @throws Fault `cli.certificate.password`, `cli.certificate.file`, `x509.key.*`
 */
export async function readPrivateKeyFile(
  path: string,
  passwordFile: string | undefined,
  context: CommandContext,
): Promise<PrivateKey> {
  const bytes = await readBytes(path, context.cwd);
  const text = bytes.toString('utf8');
  try {
    if (!text.includes('-----BEGIN ')) return readPrivateKey(bytes);
    if (!/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4, *ENCRYPTED/m.test(text))
      return readPrivateKey(text);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(`error parsing ${path}: ${error.message}`, { code: error.code, blame: error.blame });
  }
  const password = await obtainPassword(
    {
      file: passwordFile,
      question: `Please enter the password to decrypt ${path}`,
      fix: `name a file with the password of ${path}`,
    },
    context,
  );
  return readPrivateKey(decrypt(text, password, path).export({ format: 'der', type: 'pkcs8' }));
}

function decrypt(pem: string, passphrase: string, path: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: 'pem', passphrase });
  } catch {
    // Without its cause: OpenSSL's words are of no help here and must not carry bytes of the key along.
    throw passwordFault(`error decrypting ${path}: the password is wrong, or the key is damaged`);
  }
}

const pbes2 = '1.2.840.113549.1.5.13';
const pbkdf2Oid = '1.2.840.113549.1.5.12';
const hmacWithSha256 = '1.2.840.113549.2.9';
const aes256Cbc = '2.16.840.1.101.3.4.1.42';

/** What OWASP asks of PBKDF2 with HMAC-SHA-256 (2023), and step does. Node's own export takes 2,048. */
const iterations = 600_000;

const derive = promisify(pbkdf2);

/** PEM of a private key: traditional where there is no password, else PKCS#8 under PBES2 (RFC 5958, RFC 8018). */
export async function privateKeyPem(
  key: PrivateKey,
  password: string | undefined,
  entropy: Entropy,
): Promise<string> {
  if (password === undefined) return writePrivateKey(key, 'traditional');
  const salt = entropy.bytes(16);
  const iv = entropy.bytes(16);
  const cipher = createCipheriv('aes-256-cbc', await derive(password, salt, iterations, 32, 'sha256'), iv);
  const clear = key.key.export({ format: 'der', type: 'pkcs8' });
  const encrypted = Buffer.concat([cipher.update(clear), cipher.final()]);
  clear.fill(0);
  const der = writeDer((writer) =>
    writer.sequence(() => {
      writer.sequence(() => {
        writer.oid(pbes2).sequence(() => {
          writer.sequence(() => {
            writer.oid(pbkdf2Oid).sequence(() => {
              writer.octetString(salt).smallInteger(iterations);
              writer.sequence(() => writer.oid(hmacWithSha256).null());
            });
          });
          writer.sequence(() => writer.oid(aes256Cbc).primitive(tags.octetString, iv));
        });
      });
      writer.octetString(encrypted);
    }),
  );
  return encodePem('ENCRYPTED PRIVATE KEY', der);
}

function passwordFault(message: string, fix?: string): Fault {
  return new Fault(message, {
    code: 'cli.certificate.password',
    blame: 'caller',
    ...(fix === undefined ? {} : { fix }),
  });
}
