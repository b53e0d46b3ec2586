import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Fault } from '../../base/fault.ts';
import type { CommandContext } from '../command.ts';

export interface OutputFile {
  path: string;
  content: string | Uint8Array;
  /** Permissions; 0600 where absent. */
  mode?: number;
}

export interface OverwriteOptions {
  /** `--force`: what is there may be replaced. */
  force: boolean | undefined;
}

/**
 * Insists that nothing is at `paths` yet, unless forced: before the work, so that no key is made in vain.
 *
 * @throws Fault `cli.certificate.exists`
 */
export async function insistOnFree(
  paths: readonly string[],
  { force }: OverwriteOptions,
  { cwd }: CommandContext,
): Promise<void> {
  if (force) return;
  for (const path of paths) {
    const there = await stat(resolve(cwd, path)).then(
      () => true,
      () => false,
    );
    if (there) throw existsFault(path);
  }
}

/**
 * Writes a file whole or not at all. What is at its path already stays as it is unless forced, and even then until
 * the new content is on disk.
 *
 * @throws Fault `cli.certificate.exists`, `cli.certificate.write`
 */
export async function writeOutput(
  { path, content, mode = 0o600 }: OutputFile,
  { force }: OverwriteOptions,
  { cwd, entropy }: CommandContext,
): Promise<void> {
  const target = resolve(cwd, path);
  const written = force ? `${target}.${entropy.bytes(6).toString('hex')}` : target;
  try {
    const file = await open(written, 'wx', mode);
    try {
      await writeDurably(file, content);
      if (force) await rename(written, target);
    } catch (error) {
      await rm(written, { force: true });
      throw error;
    }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw existsFault(path);
    throw new Fault(`error writing ${path}: ${reasons[code ?? ''] ?? message}`, {
      code: 'cli.certificate.write',
      blame: 'caller',
      cause,
    });
  }
}

async function writeDurably(file: FileHandle, content: string | Uint8Array): Promise<void> {
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOSPC: 'the disk is full',
};

function existsFault(path: string): Fault {
  return new Fault(`${path} is there already`, {
    code: 'cli.certificate.exists',
    blame: 'caller',
    fix: 'name another file, or have it replaced with --force',
  });
}
