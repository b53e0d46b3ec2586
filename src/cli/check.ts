import { parseDuration } from '../base/duration.ts';
import { reportJson, reportText } from '../check/render.ts';
import { checkReport } from '../check/report.ts';
import { readInventory } from '../inventory/read-inventory.ts';
import { renderTrees } from '../inventory/render-tree.ts';
import type { TlsEndpoint } from '../inventory/served.ts';
import { kubeClient } from '../kube/http-kube-client.ts';
import { parseListenAddress } from '../wire/http-server.ts';
import { clockFlags, clockFrom } from './clock-flags.ts';
import type { Command, CommandContext } from './command.ts';
import { kubeAccess, kubeFlags } from './kube-access.ts';
import { strictFlags, usageFault } from './strict-flags.ts';
import { version } from './version.ts';

const help = `Checks the certificates of a mesh: those of linkerd check, in its words, and those that it
does not look at (the trust anchors that workloads are really given, missed renewals,
what servers present).

Usage: capstan check [FLAGS]

  -o, --output FORMAT          table (default), short (only what is not right), json, or
                               tree (every certificate that was seen, below its issuer)
  -n, --linkerd-namespace NS   where the control plane is (default linkerd)
  --endpoint HOST:PORT         a TLS server to look at; may be repeated
  --at TIME                    judge as of this time (RFC 3339) instead of now
  --kubeconfig FILE            (default: $KUBECONFIG, else ~/.kube/config)
  --context NAME
  --wait DURATION              accepted as linkerd check does; none of these checks waits
  --clock-origin MS, --clock-speed N
                               a clock that ran with the machine's until the origin
                               (epoch milliseconds) and runs N times as fast since
  --help

Status 0 when nothing is worse than a warning, else 1.
`;

const formats = ['table', 'short', 'json', 'tree'] as const;

const options = {
  ...kubeFlags,
  ...clockFlags,
  output: { type: 'string', short: 'o', default: 'table' },
  'linkerd-namespace': { type: 'string', short: 'n', default: 'linkerd' },
  endpoint: { type: 'string', multiple: true },
  at: { type: 'string' },
  wait: { type: 'string', default: '5m' },
} as const;

export const command: Command = {
  summary: "check the mesh's certificates as linkerd check does, and beyond",
  help,
  async run(args, context) {
    const flags = readFlags(args);
    const client = kubeClient(kubeAccess(flags, context), { userAgent: `capstan-check/${version()}` });
    try {
      const inventory = await readInventory({
        kube: client,
        clock: clockFrom(flags, context.clock),
        controlNamespace: flags['linkerd-namespace'],
        endpoints: flags.endpoints,
      });
      for (const gap of inventory.gaps) context.stderr.write(`capstan: not looked at: ${gap}\n`);
      const nowMs = flags.atMs ?? inventory.takenAtMs;
      if (flags.format === 'tree') {
        context.stdout.write(renderTrees(inventory, nowMs));
        return 0;
      }
      const report = checkReport(inventory, nowMs);
      context.stdout.write(
        flags.format === 'json'
          ? reportJson(report)
          : reportText(report, { short: flags.format === 'short', colour: wantsColour(context) }),
      );
      return report.success ? 0 : 1;
    } finally {
      client.close();
    }
  },
};

function readFlags(args: readonly string[]) {
  const values = strictFlags('check', args, options);
  const format = formats.find((each) => each === values.output);
  if (!format) {
    throw usageFault(
      'check',
      `Invalid output type '${values.output}'. Supported output types are: ${formats.join(', ')}`,
    );
  }
  // Read for its form alone.
  parseDuration(values.wait);
  const atMs = values.at === undefined ? undefined : Date.parse(values.at);
  if (Number.isNaN(atMs)) throw usageFault('check', `--at ${JSON.stringify(values.at)} is not a time`);
  return { ...values, format, atMs, endpoints: (values.endpoint ?? []).map(endpoint) };
}

function endpoint(text: string): TlsEndpoint {
  const { host, port } = parseListenAddress(text);
  return { host, port };
}

function wantsColour({ stdout, env }: CommandContext): boolean {
  return stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}
