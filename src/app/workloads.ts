import { join } from 'node:path';
import type { Clock, ClockScale } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { type Child, startChild } from './child.ts';
import type { DataFolder } from './data-folder.ts';
import type { ClusterReady } from './processes.ts';
import { projectVolume } from './projected-volume.ts';

/** A line that a workload prints: what happened, and the fields that go with it. */
export interface WorkloadEvent {
  event: string;
  [field: string]: unknown;
}

export interface WorkloadSpec {
  /** What a person calls it, and the service account it runs as. */
  name: string;
  namespace: string;
  /** Further arguments of `capstan workload`. */
  args: readonly string[];
}

/** A meshed process of its own. */
export interface Workload {
  readonly name: string;
  readonly pid: number;
  /** Everything it has told, oldest first, cut to the last thousand lines. */
  events(): readonly WorkloadEvent[];
  /** The first event, past or coming, that `is` holds for. */
  event(is: (event: WorkloadEvent) => boolean): Promise<WorkloadEvent>;
  count(event: string): number;
}

export interface Workloads {
  start(spec: WorkloadSpec, cluster: ClusterReady, kube: KubeClient): Promise<Workload>;
  named(name: string): Workload | undefined;
  all(): readonly Workload[];
  /** One of them, or all and what keeps their files. */
  stop(name?: string): Promise<void>;
}

export interface WorkloadsOptions {
  program: readonly [string, ...string[]];
  env: Readonly<Record<string, string | undefined>>;
  data: DataFolder;
  clock: Clock;
  scale: ClockScale | undefined;
  trustAnchors: { name: string; namespace: string; key: string };
  onEvent: (workload: string, event: WorkloadEvent) => void;
}

/** The audience of the tokens that identity takes, as Linkerd's injector projects them. */
const identityAudience = 'identity.l5d.io';
const keptEvents = 1_000;

export function workloads(options: WorkloadsOptions): Workloads {
  const running = new Map<string, Workload & { child: Child }>();
  const stopping = new AbortController();

  return {
    async start(spec, cluster, kube) {
      const { name, namespace } = spec;
      const files = await projectVolume({
        kube,
        clock: options.clock,
        folder: join(options.data.run, name),
        namespace,
        serviceAccount: name,
        audience: identityAudience,
        trustAnchors: options.trustAnchors,
        signal: stopping.signal,
        onError: (error) => options.onEvent(name, { event: 'projection-failed', reason: String(error) }),
      });
      await running.get(name)?.child.stop();
      const workload = launch(options, spec, cluster, files);
      running.set(name, workload);
      return workload;
    },
    named: (name) => running.get(name),
    all: () => [...running.values()],
    async stop(name) {
      if (name !== undefined) {
        await running.get(name)?.child.stop();
        running.delete(name);
        return;
      }
      stopping.abort();
      await Promise.all([...running.values()].map(({ child }) => child.stop()));
    },
  };
}

function launch(
  { program, env, scale, onEvent }: WorkloadsOptions,
  { name, namespace, args }: WorkloadSpec,
  cluster: ClusterReady,
  files: { token: string; trustAnchors: string },
): Workload & { child: Child } {
  const seen: WorkloadEvent[] = [];
  const counts = new Map<string, number>();
  const waiting = new Set<(event: WorkloadEvent) => void>();
  const onLine = (line: string) => {
    if (!line.startsWith('{')) return;
    const event = JSON.parse(line) as WorkloadEvent;
    seen.push(event);
    if (seen.length > keptEvents) seen.shift();
    counts.set(event.event, (counts.get(event.event) ?? 0) + 1);
    onEvent(name, event);
    for (const look of waiting) look(event);
  };
  const child = startChild({
    name: `the workload ${name}`,
    program,
    env,
    args: [
      'workload',
      ...['--name', name, '--namespace', namespace, '--service-account', name],
      ...['--token-file', files.token, '--trust-anchors', files.trustAnchors],
      ...['--identity-address', cluster.identity, '--identity-name', cluster.identityName],
      ...(scale ? ['--clock-origin', String(scale.originMs), '--clock-speed', String(scale.speed)] : []),
      ...args,
    ],
    onLine,
  });
  return {
    child,
    name,
    get pid() {
      return child.pid;
    },
    events: () => seen,
    count: (event) => counts.get(event) ?? 0,
    event: (is) =>
      new Promise((resolve, reject) => {
        const past = seen.find(is);
        if (past) return resolve(past);
        const look = (event: WorkloadEvent) => {
          if (!is(event)) return;
          waiting.delete(look);
          resolve(event);
        };
        waiting.add(look);
        void child.ended.then((how) =>
          reject(new Fault(`the workload ${name} ${how}`, { code: 'app.workload.ended', blame: 'capstan' })),
        );
      }),
  };
}
