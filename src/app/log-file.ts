import { appendFileSync, existsSync, renameSync, statSync } from 'node:fs';

/** A log takes at most twice this: one file that grows, one before it. */
const limitBytes = 8 * 2 ** 20;

/**
 * Appends lines to a file that its owner alone can read. When it has grown to its limit it becomes `path.1`, in place
 * of the one before. A disk that is full or gone loses lines, never the program.
 */
export function logFile(path: string, limit = limitBytes): (line: string) => void {
  let bytes = existsSync(path) ? statSync(path).size : 0;
  return (line) => {
    try {
      if (bytes >= limit) {
        renameSync(path, `${path}.1`);
        bytes = 0;
      }
      appendFileSync(path, `${line}\n`, { mode: 0o600 });
      bytes += Buffer.byteLength(line) + 1;
    } catch {
      // Said above: the lines are lost, and there is nobody left to tell.
    }
  };
}
