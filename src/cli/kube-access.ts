import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Fault } from '../base/fault.ts';
import { type KubeAccess, readKubeconfig } from '../kube/kubeconfig.ts';
import type { CommandContext } from './command.ts';

export interface KubeFlags {
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

/** The flags that say which cluster, for `parseArgs`. */
export const kubeFlags = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
} as const;

/**
 * The access that kubectl would use: of the file named by `--kubeconfig`, else of the first one there is in
 * $KUBECONFIG, else of ~/.kube/config. Files that it names are found from where it stands.
 *
 * @throws Fault `cli.kubeconfig` where there is no such file, `kube.kubeconfig.*`
 */
export function kubeAccess({ kubeconfig, context: name }: KubeFlags, context: CommandContext): KubeAccess {
  const path = kubeconfigPath(kubeconfig, context);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Fault(`cannot read the kubeconfig ${path}: ${(error as Error).message}`, {
      code: 'cli.kubeconfig',
      blame: 'operator',
      fix: 'name it with --kubeconfig or $KUBECONFIG',
      cause: error,
    });
  }
  return readKubeconfig(text, {
    ...(name === undefined ? {} : { context: name }),
    readFile: (file) => readFileSync(resolve(dirname(path), file), 'utf8'),
  });
}

function kubeconfigPath(flag: string | undefined, { env, cwd }: CommandContext): string {
  if (flag !== undefined) return resolve(cwd, flag);
  const listed = (env.KUBECONFIG ?? '')
    .split(':')
    .filter((path) => path !== '')
    .map((path) => resolve(cwd, path));
  return listed.find((path) => existsSync(path)) ?? listed[0] ?? join(env.HOME ?? cwd, '.kube', 'config');
}
