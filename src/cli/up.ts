import { resolve } from 'node:path';
import { defaultDataFolder } from '../app/data-folder.ts';
import { progressTo } from '../app/progress.ts';
import { up } from '../app/up.ts';
import { parseListenAddress } from '../wire/http-server.ts';
import type { Command, CommandContext } from './command.ts';
import { strictFlags, usageFault } from './strict-flags.ts';

const help = `Runs the whole chain on this machine: a CA, a Kubernetes API with the certificate
controllers, Linkerd's identity service and two meshed workloads, set up step by step.

Usage: capstan up [FLAGS]

  --once                 do all of it, verify, stop; status 0, or 1 naming the failed step
  --json                 one JSON document per step
  --data DIR             keep state between runs, and the processes' logs, in DIR
                         (default: $XDG_STATE_HOME/capstan, else ~/.local/state/capstan)
  --dev                  keep everything in memory
  --speed N              let certificates age N times faster than real time, and show a
                         renewal (900 makes the 23 hours to the first one 92 seconds)
  --vault-address ADDR   where the CA listens (default 127.0.0.1:8200; port 0 is any free one)
  --api-address ADDR     where the Kubernetes API listens (default 127.0.0.1:6443)
  --help

It stays up until Ctrl-C, having printed the lines that point your own kubectl and
vault at it. Run again on the same data, it finds what is done and says so.
`;

const options = {
  once: { type: 'boolean' },
  json: { type: 'boolean' },
  data: { type: 'string' },
  dev: { type: 'boolean' },
  speed: { type: 'string', default: '1' },
  'vault-address': { type: 'string', default: '127.0.0.1:8200' },
  'api-address': { type: 'string', default: '127.0.0.1:6443' },
} as const;

export const command: Command = {
  summary: 'run the whole chain on this machine, step by step',
  help,
  async run(args, context) {
    const values = strictFlags('up', args, options);
    if (values.dev && values.data !== undefined)
      throw usageFault('up', '--dev and --data exclude each other');
    const speed = Number(values.speed);
    if (!(speed >= 1 && speed <= 100_000)) throw usageFault('up', '--speed takes a number from 1 to 100000');
    return await up(
      {
        once: values.once ?? false,
        data: dataFolder(values, context),
        speed,
        vaultListen: parseListenAddress(values['vault-address']),
        apiListen: parseListenAddress(values['api-address']),
        rootToken: 'my-token',
      },
      {
        program: context.program,
        env: context.env,
        signal: context.signal,
        progress: progressTo({
          out: context.stdout,
          json: values.json ?? false,
          colour: !context.env.NO_COLOR && context.env.TERM !== 'dumb',
        }),
      },
    );
  },
};

function dataFolder(
  values: { dev?: boolean; data?: string; speed: string },
  context: CommandContext,
): string | undefined {
  if (values.data !== undefined) return resolve(context.cwd, values.data);
  // A faster clock leaves state dated in the future behind; without a folder of its own it stays in memory.
  return values.dev || values.speed !== '1' ? undefined : defaultDataFolder(context.env);
}
