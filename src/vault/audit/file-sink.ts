import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AuditSink } from './sink.ts';

interface Waiting {
  line: string;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Appends lines to a file, those that came while a write was under way together in the next one. A line that was cut
 * short, by a full disk say, is ended before the next, so that each line that was acknowledged stands alone.
 */
export function fileSink({ path, mode }: { path: string; mode: number | undefined }): AuditSink {
  return new FileSink(path, mode);
}

class FileSink implements AuditSink {
  readonly #path: string;
  readonly #mode: number | undefined;
  #file: FileHandle | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #torn = false;

  constructor(path: string, mode: number | undefined) {
    this.#path = path;
    this.#mode = mode;
  }

  write(line: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ line, resolve, reject });
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
    });
    return promise;
  }

  async reopen(): Promise<void> {
    await this.#running;
    const file = this.#file;
    this.#file = undefined;
    this.#torn = false;
    await file?.close();
  }

  close(): Promise<void> {
    return this.reopen();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#append(batch.map(({ line }) => line).join(''));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
  }

  async #append(text: string): Promise<void> {
    this.#file ??= await openLog(this.#path, this.#mode);
    let rest = Buffer.from(this.#torn ? `\n${text}` : text);
    while (rest.length > 0) {
      const { bytesWritten } = await this.#file.write(rest);
      if (bytesWritten > 0) this.#torn = rest[bytesWritten - 1] !== newline;
      rest = rest.subarray(bytesWritten);
    }
  }
}

const newline = 0x0a;

async function openLog(path: string, mode: number | undefined): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, 'a', mode ?? 0o600);
  try {
    if (!(await file.stat()).isFile()) throw new Error(`${path} is not a regular file`);
    if (mode !== undefined) await file.chmod(mode);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
