import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClockScale, sleep, systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { formatAddress, type ListenAddress } from '../wire/http-server.ts';
import { type Child, startChild } from './child.ts';
import type { DataFolder } from './data-folder.ts';
import { logFile } from './log-file.ts';

export interface ProcessesOptions {
  program: readonly [string, ...string[]];
  env: Readonly<Record<string, string | undefined>>;
  data: DataFolder;
  scale: ClockScale | undefined;
  vaultListen: ListenAddress;
  apiListen: ListenAddress;
  rootToken: string;
  /** Told of what a person should know: a process ended, and was started again. */
  onNote: (text: string) => void;
  /** Told when a process is gone for good. */
  onLost: (fault: Fault) => void;
}

export interface ClusterReady {
  /** `https://127.0.0.1:6443` */
  api: string;
  /** `127.0.0.1:8080`: where identity certifies. */
  identity: string;
  /** The name that identity's own certificate holds. */
  identityName: string;
}

/** The two processes of the main job. */
export interface Processes {
  /** Starts both at once; the two below tell when each is there. */
  launch(): void;
  /** The CA's address, `http://127.0.0.1:8200`, once it answers. */
  caReady(): Promise<string>;
  clusterReady(): Promise<ClusterReady>;
  kubeconfig(): string;
  /** The processes that run now, for those who measure them. */
  pids(): { ca: number; cluster: number };
  stop(): Promise<void>;
}

/** How often in a row a process may end before it has been up for a while; then it is given up. */
const restartLimit = 5;
const stableAfterMs = 10_000;
const restartAfterMs = 200;

/** Keeps up the CA and the cluster, each a process of its own. */
export function processes(options: ProcessesOptions): Processes {
  const { data, rootToken, vaultListen, apiListen } = options;
  const clockArgs = (dashes: string) =>
    options.scale
      ? [`${dashes}clock-origin=${options.scale.originMs}`, `${dashes}clock-speed=${options.scale.speed}`]
      : [];
  const ca = supervised<string>(options, 'ca', (address) => [
    ...['vault', 'server', '-dev'],
    `-dev-listen-address=${address ? new URL(address).host : formatAddress(vaultListen)}`,
    `-dev-root-token-id=${rootToken}`,
    ...(data.path ? [`-data=${join(data.path, 'ca')}`] : []),
    ...clockArgs('-'),
  ]);
  const cluster = supervised<ClusterReady>(options, 'cluster', (ready) => [
    ...['cluster', `--kubeconfig=${data.kubeconfig}`],
    `--listen=${ready ? new URL(ready.api).host : formatAddress(apiListen)}`,
    `--identity-listen=${ready?.identity ?? '127.0.0.1:0'}`,
    ...(data.path ? [`--data=${join(data.path, 'cluster')}`] : []),
    ...clockArgs('--'),
  ]);
  return {
    launch() {
      ca.launch();
      cluster.launch();
    },
    caReady: () => ca.ready((line) => /^\s*Api Address: (\S+)$/.exec(line)?.[1]),
    clusterReady: () => cluster.ready(parseReady),
    kubeconfig: () => readFileSync(data.kubeconfig, 'utf8'),
    pids: () => ({ ca: ca.pid(), cluster: cluster.pid() }),
    async stop() {
      // The cluster first: its controllers then never see the CA vanish.
      await cluster.stop();
      await ca.stop();
    },
  };
}

function parseReady(line: string): ClusterReady | undefined {
  if (!line.startsWith('{')) return undefined;
  const { event, ...ready } = JSON.parse(line) as ClusterReady & { event: string };
  return event === 'ready' ? ready : undefined;
}

/** What a person calls them. */
const titles = { ca: 'the CA', cluster: 'the cluster' } as const;

interface Supervised<Ready> {
  launch(): void;
  /** Answers what `pick` finds in the first line for which it finds something. */
  ready(pick: (line: string) => Ready | undefined): Promise<Ready>;
  pid(): number;
  stop(): Promise<void>;
}

/**
 * One process, started again with the addresses that it had and its data when it ends unasked. Without a data
 * folder its state went with it, and starting it again would only hide that.
 */
function supervised<Ready>(
  { program, env, data, onNote, onLost }: ProcessesOptions,
  process: keyof typeof titles,
  args: (before: Ready | undefined) => string[],
): Supervised<Ready> {
  const name = titles[process];
  const onLog = data.path === undefined ? undefined : logFile(join(data.path, `${process}.log`));
  let child: Child | undefined;
  let ready: Ready | undefined;
  let stopping = false;
  let restarts = 0;

  let launchedMs = 0;
  const launch = (): Child => {
    launchedMs = systemClock.now();
    return startChild({
      ...{ name, program, env, args: args(ready) },
      ...(onLog ? { onLog } : {}),
      onUnexpectedEnd: (how) => void ended(how),
    });
  };

  async function ended(how: string): Promise<void> {
    // Before its first ready line the caller of ready() is told.
    if (ready === undefined || stopping) return;
    restarts = systemClock.now() - launchedMs > stableAfterMs ? 1 : restarts + 1;
    if (!data.path || restarts > restartLimit) {
      const words = child?.lastWords();
      const why = data.path
        ? `again and again${words ? `; it last said ${words}` : ''}`
        : 'and its state with it';
      onLost(
        new Fault(`${name} ${how} ${why}`, {
          code: 'app.child.lost',
          blame: 'operator',
          fix: data.path
            ? `look into ${join(data.path, `${process}.log`)}`
            : 'start again, with --data DIR to survive this',
        }),
      );
      return;
    }
    onNote(`${name} ${how}; starting it again`);
    await sleep(systemClock, restartAfterMs * 2 ** (restarts - 1));
    if (!stopping) child = launch();
  }

  return {
    launch() {
      child = launch();
    },
    async ready(pick) {
      ready = await child!.ready(pick);
      return ready;
    },
    pid: () => child?.pid ?? 0,
    async stop() {
      stopping = true;
      await child?.stop();
    },
  };
}
