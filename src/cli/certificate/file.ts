import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Fault } from '../../base/fault.ts';

/** No file of certificates comes near it; a device or a wrong file might. */
export const mostBytes = 16 * 2 ** 20;

/** The bytes of a file. @throws Fault `cli.certificate.file` naming it and what is in the way. */
export async function readBytes(path: string, cwd: string): Promise<Buffer> {
  try {
    const bytes = await readFile(resolve(cwd, path));
    if (bytes.length <= mostBytes) return bytes;
  } catch (cause) {
    throw fileFault(path, cause as NodeJS.ErrnoException);
  }
  throw tooLarge(path);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

export function fileFault(path: string, cause: NodeJS.ErrnoException): Fault {
  const reason = reasons[cause.code ?? ''] ?? cause.message;
  return new Fault(`error reading ${path}: ${reason}`, {
    code: 'cli.certificate.file',
    blame: 'caller',
    cause,
  });
}

export function tooLarge(from: string): Fault {
  return new Fault(`${from} holds more than ${mostBytes} bytes, which no certificates do`, {
    code: 'cli.certificate.size',
    blame: 'caller',
  });
}
