import { Readable, Writable } from 'node:stream';
import type { Clock } from '../../src/base/clock.ts';
import { systemEntropy } from '../../src/base/entropy.ts';
import { run } from '../../src/cli/main.ts';

export interface InProcessOptions {
  cwd: string;
  clock: Clock;
  stdin?: string | Buffer;
  isTTY?: boolean;
}

export interface Ended {
  status: number;
  stdout: Buffer;
  stderr: string;
}

/** Runs one command line of the program inside this process, at the time that `clock` tells. */
export async function runAt(
  args: readonly string[],
  { cwd, clock, stdin = '', isTTY = false }: InProcessOptions,
): Promise<Ended> {
  const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const sink = (name: 'stdout' | 'stderr') =>
    new Writable({
      write(chunk: Buffer, _, done) {
        output[name].push(chunk);
        done();
      },
    });
  const status = await run(args, {
    stdin: Object.assign(Readable.from(stdin.length > 0 ? [stdin] : []), { isTTY }),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: {},
    program: ['capstan'],
    cwd,
    clock,
    entropy: systemEntropy,
    signal: new AbortController().signal,
  });
  return { status, stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr).toString() };
}
