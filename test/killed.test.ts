import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { StepReport } from '../src/app/step.ts';
import { run, start, temporaryFolder } from './support/capstan.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

/** The steps that write state somewhere; the processes are killed as each of them is reported done. */
const writingSteps = [
  ...['cluster-start', 'pki-enable', 'pki-tune', 'pki-urls', 'policy', 'issuer-token', 'root'],
  ...['namespaces', 'token-secret', 'cluster-issuer', 'identity-issuer', 'bundle', 'workloads'],
];

/** Which processes are killed, by the steps that started them: both at every step, each alone where they talk. */
const cases: [at: string, victims: string[]][] = [
  ...writingSteps.map((at): [string, string[]] => [at, ['ca-start', 'cluster-start']]),
  ...['token-secret', 'cluster-issuer', 'identity-issuer'].flatMap((at): [string, string[]][] => [
    [at, ['ca-start']],
    [at, ['cluster-start']],
  ]),
];

test.each(cases)(
  'kill -9 after %s of what %j started: the tutorial completes, nothing is lost',
  async (at, victims) => {
    const data = join(folder.path, [at, ...victims].join('-'));
    const pids = new Map<string, number>();
    const up = start([
      'up',
      '--once',
      '--json',
      '--data',
      data,
      '--vault-address',
      '127.0.0.1:0',
      '--api-address',
      '127.0.0.1:0',
    ]);
    let killed = 0;
    let seen = 0;
    up.child.stdout!.on('data', () => {
      const lines = up.stdout().split('\n').slice(0, -1);
      for (const report of lines.slice(seen).map((line) => JSON.parse(line) as StepReport)) {
        const { pid } = ('details' in report ? (report.details ?? {}) : {}) as { pid?: number };
        if (pid !== undefined) pids.set(report.step, pid);
        if (report.step !== at || killed > 0) continue;
        for (const step of victims) {
          process.kill(pids.get(step)!, 'SIGKILL');
          killed++;
        }
      }
      seen = lines.length;
    });
    const { status, stdout } = await up.finished;
    expect(killed).toBe(victims.length);
    expect(stdout).not.toContain('"state":"failed"');
    expect(status).toBe(0);

    // Whatever was acknowledged before the kill is still there: nothing needs doing again.
    const vault = /"address":"http:\/\/([^"]+)"/.exec(stdout)![1]!;
    const again = await run([
      'up',
      '--once',
      '--json',
      '--data',
      data,
      '--vault-address',
      vault,
      '--api-address',
      '127.0.0.1:0',
    ]);
    expect(again.status).toBe(0);
    const redone = again.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as StepReport)
      .filter(({ state }) => state === 'done')
      .map(({ step }) => step);
    expect(redone).toEqual([
      'ca-start',
      'cluster-start',
      'workloads',
      'mutual-tls',
      'refusals',
      'findings',
      'chain',
    ]);
  },
);
