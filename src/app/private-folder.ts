import { accessSync, chmodSync, constants, existsSync, mkdirSync } from 'node:fs';
import { describeError, Fault } from '../base/fault.ts';

/**
 * Makes the folder, readable by its owner alone, where it is not there yet.
 *
 * @throws Fault `app.folder.unwritable`
 */
export function makePrivateFolder(path: string, fix = 'choose another'): void {
  try {
    const fresh = !existsSync(path);
    mkdirSync(path, { recursive: true });
    if (fresh) chmodSync(path, 0o700);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Fault(`the folder ${path} cannot be written: ${describeError(error)}`, {
      code: 'app.folder.unwritable',
      blame: 'operator',
      fix,
      cause: error,
    });
  }
}
