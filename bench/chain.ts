import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../tools/sources.ts';
import { median, print, residentMb } from './measure.ts';

interface Report {
  step: string;
  details?: { pid?: number; pids?: number[] };
}

interface ChainRun {
  readyMs: number;
  totalMs: number;
  caMb: number;
  clusterMb: number;
  workloadMb: number[];
}

const rounds = 5;

/** The main job from the start of the process: to the first ready API, to its end, and what stays resident. */
export async function benchChain(): Promise<void> {
  const runs: ChainRun[] = [];
  // The first round fills the cache of compiled code and is not counted.
  await runChain();
  for (let round = 0; round < rounds; round++) runs.push(await runChain());
  const middle = (pick: (run: ChainRun) => number) => median(runs.map(pick));
  print('start to first ready (CA and cluster)', `${middle((run) => run.readyMs).toFixed(0)} ms`);
  print('the tutorial in total, start included', `${middle((run) => run.totalMs).toFixed(0)} ms`);
  print('resident: CA process', `${middle((run) => run.caMb).toFixed(1)} MB`);
  print('resident: cluster process', `${middle((run) => run.clusterMb).toFixed(1)} MB`);
  print('resident: both together', `${middle((run) => run.caMb + run.clusterMb).toFixed(1)} MB`);
  print('resident: each workload', `${middle((run) => median(run.workloadMb)).toFixed(1)} MB`);
}

async function runChain(): Promise<ChainRun> {
  const startMs = performance.now();
  const args = ['up', '--dev', '--json', '--vault-address=127.0.0.1:0', '--api-address=127.0.0.1:0'];
  const child = spawn(process.execPath, [join(root, 'bin', 'capstan.mjs'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const pids = { ca: 0, cluster: 0, workloads: [] as number[] };
  const run: Partial<ChainRun> = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const { step, details } = JSON.parse(line) as Report;
    if (step === 'ca-start') pids.ca = details!.pid!;
    if (step === 'cluster-start') {
      pids.cluster = details!.pid!;
      run.readyMs = performance.now() - startMs;
    }
    if (step === 'workloads') pids.workloads = details!.pids!;
    if (step !== 'chain') continue;
    run.totalMs = performance.now() - startMs;
    run.caMb = residentMb(pids.ca);
    run.clusterMb = residentMb(pids.cluster);
    run.workloadMb = pids.workloads.map(residentMb);
    child.kill('SIGTERM');
  }
  if (run.totalMs === undefined) throw new Error('capstan up did not get to its last step');
  return run as ChainRun;
}
