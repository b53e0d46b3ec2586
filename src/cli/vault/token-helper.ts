import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandContext } from '../command.ts';
import { variable } from './environment.ts';
import { Failure } from './failure.ts';

/** Keeps the token of the last login in `~/.vault-token`, where Vault's own command line keeps it too. */
export interface TokenHelper {
  /** Empty where none is kept. */
  read(): Promise<string>;
  store(token: string): Promise<void>;
}

/** @throws Failure where there is no home folder to keep it in */
export function tokenHelper({ env }: CommandContext): TokenHelper {
  const path = variable(env, 'TOKEN_PATH') || join(homeFolder(env), '.vault-token');
  return {
    async read() {
      try {
        return (await readFile(path, 'utf8')).trim();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
        throw new Failure(2, `failed to get token from token helper: ${(error as Error).message}`);
      }
    },
    async store(token) {
      // Written beside and renamed: never half a token, and never in a file that someone else may read.
      const beside = `${path}.tmp`;
      await rm(beside, { force: true });
      const file = await open(beside, 'wx', 0o600);
      try {
        await file.writeFile(token);
        await file.close();
        await rename(beside, path);
      } catch (error) {
        await file.close().catch(() => {});
        await rm(beside, { force: true });
        throw error;
      }
    },
  };
}

function homeFolder(env: CommandContext['env']): string {
  const home = env.HOME ?? env.USERPROFILE;
  if (home) return home;
  throw new Failure(2, 'failed to get token helper: could not expand home directory: HOME is not set');
}
