import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './capstan.ts';

/** Debian's SoftHSM: a PKCS#11 library whose tokens are files. */
export const softHsmLibrary = '/usr/lib/softhsm/libsofthsm2.so';

/** Whether it is installed; `what` is said not to be tested where not. */
export function softHsmThere(what: string): boolean {
  const there = existsSync(softHsmLibrary) && spawnSync('softhsm2-util', ['--version']).status === 0;
  if (!there) process.stderr.write(`softhsm2 is not installed: ${what} is not tested here\n`);
  return there;
}

/** No other text looks like it. */
export const tokenPin = 'sesame-of-the-tests';

export interface SoftToken {
  /** A folder with the tokens in `tokens/`. */
  path: string;
  /** In which the library finds them. */
  env: { SOFTHSM2_CONF: string };
  remove: () => void;
}

/** A folder with a token labelled `capstan`. */
export function softToken(): SoftToken {
  const { path, remove } = temporaryFolder();
  mkdirSync(join(path, 'tokens'));
  const env = { SOFTHSM2_CONF: join(path, 'softhsm2.conf') };
  writeFileSync(env.SOFTHSM2_CONF, `directories.tokendir = ${join(path, 'tokens')}\nlog.level = ERROR\n`);
  const made = spawnSync(
    'softhsm2-util',
    ['--init-token', '--free', '--label', 'capstan', '--pin', tokenPin, '--so-pin', '8765'],
    { env: { ...process.env, ...env } },
  );
  if (made.status !== 0) throw new Error(`softhsm2-util: ${String(made.stderr)}`);
  return { path, env, remove };
}
