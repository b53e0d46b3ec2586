import { Fault } from '../../base/fault.ts';

/** One file of an archive. */
export interface TarFile {
  name: string;
  body: Buffer;
}

const blockBytes = 512;
/** Our own files have a few MiB. */
const fileLimitBytes = 64 * 1_024 * 1_024;
const skipBytes = 64 * 1_024;

/** A file as it stands in an archive of the format ustar (POSIX.1-1988, section 10.1.1). */
export function tarFile({ name, body }: TarFile, mtimeMs: number): Buffer {
  const head = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number) =>
    head.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  head.write(name, 0, 'utf8');
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(body.length, 124, 12);
  octal(Math.floor(mtimeMs / 1_000), 136, 12);
  head.write('0', 156, 'latin1');
  head.write('ustar\x0000', 257, 'latin1');
  octal(checksum(head), 148, 7);
  head.write(' ', 155, 'latin1');
  return Buffer.concat([head, body, Buffer.alloc(padding(body.length))]);
}

/** What closes an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * blockBytes);
}

/**
 * The files of an archive; those that are not `wanted` without their content.
 *
 * @throws Fault `vault.snapshot` where it is no archive, or ends early
 */
export async function* readTar(
  chunks: AsyncIterable<Buffer>,
  wanted: (name: string) => boolean = () => true,
): AsyncGenerator<TarFile> {
  const bytes = new ByteQueue(chunks);
  for (;;) {
    const head = await bytes.take(blockBytes);
    if (head.every((octet) => octet === 0)) break;
    if (number(head, 148, 8) !== checksum(head)) throw notAnArchive('a header is damaged');
    const size = number(head, 124, 12);
    const name = head.toString('utf8', 0, 100).replace(/\0.*$/s, '');
    const taken = wanted(name) ? size : 0;
    if (!(taken <= fileLimitBytes)) throw notAnArchive(`a file of ${size} bytes is none of ours`);
    const body = await bytes.take(taken);
    await bytes.skip(size - taken + padding(size));
    yield { name, body };
  }
  await bytes.skipRest();
}

function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

/** The sum of a header's octets, its own field counted as blanks. */
function checksum(head: Buffer): number {
  let sum = 8 * 0x20;
  for (const [at, octet] of head.entries()) if (at < 148 || at >= 156) sum += octet;
  return sum;
}

function number(head: Buffer, at: number, length: number): number {
  return Number.parseInt(head.toString('latin1', at, at + length).replace(/[\0 ]+$/, ''), 8);
}

/** Chunks of any size, taken as so many bytes at a time. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    while (this.#heldBytes < count) {
      const next = await this.#chunks.next();
      if (next.done) throw notAnArchive('it ends early');
      this.#held.push(next.value);
      this.#heldBytes += next.value.length;
    }
    const all = Buffer.concat(this.#held);
    this.#held = [all.subarray(count)];
    this.#heldBytes -= count;
    return all.subarray(0, count);
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const step = Math.min(left, skipBytes);
      await this.take(step);
      left -= step;
    }
  }

  async skipRest(): Promise<void> {
    while (!(await this.#chunks.next()).done);
  }
}

export function notAnArchive(why: string, cause?: unknown): Fault {
  return new Fault(`this is no whole snapshot: ${why}`, { code: 'vault.snapshot', blame: 'caller', cause });
}
