import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a pod finds its own `ca.crt` and `token`; undefined where there is no such file. */
export type PodFile = (name: 'ca.crt' | 'token') => Promise<string | undefined>;

const folder = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Of the pod that this process runs in. Read anew each time: kubelet replaces the token long before it ends. */
export const systemPodFile: PodFile = async (name) => {
  try {
    return await readFile(join(folder, name), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
};
