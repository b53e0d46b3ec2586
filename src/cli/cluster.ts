import { resolve } from 'node:path';
import { startCluster } from '../app/cluster.ts';
import { openSealedStore } from '../app/sealed-store.ts';
import { aborted } from '../base/abort.ts';
import { jsonLog } from '../base/log.ts';
import { parseListenAddress } from '../wire/http-server.ts';
import { clockFlags, clockFrom } from './clock-flags.ts';
import type { Command } from './command.ts';
import { strictFlags, usageFault } from './strict-flags.ts';

const help = `Runs the embedded Kubernetes API, the certificate controllers and identity in one
process, as capstan up does. Prints one JSON line when it is ready; logs go to stderr.

Usage: capstan cluster --kubeconfig FILE [FLAGS]

  --kubeconfig FILE        where to write the administrator's kubeconfig
  --listen ADDR            where the API listens (default 127.0.0.1:6443)
  --identity-listen ADDR   where identity listens (default 127.0.0.1:0, any free port)
  --data DIR               keep state between runs in DIR (default: in memory)
  --clock-origin MS, --clock-speed N
                           a clock that ran with the machine's until the origin (epoch
                           milliseconds) and runs N times as fast since
  --help
`;

const options = {
  kubeconfig: { type: 'string' },
  listen: { type: 'string', default: '127.0.0.1:6443' },
  'identity-listen': { type: 'string', default: '127.0.0.1:0' },
  data: { type: 'string' },
  ...clockFlags,
} as const;

export const command: Command = {
  summary: 'the Kubernetes API, the controllers and identity in one process',
  help,
  async run(args, context) {
    const values = strictFlags('cluster', args, options);
    if (values.kubeconfig === undefined) throw usageFault('cluster', '--kubeconfig is missing');
    const clock = clockFrom(values, context.clock);
    const cluster = await startCluster({
      store: openSealedStore(values.data && resolve(context.cwd, values.data), context.entropy),
      clock,
      certificateClock: context.clock,
      entropy: context.entropy,
      log: jsonLog(clock, (line) => context.stderr.write(line), 'warn'),
      listen: parseListenAddress(values.listen),
      identityListen: parseListenAddress(values['identity-listen']),
      kubeconfig: resolve(context.cwd, values.kubeconfig),
      signal: context.signal,
    });
    const { api, identity, identityName } = cluster;
    context.stdout.write(`${JSON.stringify({ event: 'ready', api, identity, identityName })}\n`);
    await aborted(context.signal);
    await cluster.close();
    return 0;
  },
};
