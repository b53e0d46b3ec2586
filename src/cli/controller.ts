import { aborted } from '../base/abort.ts';
import { jsonLog } from '../base/log.ts';
import { startCertManager } from '../certmanager/controllers.ts';
import { certManagerDefinitions } from '../certmanager/definitions.ts';
import { kubeClient } from '../kube/http-kube-client.ts';
import { installDefinitions } from '../kube/install-definitions.ts';
import { startTrustManager } from '../trustmanager/controller.ts';
import { trustManagerDefinitions } from '../trustmanager/definitions.ts';
import { httpClient } from '../wire/http-client.ts';
import { clockFlags, clockFrom } from './clock-flags.ts';
import type { Command } from './command.ts';
import { kubeAccess, kubeFlags } from './kube-access.ts';
import { logLevel } from './log-flag.ts';
import { strictFlags } from './strict-flags.ts';
import { version } from './version.ts';

const help = `Runs the certificate controllers alone, against any Kubernetes API: Certificates, requests
and issuers as cert-manager, Bundles as trust-manager. Prints one JSON line when it is
ready; logs go to stderr.

Usage: capstan controller [FLAGS]

  --kubeconfig FILE                  (default: $KUBECONFIG, else ~/.kube/config)
  --context NAME
  --install-crds                     first install the CustomResourceDefinitions
  --cluster-resource-namespace NS    where ClusterIssuers find their Secrets (default cert-manager)
  --trust-namespace NS               where Bundles find their sources (default cert-manager)
  --target-namespaces NS,NS,...      write Bundles to no other namespaces
  --filter-expired-certificates      leave expired certificates out of Bundles
  --filter-non-ca-certs              leave certificates out of Bundles that are no CA's
  --log-level LEVEL                  debug, info (default), warn or error
  --clock-origin MS, --clock-speed N
                                     a clock that ran with the machine's until the origin
                                     (epoch milliseconds) and runs N times as fast since
  --help

Run one of it at a time, and none beside a real cert-manager or trust-manager of the same
cluster: each would undo what the other does. It stays up until Ctrl-C.
`;

const options = {
  ...kubeFlags,
  ...clockFlags,
  'install-crds': { type: 'boolean', default: false },
  'cluster-resource-namespace': { type: 'string', default: 'cert-manager' },
  'trust-namespace': { type: 'string', default: 'cert-manager' },
  'target-namespaces': { type: 'string', default: '' },
  'filter-expired-certificates': { type: 'boolean', default: false },
  'filter-non-ca-certs': { type: 'boolean', default: false },
  'log-level': { type: 'string', default: 'info' },
} as const;

export const command: Command = {
  summary: 'the certificate controllers alone, against any Kubernetes API',
  help,
  async run(args, context) {
    const values = strictFlags('controller', args, options);
    const level = logLevel('controller', values['log-level']);
    const { entropy, signal } = context;
    const clock = clockFrom(values, context.clock);
    const log = jsonLog(clock, (line) => context.stderr.write(line), level);
    const access = kubeAccess(values, context);
    // Each controller under a name of its own: servers tell their writes apart by it.
    const clients = ['cert-manager', 'trust-manager'].map((name) =>
      kubeClient(access, { userAgent: `${name}/${version()} capstan` }),
    );
    const [certManagerClient, trustManagerClient] = clients;
    // While the server is away nothing but timers is left, and those of a Clock keep no process alive.
    const alive = setInterval(() => {}, 2 ** 31 - 1);
    try {
      if (values['install-crds']) {
        const definitions = [...certManagerDefinitions(), ...trustManagerDefinitions()];
        await installDefinitions(certManagerClient!, definitions, {
          manager: 'capstan',
          clock: context.clock,
          signal,
        });
      }
      const [certManager, trustManager] = await Promise.all([
        startCertManager({
          kube: certManagerClient!,
          clock,
          entropy,
          log,
          http: httpClient,
          clusterResourceNamespace: values['cluster-resource-namespace'],
        }),
        startTrustManager({
          kube: trustManagerClient!,
          clock,
          log,
          trustNamespace: values['trust-namespace'],
          targetNamespaces: values['target-namespaces'].split(',').filter((name) => name !== ''),
          filterExpired: values['filter-expired-certificates'],
          filterNonCa: values['filter-non-ca-certs'],
        }),
      ]);
      context.stdout.write(`${JSON.stringify({ event: 'ready', server: access.server })}\n`);
      await aborted(signal);
      await Promise.all([certManager.close(), trustManager.close()]);
      return 0;
    } finally {
      clearInterval(alive);
      for (const client of clients) client.close();
    }
  },
};
