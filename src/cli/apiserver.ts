import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startApiServer } from '../apiserver/server.ts';
import { openSealedStore } from '../app/sealed-store.ts';
import { aborted } from '../base/abort.ts';
import { describeError, Fault } from '../base/fault.ts';
import { jsonLog } from '../base/log.ts';
import { formatAddress, parseListenAddress } from '../wire/http-server.ts';
import type { Command } from './command.ts';

const help = `Runs the embedded Kubernetes API alone: namespaces, Secrets, custom resources, server-side
apply, watches, service-account tokens. kubectl, helm and client libraries work with it
unchanged; it runs no containers. Logs go to stderr.

Usage: capstan apiserver --kubeconfig FILE [FLAGS]

  --listen ADDR            where to listen (default 127.0.0.1:6443; port 0 takes any free port)
  --kubeconfig FILE        write the administrator's kubeconfig here, readable by you alone
                           (default with --data: DIR/kubeconfig)
  --data DIR               keep the cluster between runs in DIR (default: in memory)
  --help

Examples:

  capstan apiserver --data ./cluster
  KUBECONFIG=./cluster/kubeconfig kubectl get namespaces
`;

const options = {
  listen: { type: 'string', default: '127.0.0.1:6443' },
  kubeconfig: { type: 'string' },
  data: { type: 'string' },
} as const;

export const command: Command = {
  summary: 'the embedded Kubernetes API alone',
  help,
  async run(args, context) {
    const { listen, kubeconfig, data } = flagsOf(args);
    const kubeconfigPath = resolve(context.cwd, kubeconfig);
    const store = openSealedStore(data && resolve(context.cwd, data), context.entropy);
    try {
      const server = await startApiServer({
        store,
        clock: context.clock,
        entropy: context.entropy,
        log: jsonLog(context.clock, (line) => context.stderr.write(line), 'warn'),
        listen: parseListenAddress(listen),
      });
      writePrivate(kubeconfigPath, await server.kubeconfig('kubernetes-admin', ['system:masters']));
      context.stdout.write(`Kubernetes API on https://${formatAddress(server.address)}\n`);
      context.stdout.write(`administrator: export KUBECONFIG=${kubeconfigPath}\n`);
      await aborted(context.signal);
      await server.close();
    } finally {
      await store.close();
    }
    return 0;
  },
};

function flagsOf(args: readonly string[]): { listen: string; kubeconfig: string; data: string | undefined } {
  const { listen, data, kubeconfig = data && join(data, 'kubeconfig') } = parsed(args);
  if (kubeconfig === undefined) throw usageFault('--kubeconfig is missing: without it nobody could log in');
  return { listen, kubeconfig, data };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw usageFault(describeError(error), error);
  }
}

function usageFault(message: string, cause?: unknown): Fault {
  return new Fault(message, {
    code: 'cli.usage',
    blame: 'caller',
    fix: 'see capstan apiserver --help',
    cause,
  });
}

/** It holds a key. A file that was there before keeps no wider mode. */
function writePrivate(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: 0o600 });
    chmodSync(path, 0o600);
  } catch (error) {
    throw new Fault(`the kubeconfig ${path} cannot be written: ${describeError(error)}`, {
      code: 'cli.kubeconfig',
      blame: 'operator',
      fix: 'choose another place with --kubeconfig FILE',
      cause: error,
    });
  }
}
