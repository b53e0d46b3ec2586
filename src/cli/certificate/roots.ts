import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import tls from 'node:tls';
import { Fault } from '../../base/fault.ts';
import { type Certificate, readCertificates } from '../../x509/certificate.ts';
import { fileFault, readBytes } from './file.ts';

/**
 * The trusted roots that `--roots` names: every certificate of a file, of several files with commas between, or of
 * the files in a directory. Without it, the roots that this machine trusts.
 *
 * @throws Fault `cli.certificate.*`, `x509.*` under the file's name; `cli.certificate.roots` where there is no root.
 */
export async function readRoots(roots: string | undefined, cwd: string): Promise<readonly Certificate[]> {
  if (roots === undefined) return machineRoots();
  const files = await filesOf(roots, cwd);
  const found = (await Promise.all(files.map((file) => readRootFile(file, cwd)))).flat();
  if (found.length > 0) return found;
  throw new Fault(`${roots} holds no root certificate`, { code: 'cli.certificate.roots', blame: 'caller' });
}

async function filesOf(roots: string, cwd: string): Promise<readonly string[]> {
  if (!(await isDirectory(roots, cwd))) return roots.split(',').map((path) => path.trim());
  const entries = await readdir(resolve(cwd, roots), { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink());
  return files.map(({ name }) => join(roots, name)).toSorted();
}

async function isDirectory(path: string, cwd: string): Promise<boolean> {
  try {
    return (await stat(resolve(cwd, path))).isDirectory();
  } catch (cause) {
    // A list of files is no path itself; what is wrong with each of them is found when it is read.
    if (path.includes(',')) return false;
    throw fileFault(path, cause as NodeJS.ErrnoException);
  }
}

async function readRootFile(file: string, cwd: string): Promise<Certificate[]> {
  const bytes = await readBytes(file, cwd);
  try {
    return readCertificates(bytes.toString('utf8'));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(`error parsing ${file}: ${error.message}`, {
      code: error.code,
      blame: error.blame,
      cause: error,
    });
  }
}

/** One old root that is not in order must not take the others away. */
function machineRoots(): readonly Certificate[] {
  return tls.getCACertificates('system').flatMap((pem) => {
    try {
      return readCertificates(pem);
    } catch (error) {
      if (error instanceof Fault) return [];
      throw error;
    }
  });
}
