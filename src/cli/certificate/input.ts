import { Fault } from '../../base/fault.ts';
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
  if (input === undefined || input === '-') return readDocument(await readStdin(input, context), 'stdin');
  return readDocument(await readBytes(input, context.cwd), input);
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
