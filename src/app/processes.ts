import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClockScale, sleep, systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { formatAddress, type ListenAddress } from '../wire/http-server.ts';
import { type Child, startChild } from './child.ts';
import type { DataFolder } from './data-folder.ts';

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
  /** Starts the CA; its address, `http://127.0.0.1:8200`. */
  startCa(): Promise<string>;
  startCluster(): Promise<ClusterReady>;
  kubeconfig(): string;
  /** The processes that run now, for those who measure them. */
  pids(): { ca: number; cluster: number };
  stop(): Promise<void>;
}

/** How often in a row a process may end before it has been up for a while; then it is given up. */
const restartLimit = 5;
const stableAfterMs = 10_000;
const restartAfterMs = 200;

/** Starts and keeps up the CA and the cluster, each a process of its own. */
export function processes(options: ProcessesOptions): Processes {
  const { data, rootToken, vaultListen, apiListen } = options;
  const clockArgs = (dashes: string) =>
    options.scale
      ? [`${dashes}clock-origin=${options.scale.originMs}`, `${dashes}clock-speed=${options.scale.speed}`]
      : [];
  const ca = supervised(options, 'the CA', (address) => [
    ...['vault', 'server', '-dev', `-dev-listen-address=${address ?? formatAddress(vaultListen)}`],
    `-dev-root-token-id=${rootToken}`,
    ...(data.path ? [`-data=${join(data.path, 'ca')}`] : []),
    ...clockArgs('-'),
  ]);
  const cluster = supervised(options, 'the cluster', (address) => [
    ...['cluster', `--listen=${address ?? formatAddress(apiListen)}`, `--kubeconfig=${data.kubeconfig}`],
    ...(data.path ? [`--data=${join(data.path, 'cluster')}`] : []),
    ...clockArgs('--'),
  ]);
  return {
    startCa: () =>
      ca.start((line) => {
        const address = /^\s*Api Address: (\S+)$/.exec(line)?.[1];
        return address === undefined ? undefined : { address: new URL(address).host, value: address };
      }),
    startCluster: () =>
      cluster.start((line) => {
        const ready = parseReady(line);
        return ready && { address: new URL(ready.api).host, value: ready };
      }),
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

interface Supervised {
  start<T>(pick: (line: string) => { address: string; value: T } | undefined): Promise<T>;
  pid(): number;
  stop(): Promise<void>;
}

/**
 * One process, started again on the same address and data when it ends unasked. Without a data folder its state
 * went with it, and starting it again would only hide that.
 */
function supervised(
  { program, env, data, onNote, onLost }: ProcessesOptions,
  name: string,
  args: (address: string | undefined) => string[],
): Supervised {
  let child: Child | undefined;
  let address: string | undefined;
  let stopping = false;
  let restarts = 0;

  let launchedMs = 0;
  const launch = (): Child => {
    launchedMs = systemClock.now();
    return startChild({ name, program, env, args: args(address), onUnexpectedEnd: (how) => void ended(how) });
  };

  async function ended(how: string): Promise<void> {
    // Before its first ready line the caller of start() is told.
    if (address === undefined || stopping) return;
    restarts = systemClock.now() - launchedMs > stableAfterMs ? 1 : restarts + 1;
    if (!data.path || restarts > restartLimit) {
      const why = data.path ? 'it does not stay up' : 'its state was in memory';
      onLost(
        new Fault(`${name} ${how}; ${why}`, {
          code: 'app.child.lost',
          blame: 'operator',
          fix: data.path ? 'look at its log above' : 'start again, with --data DIR to survive this',
        }),
      );
      return;
    }
    onNote(`${name} ${how}; starting it again`);
    await sleep(systemClock, restartAfterMs * 2 ** (restarts - 1));
    if (!stopping) child = launch();
  }

  return {
    async start(pick) {
      child ??= launch();
      const ready = await child.ready(pick);
      address = ready.address;
      return ready.value;
    },
    pid: () => child?.pid ?? 0,
    async stop() {
      stopping = true;
      await child?.stop();
    },
  };
}
