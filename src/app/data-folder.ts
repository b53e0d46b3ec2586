import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePrivateFolder } from './private-folder.ts';

/** Where a run keeps its things. */
export interface DataFolder {
  /** What survives the run; undefined where it lives in memory only. */
  path: string | undefined;
  /** Credentials for this run alone (projected tokens), in memory-backed storage where the machine has it. */
  run: string;
  kubeconfig: string;
  /** Removes what belonged to this run alone. */
  close(): void;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The folder for state between runs when the user names none: XDG Base Directory, `$XDG_STATE_HOME/capstan`. */
export function defaultDataFolder(env: Env): string {
  return join(env.XDG_STATE_HOME || join(env.HOME || tmpdir(), '.local', 'state'), 'capstan');
}

/**
 * Makes the folders, readable by their owner alone.
 *
 * @throws Fault `app.folder.unwritable`
 */
export function openDataFolder(path: string | undefined, env: Env): DataFolder {
  if (path !== undefined)
    makePrivateFolder(path, 'choose another with --data DIR, or use --dev to keep everything in memory');
  const run = mkdtempSync(join(runParent(env), 'capstan-'));
  return {
    path,
    run,
    kubeconfig: join(path ?? run, 'kubeconfig'),
    close: () => rmSync(run, { recursive: true, force: true }),
  };
}

/** Tokens belong in memory, not on a disk: the first of these that can be written. */
function runParent(env: Env): string {
  const candidates = [env.XDG_RUNTIME_DIR, '/dev/shm'].filter((path) => path !== undefined && path !== '');
  return candidates.find((path) => isWritable(path!)) ?? tmpdir();
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
