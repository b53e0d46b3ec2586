import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every call by which a process hands bytes to the kernel: files, sockets, pipes, terminals. */
const calls = 'write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg';

/** Whether strace is here and may trace. */
export function canTrace(): boolean {
  return spawnSync('strace', ['-o', '/dev/null', '-e', 'trace=write', 'true']).status === 0;
}

/** What to put before a command so that it and all it starts are recorded into files in `folder`. */
export function recordingInto(folder: string): string[] {
  const flags = ['-f', '-ff', '-qq', '-xx', '-s', '8388608', '-e', `trace=${calls}`, '-e', 'signal=none'];
  return ['strace', ...flags, '-o', join(folder, 'trace')];
}

/** What was recorded: per thread and file descriptor, all it wrote, in order. */
export function writtenBytes(folder: string): Buffer[] {
  return readdirSync(folder).flatMap((name) => {
    const streams = new Map<string, Buffer[]>();
    for (const line of readFileSync(join(folder, name), 'latin1').split('\n')) {
      const descriptor = /^\w+\((\d+)/.exec(line)?.[1];
      if (descriptor === undefined) continue;
      const pieces = streams.get(descriptor) ?? [];
      streams.set(descriptor, pieces);
      for (const [, escaped] of line.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)) {
        pieces.push(Buffer.from(escaped!.replaceAll('\\x', ''), 'hex'));
      }
    }
    return [...streams.values()].map((pieces) => Buffer.concat(pieces));
  });
}
