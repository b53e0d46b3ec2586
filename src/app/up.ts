import { aborted } from '../base/abort.ts';
import { type ClockScale, scaledClock, systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { SecretText } from '../base/secret.ts';
import { kubeClient } from '../kube/http-kube-client.ts';
import { readKubeconfig } from '../kube/kubeconfig.ts';
import { httpClient } from '../wire/http-client.ts';
import type { ListenAddress } from '../wire/http-server.ts';
import { type CaClient, caClient } from './ca-client.ts';
import { openDataFolder } from './data-folder.ts';
import { type ClusterReady, type Processes, processes } from './processes.ts';
import type { Progress } from './progress.ts';
import { runSteps, type Step } from './step.ts';
import { caSteps } from './steps/ca.ts';
import { kubernetesSteps, trustRoots } from './steps/kubernetes.ts';
import { meshSteps, renewalStep } from './steps/mesh.ts';
import { reportSteps } from './steps/report.ts';
import { type WorkloadEvent, workloads } from './workloads.ts';
import type { World } from './world.ts';

export interface UpOptions {
  /** Do all of it, then stop, instead of staying up. */
  once: boolean;
  /** Folder for state between runs; undefined keeps all in memory. */
  data: string | undefined;
  /** How many times faster than real time certificates age. */
  speed: number;
  vaultListen: ListenAddress;
  apiListen: ListenAddress;
  rootToken: string;
}

export interface UpSurroundings {
  program: readonly [string, ...string[]];
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
  progress: Progress;
}

/**
 * The main job: the CA and the cluster as two processes, the tutorial step by step through their public APIs, two
 * meshed workloads, the findings; then it stays up until told to stop.
 *
 * @returns the exit status: 0, or 1 where a step failed or a process was lost (the progress has said which).
 */
export async function up(
  options: UpOptions,
  { program, env, signal, progress }: UpSurroundings,
): Promise<number> {
  const data = openDataFolder(options.data, env);
  const scale: ClockScale | undefined =
    options.speed === 1 ? undefined : { originMs: systemClock.now(), speed: options.speed };
  const clock = scale ? scaledClock(scale) : systemClock;
  const lost = new AbortController();
  const stop = AbortSignal.any([signal, lost.signal]);
  const running = processes({
    ...{ program, env, data, scale, rootToken: options.rootToken },
    ...{ vaultListen: options.vaultListen, apiListen: options.apiListen },
    onNote: (text) => progress.note(text),
    onLost: (fault) => lost.abort(fault),
  });
  // The product's timers never keep a process alive; while everything waits for a restart, nothing else would.
  const alive = setInterval(() => {}, 2 ** 30);
  let settled = false;
  const mesh = workloads({
    ...{ program, env, data, clock, scale, trustAnchors: trustRoots },
    onEvent: (name, event) => {
      if (settled && told.has(event.event))
        progress.note(sentence(name, event), { workload: name, ...event });
    },
  });
  const { world, startSteps, close } = openWorld(running, options.rootToken, {
    clock,
    signal: stop,
    workloads: mesh,
  });
  try {
    running.launch();
    const renewal = options.speed > 1 ? [renewalStep] : [];
    const steps = [...startSteps, ...caSteps, ...kubernetesSteps, ...meshSteps, ...reportSteps, ...renewal];
    const failed = await runSteps(steps, world, progress, { signal: stop });
    settled = true;
    if (failed === undefined && !options.once && !stop.aborted) {
      progress.note(invitation(world.ca.address, data.kubeconfig, options.rootToken), {
        environment: {
          KUBECONFIG: data.kubeconfig,
          VAULT_ADDR: world.ca.address,
          VAULT_TOKEN: options.rootToken,
        },
      });
      await aborted(stop);
    }
    if (lost.signal.aborted) throw lost.signal.reason as Fault;
    return failed === undefined ? 0 : 1;
  } finally {
    settled = false;
    await mesh.stop();
    close();
    await running.stop();
    data.close();
    clearInterval(alive);
  }
}

/** What the workloads tell while the job stays up; their exchanges, several a second, are only counted. */
const told = new Set([
  'renewed',
  'renewal-failed',
  'anchors-reloaded',
  'failed',
  'refused',
  'projection-failed',
]);

function sentence(name: string, { event, ...fields }: WorkloadEvent): string {
  const { reason, validUntil } = fields as { reason?: string; validUntil?: string };
  return `${name}: ${event}${reason ? `: ${reason}` : ''}${validUntil ? `, until ${validUntil}` : ''}`;
}

function openWorld(
  running: Processes,
  rootToken: string,
  rest: Pick<World, 'clock' | 'signal' | 'workloads'>,
): { world: World; startSteps: readonly Step<World>[]; close: () => void } {
  const http = httpClient();
  let ca: CaClient | undefined;
  let kube: World['kube'] | undefined;
  let cluster: ClusterReady | undefined;
  const world: World = {
    ...rest,
    get ca() {
      return started(ca);
    },
    get kube() {
      return started(kube);
    },
    get cluster() {
      return started(cluster);
    },
  };
  const startSteps: readonly Step<World>[] = [
    {
      id: 'ca-start',
      title: 'start the CA, outside the cluster',
      async run() {
        const address = await running.caReady();
        ca = caClient(http, address, new SecretText(rootToken));
        const { ca: pid } = running.pids();
        return { state: 'done', saw: `${address}, process ${pid}`, details: { address, pid } };
      },
    },
    {
      id: 'cluster-start',
      title: 'start the cluster',
      async run() {
        cluster = await running.clusterReady();
        kube = kubeClient(readKubeconfig(running.kubeconfig()), { userAgent: 'capstan-up' });
        const { api, identity } = cluster;
        const { cluster: pid } = running.pids();
        const saw = `Kubernetes API at ${api}, identity at ${identity}, process ${pid}`;
        return { state: 'done', saw, details: { api, identity, pid } };
      },
    },
  ];
  const close = () => {
    kube?.close();
    http.close();
  };
  return { world, startSteps, close };
}

function started<T>(part: T | undefined): T {
  if (part !== undefined) return part;
  throw new Fault('a step came before the one that starts what it needs', {
    code: 'app.bug',
    blame: 'capstan',
  });
}

function invitation(caAddress: string, kubeconfig: string, rootToken: string): string {
  return [
    '',
    'It is all up. In another terminal:',
    `  export KUBECONFIG=${kubeconfig}`,
    `  export VAULT_ADDR=${caAddress}`,
    `  export VAULT_TOKEN=${rootToken}`,
    '  kubectl get certificates,clusterissuers,bundles -A',
    'Ctrl-C stops everything.',
  ].join('\n');
}
