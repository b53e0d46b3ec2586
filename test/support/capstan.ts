import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const program = [process.execPath, join(root, 'bin', 'capstan.mjs')] as const;

export interface Finished {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  pid: number;
  stdout(): string;
  stderr(): string;
  /** Resolves with the first match in what it has printed or will print on stdout. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  finished: Promise<Finished>;
}

export interface RunOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  stdin?: string;
  /** Put before the program: strace and its flags. */
  under?: readonly string[];
}

/** Starts `capstan ARGS` as a user would, in an environment without their settings. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  return startProgram([...(options.under ?? []), ...program, ...args], options);
}

/** Runs `capstan ARGS` to its end. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return start(args, options).finished;
}

/** Starts any program, with stdout and stderr collected. */
export function startProgram(
  [command, ...args]: readonly string[],
  { env = {}, cwd, stdin }: RunOptions = {},
): Running {
  const { VAULT_ADDR: _a, VAULT_TOKEN: _t, KUBECONFIG: _k, ...inherited } = process.env;
  const child = spawn(command!, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...inherited, NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const looking = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const look of looking) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {});
  if (stdin !== undefined) child.stdin.end(stdin);
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
  const printed = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(stdout);
        if (!match) return;
        looking.delete(look);
        resolve(match);
      };
      looking.add(look);
      look();
      void finished.then(({ status }) =>
        reject(
          new Error(
            `${command} ended with status ${status} before printing ${pattern}:\n${stdout}\n${stderr}`,
          ),
        ),
      );
    });
  return { child, pid: child.pid!, stdout: () => stdout, stderr: () => stderr, printed, finished };
}

/** A folder of this test's own, removed by the answered function. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'capstan-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
