import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Clock, scaledClock } from '../base/clock.ts';
import { parseDuration } from '../base/duration.ts';
import { describeError, Fault } from '../base/fault.ts';
import { jsonLog, type LogLevel } from '../base/log.ts';
import { startIdentity } from '../identity/server.ts';
import { kubeClient } from '../kube/http-kube-client.ts';
import { readKubeconfig } from '../kube/kubeconfig.ts';
import { formatAddress, parseListenAddress } from '../wire/http-server.ts';
import type { Command, CommandContext } from './command.ts';

const help = `Runs Linkerd's identity service against any Kubernetes API: it certifies workloads by
their service-account tokens, from the issuer in Secret linkerd-identity-issuer under the
roots in ConfigMap linkerd-identity-trust-roots, and follows both while it runs. Prints one
JSON line when it serves; logs go to stderr.

Usage: capstan identity --kubeconfig FILE [FLAGS]

  --kubeconfig FILE         (default: $KUBECONFIG)
  --context NAME            the kubeconfig's context (default: its current one)
  --listen ADDR             where it certifies (default 0.0.0.0:8080)
  --tls                     serve TLS 1.3 with a certificate it issues to itself; without it,
                            cleartext HTTP/2 for a sidecar, as Linkerd's own service does
  --admin-listen ADDR       /ping, /ready and /metrics (Linkerd's own is :9990; default: none)
  --control-namespace NS    (default linkerd)
  --trust-domain DOMAIN     (default cluster.local)
  --issuance-lifetime D     how long leaves live (default 24h)
  --clock-skew D            how far clocks may be apart (default 10s)
  --log-level LEVEL         debug, info, warn or error (default info)
  --clock-origin MS, --clock-speed N
                            a clock that ran with the machine's until the origin (epoch
                            milliseconds) and runs N times as fast since
  --help
`;

const options = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  listen: { type: 'string', default: '0.0.0.0:8080' },
  tls: { type: 'boolean', default: false },
  'admin-listen': { type: 'string' },
  'control-namespace': { type: 'string', default: 'linkerd' },
  'trust-domain': { type: 'string', default: 'cluster.local' },
  'issuance-lifetime': { type: 'string', default: '24h' },
  'clock-skew': { type: 'string', default: '10s' },
  'log-level': { type: 'string', default: 'info' },
  'clock-origin': { type: 'string', default: '0' },
  'clock-speed': { type: 'string', default: '1' },
} as const;

type Flags = ReturnType<typeof parseFlags>;

export const command: Command = {
  summary: "Linkerd's identity service, against any Kubernetes",
  help,
  async run(args, context) {
    const flags = parseFlags(args);
    const clock = clockOf(flags);
    const kube = kubeClient(accessOf(flags, context), { userAgent: 'linkerd-identity' });
    try {
      const identity = await startIdentity({
        kube,
        clock,
        entropy: context.entropy,
        log: jsonLog(clock, (line) => context.stderr.write(line), levelOf(flags)),
        listen: parseListenAddress(flags.listen),
        tls: flags.tls,
        controlNamespace: flags['control-namespace'],
        trustDomain: flags['trust-domain'],
        issuanceLifetimeMs: positive(flags, 'issuance-lifetime'),
        clockSkewMs: positive(flags, 'clock-skew'),
        ...(flags['admin-listen'] === undefined
          ? {}
          : { adminListen: parseListenAddress(flags['admin-listen']) }),
      });
      const { address, adminAddress, name } = identity;
      const admin = adminAddress && { admin: formatAddress(adminAddress) };
      const ready = { event: 'ready', identity: formatAddress(address), identityName: name, ...admin };
      context.stdout.write(`${JSON.stringify(ready)}\n`);
      await new Promise<void>((stopped) => {
        if (context.signal.aborted) stopped();
        context.signal.addEventListener('abort', () => stopped(), { once: true });
      });
      await identity.close();
    } finally {
      kube.close();
    }
    return 0;
  },
};

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw usageFault((error as Error).message.split('. ')[0]!);
  }
}

function accessOf(flags: Flags, { cwd, env }: CommandContext) {
  const named = flags.kubeconfig ?? env.KUBECONFIG;
  if (!named) throw usageFault('--kubeconfig is missing');
  const path = resolve(cwd, named);
  const read = (file: string) => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new Fault(`${file} cannot be read: ${describeError(error)}`, {
        code: 'cli.kubeconfig',
        blame: 'operator',
        cause: error,
      });
    }
  };
  return readKubeconfig(read(path), {
    readFile: (file) => read(resolve(dirname(path), file)),
    ...(flags.context === undefined ? {} : { context: flags.context }),
  });
}

function clockOf(flags: Flags): Clock {
  const [originMs, speed] = [Number(flags['clock-origin']), Number(flags['clock-speed'])];
  if (!Number.isFinite(originMs)) throw usageFault('--clock-origin takes epoch milliseconds');
  if (!(speed > 0 && speed <= 100_000)) throw usageFault('--clock-speed takes a number up to 100000');
  return scaledClock({ originMs, speed });
}

function levelOf(flags: Flags): LogLevel {
  const level = (['debug', 'info', 'warn', 'error'] as const).find((known) => known === flags['log-level']);
  if (!level) throw usageFault('--log-level takes debug, info, warn or error');
  return level;
}

function positive(flags: Flags, name: 'issuance-lifetime' | 'clock-skew'): number {
  const durationMs = parseDuration(flags[name]);
  if (durationMs <= 0) throw usageFault(`--${name} must be longer than nothing`);
  return durationMs;
}

function usageFault(message: string): Fault {
  return new Fault(message, { code: 'cli.usage', blame: 'caller', fix: 'see capstan identity --help' });
}
