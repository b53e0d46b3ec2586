import { Fault } from '../../base/fault.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { CommandContext } from '../command.ts';
import { type Document, readDocument } from './document.ts';
import { mostBytes, readBytes, tooLarge } from './file.ts';
import { parseServerAddress, type ServerOptions, servedCertificates } from './server.ts';

/**
 * The document that `input` names: a file, `-` or nothing for stdin, or an address such as
 * https://web.example.com.
 *
 * @throws Fault `cli.certificate.*`
 */
export async function readInput(
  input: string | undefined,
  options: Omit<ServerOptions, 'at' | 'cwd' | 'signal'>,
  context: CommandContext,
): Promise<Document> {
  const address = input === undefined ? undefined : parseServerAddress(input);
  if (address) {
    const { cwd, signal } = context;
    const certificates = await servedCertificates(address, {
      ...options,
      at: context.clock.now(),
      cwd,
      signal,
    });
    return { kind: 'certificates', certificates };
  }
  const { bytes, from } = await readInputBytes(input, context);
  return readDocument(bytes, from);
}

/** The bytes of the file that `input` names, or of stdin for `-` or nothing; and what to call it in a message. */
export async function readInputBytes(
  input: string | undefined,
  context: CommandContext,
): Promise<{ bytes: Buffer; from: string }> {
  if (input !== undefined && input !== '-') {
    return { bytes: await readBytes(input, context.cwd), from: input };
  }
  return { bytes: await readStdin(input, context), from: 'stdin' };
}

/** The certificates of a document. @throws Fault `cli.certificate.request` where it is a request. */
export function certificatesOf(document: Document, from: string): readonly [Certificate, ...Certificate[]] {
  if (document.kind === 'certificates') return document.certificates;
  throw new Fault(`${from} holds a certificate request, which nobody has signed yet`, {
    code: 'cli.certificate.request',
    blame: 'caller',
  });
}

async function readStdin(input: string | undefined, { stdin }: CommandContext): Promise<Buffer> {
  if (input === undefined && stdin.isTTY) {
    throw new Fault('no file is named, and nothing is piped in', {
      code: 'cli.usage',
      blame: 'caller',
      fix: 'name a file, an address, or - to type it in',
    });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > mostBytes) throw tooLarge('stdin');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
