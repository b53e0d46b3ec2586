import { aborted } from '../base/abort.ts';
import { parseDuration } from '../base/duration.ts';
import { jsonLog } from '../base/log.ts';
import { startIdentity } from '../identity/server.ts';
import { kubeClient } from '../kube/http-kube-client.ts';
import { formatAddress, parseListenAddress } from '../wire/http-server.ts';
import { clockFlags, clockFrom } from './clock-flags.ts';
import type { Command } from './command.ts';
import { kubeAccess, kubeFlags } from './kube-access.ts';
import { logLevel } from './log-flag.ts';
import { strictFlags, usageFault } from './strict-flags.ts';

const help = `Runs Linkerd's identity service against any Kubernetes API: it certifies workloads by
their service-account tokens, from the issuer in Secret linkerd-identity-issuer under the
roots in ConfigMap linkerd-identity-trust-roots, and follows both while it runs. Prints one
JSON line when it serves; logs go to stderr.

Usage: capstan identity [FLAGS]

  --kubeconfig FILE         (default: $KUBECONFIG, else ~/.kube/config)
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
  ...kubeFlags,
  ...clockFlags,
  listen: { type: 'string', default: '0.0.0.0:8080' },
  tls: { type: 'boolean', default: false },
  'admin-listen': { type: 'string' },
  'control-namespace': { type: 'string', default: 'linkerd' },
  'trust-domain': { type: 'string', default: 'cluster.local' },
  'issuance-lifetime': { type: 'string', default: '24h' },
  'clock-skew': { type: 'string', default: '10s' },
  'log-level': { type: 'string', default: 'info' },
} as const;

export const command: Command = {
  summary: "Linkerd's identity service, against any Kubernetes",
  help,
  async run(args, context) {
    const flags = strictFlags('identity', args, options);
    const clock = clockFrom(flags, context.clock);
    const level = logLevel('identity', flags['log-level']);
    const kube = kubeClient(kubeAccess(flags, context), { userAgent: 'linkerd-identity' });
    try {
      const identity = await startIdentity({
        kube,
        clock,
        entropy: context.entropy,
        log: jsonLog(clock, (line) => context.stderr.write(line), level),
        listen: parseListenAddress(flags.listen),
        tls: flags.tls,
        controlNamespace: flags['control-namespace'],
        trustDomain: flags['trust-domain'],
        issuanceLifetimeMs: positive('issuance-lifetime', flags),
        clockSkewMs: positive('clock-skew', flags),
        ...(flags['admin-listen'] === undefined
          ? {}
          : { adminListen: parseListenAddress(flags['admin-listen']) }),
      });
      const { address, adminAddress, name } = identity;
      const admin = adminAddress && { admin: formatAddress(adminAddress) };
      const ready = { event: 'ready', identity: formatAddress(address), identityName: name, ...admin };
      context.stdout.write(`${JSON.stringify(ready)}\n`);
      await aborted(context.signal);
      await identity.close();
    } finally {
      kube.close();
    }
    return 0;
  },
};

function positive<Name extends string>(name: Name, flags: Record<Name, string>): number {
  const durationMs = parseDuration(flags[name]);
  if (durationMs <= 0) throw usageFault('identity', `--${name} must be longer than nothing`);
  return durationMs;
}
