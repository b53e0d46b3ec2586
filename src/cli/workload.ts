import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseDuration } from '../base/duration.ts';
import { jsonLog } from '../base/log.ts';
import { identityName } from '../identity/identity-name.ts';
import {
  type MeshedEvent,
  type MeshedProcessOptions,
  type MeshedRole,
  runMeshedProcess,
} from '../proxy/meshed-process.ts';
import { type ListenAddress, parseListenAddress } from '../wire/http-server.ts';
import { clockFlags, clockFrom } from './clock-flags.ts';
import type { Command, CommandContext } from './command.ts';
import { strictFlags, usageFault } from './strict-flags.ts';

const help = `Runs one small meshed process: it gets itself certified as linkerd2-proxy does, renews
in time, and speaks mutual TLS 1.3 with others of its kind. Prints one JSON line per event
(certified, renewed, listening, exchanged, refused, failed) on stdout; logs go to stderr.

Usage: capstan workload --trust-anchors FILE [IDENTITY FLAGS] (--listen ADDR | --connect ADDR --peer NAME)

Who it is:
  --name NAME --namespace NS    the service account's name and namespace
  --service-account NAME        the service account, where it is not called like the workload
  --identity NAME               the whole identity, in place of those
  --control-namespace NS        (default linkerd)
  --trust-domain DOMAIN         (default cluster.local)

How it is certified:
  --trust-anchors FILE          PEM roots; followed while it runs
  --token-file FILE             service-account token for the audience identity.l5d.io; read for
                                every request
  --identity-address ADDR       where the identity service certifies
  --identity-name NAME          the name its certificate must hold; without it the call goes in
                                the clear, to a loopback address only
  --no-certificate              have none, to see what a mesh does about that
  --foreign-root                have one from a root of its own making, likewise

What it does:
  --listen ADDR                 answer each line with both ends' identities, as JSON
  --connect ADDR                keep one connection and open new ones, a line on each
  --peer NAME                   the identity that the server at --connect must have
  --interval DURATION           between exchanges (default 1s)
  --clock-origin MS, --clock-speed N
                                judge certificates by a clock that ran with the machine's until
                                the origin (epoch milliseconds) and runs N times as fast since
  --help
`;

const options = {
  name: { type: 'string' },
  namespace: { type: 'string', default: 'default' },
  'service-account': { type: 'string' },
  identity: { type: 'string' },
  'control-namespace': { type: 'string', default: 'linkerd' },
  'trust-domain': { type: 'string', default: 'cluster.local' },
  'token-file': { type: 'string' },
  'trust-anchors': { type: 'string' },
  'identity-address': { type: 'string' },
  'identity-name': { type: 'string' },
  'no-certificate': { type: 'boolean', default: false },
  'foreign-root': { type: 'boolean', default: false },
  listen: { type: 'string' },
  connect: { type: 'string' },
  peer: { type: 'string' },
  interval: { type: 'string', default: '1s' },
  ...clockFlags,
} as const;

type Flags = ReturnType<typeof strictFlags<typeof options>>;

export const command: Command = {
  summary: 'one meshed process: certified by identity, speaking mutual TLS',
  help,
  async run(args, context) {
    const flags = strictFlags('workload', args, options);
    const clock = clockFrom(flags, context.clock);
    const print = ({ event, ...fields }: MeshedEvent) => {
      const time = new Date(clock.now()).toISOString();
      context.stdout.write(`${JSON.stringify({ event, time, ...fields })}\n`);
    };
    const process: MeshedProcessOptions = {
      identity: identityOf(flags),
      anchors: fileReader(required(flags, 'trust-anchors'), context),
      credential: credentialOf(flags, context),
      role: roleOf(flags),
      clock,
      pace: context.clock,
      entropy: context.entropy,
      log: jsonLog(clock, (line) => context.stderr.write(line), 'error'),
      signal: context.signal,
      onEvent: print,
    };
    // Clocks never keep a process alive, and between two exchanges there may be nothing else that would.
    const alive = setInterval(() => {}, 2 ** 30);
    await runMeshedProcess(process).finally(() => clearInterval(alive));
    return 0;
  },
};

function identityOf(flags: Flags): string {
  if (flags.identity !== undefined) return flags.identity;
  const name = flags['service-account'] ?? flags.name;
  if (name === undefined) throw usageFault('workload', 'give --name, --service-account or --identity');
  return identityName(
    { controlNamespace: flags['control-namespace'], trustDomain: flags['trust-domain'] },
    { type: 'serviceaccount', namespace: flags.namespace, name },
  );
}

function credentialOf(flags: Flags, context: CommandContext) {
  if (flags['no-certificate'] && flags['foreign-root']) {
    throw usageFault('workload', '--no-certificate and --foreign-root exclude each other');
  }
  if (flags['no-certificate']) return { from: 'nobody' } as const;
  if (flags['foreign-root']) return { from: 'foreign root' } as const;
  const token = fileReader(required(flags, 'token-file'), context);
  return {
    from: 'identity',
    address: address(required(flags, 'identity-address')),
    serverName: flags['identity-name'],
    readToken: async () => Buffer.from((await token.read()).trim(), 'utf8'),
  } as const;
}

function roleOf(flags: Flags): MeshedRole {
  if ((flags.listen === undefined) === (flags.connect === undefined)) {
    throw usageFault('workload', 'give either --listen or --connect');
  }
  if (flags.listen !== undefined) return { does: 'listen', address: parseListenAddress(flags.listen) };
  return {
    does: 'connect',
    address: address(required(flags, 'connect')),
    peer: required(flags, 'peer'),
    intervalMs: parseDuration(flags.interval),
  };
}

/** An address to dial: a host name or IP address with a port. */
function address(text: string): ListenAddress {
  const { host, port } = parseListenAddress(text);
  return { host: host === '0.0.0.0' ? '127.0.0.1' : host, port };
}

function required(
  flags: Flags,
  name: 'trust-anchors' | 'token-file' | 'identity-address' | 'connect' | 'peer',
): string {
  const value = flags[name];
  if (value === undefined) throw usageFault('workload', `--${name} is missing`);
  return value;
}

function fileReader(path: string, { cwd }: CommandContext): { source: string; read(): Promise<string> } {
  const whole = resolve(cwd, path);
  return { source: path, read: () => readFile(whole, 'utf8') };
}
