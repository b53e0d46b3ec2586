import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { writeDer } from '../../x509/der.ts';
import { type PrivateKey, readPrivateKey, writePrivateKey } from '../../x509/key.ts';
import { encodePem } from '../../x509/pem.ts';
import type { CommandContext } from '../command.ts';
import { askSecretly } from '../vault/prompt.ts';
import { readBytes } from './file.ts';
import { encryptPbes2 } from './pbes2.ts';

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

/** PEM of a private key: traditional where there is no password, else PKCS#8 under PBES2 (RFC 5958, RFC 8018). */
export async function privateKeyPem(
  key: PrivateKey,
  password: string | undefined,
  entropy: Entropy,
): Promise<string> {
  if (password === undefined) return writePrivateKey(key, 'traditional');
  return encodePem('ENCRYPTED PRIVATE KEY', await encryptedPrivateKey(key, password, entropy));
}

/** EncryptedPrivateKeyInfo (RFC 5958 section 3), DER. */
export async function encryptedPrivateKey(
  key: PrivateKey,
  password: string,
  entropy: Entropy,
): Promise<Buffer> {
  const clear = key.key.export({ format: 'der', type: 'pkcs8' });
  const { algorithm, content } = await encryptPbes2(clear, password, entropy);
  clear.fill(0);
  return writeDer((writer) => writer.sequence(() => writer.raw(algorithm).octetString(content)));
}

function passwordFault(message: string, fix?: string): Fault {
  return new Fault(message, {
    code: 'cli.certificate.password',
    blame: 'caller',
    ...(fix === undefined ? {} : { fix }),
  });
}
