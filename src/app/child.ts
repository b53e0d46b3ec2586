import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describeError, Fault } from '../base/fault.ts';
import { parentPipeVariable } from './parent-pipe.ts';

export interface ChildOptions {
  /** What a person calls it: `the CA`. */
  name: string;
  program: readonly [string, ...string[]];
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Called with each line the process prints on stdout. */
  onLine?: (line: string) => void;
  /** Called with each line it writes to stderr: its log. */
  onLog?: (line: string) => void;
  /** Called when it ended though nobody asked it to. */
  onUnexpectedEnd?: (how: string) => void;
}

/** A process of this program, started by this program. */
export interface Child {
  readonly pid: number;
  readonly running: boolean;
  /** Resolves, once it is gone, with how it ended: `ended with status 1`. */
  readonly ended: Promise<string>;
  /** The last line that it wrote to stderr. */
  lastWords(): string | undefined;
  /** Resolves with what `pick` answers for the first stdout line, printed already or coming, that it wants. */
  ready<T>(pick: (line: string) => T | undefined): Promise<T>;
  /** Asks it to end, then makes it, and resolves when it is gone. */
  stop(graceMs?: number): Promise<void>;
}

const keptComplaints = 20;
/** A process is ready within its first lines. */
const keptLines = 100;

/**
 * V8 lets its young generation grow to 48 MB before it collects it; these processes hold little that is young for
 * long, and a laptop has better use for the memory.
 */
const smallYoungGeneration = '--max-semi-space-size=2';

/**
 * Starts a process in a process group of its own, so that a terminal's Ctrl-C reaches only us and we end the
 * processes in order; it sees our end (even by kill -9) as the end of its stdin.
 */
export function startChild({
  name,
  program,
  args,
  env,
  onLine,
  onLog,
  onUnexpectedEnd,
}: ChildOptions): Child {
  const [node, ...script] = program;
  const child = spawn(node, [smallYoungGeneration, ...script, ...args], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...env, [parentPipeVariable]: '1' },
  });
  const complaints: string[] = [];
  const printed: string[] = [];
  const waiting = new Set<(line: string) => void>();
  let stopping = false;
  let running = true;
  // A process that is gone breaks the pipe; its exit event tells us all we need.
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => {
    onLine?.(line);
    if (printed.length < keptLines) printed.push(line);
    for (const look of waiting) look(line);
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    onLog?.(line);
    complaints.push(line);
    if (complaints.length > keptComplaints) complaints.shift();
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(describeError(error)));
    child.once('close', (code, signal) =>
      resolve(signal ? `was ended by ${signal}` : `ended with status ${code}`),
    );
  }).then((how) => {
    running = false;
    if (!stopping) onUnexpectedEnd?.(how);
    return how;
  });

  return {
    get pid() {
      return child.pid ?? 0;
    },
    get running() {
      return running;
    },
    ended,
    lastWords: () => complaints.at(-1),
    ready: (pick) =>
      new Promise((resolve, reject) => {
        const look = (line: string) => {
          const found = pick(line);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        for (const line of printed) look(line);
        void ended.then((how) => reject(neverReady(name, how, complaints)));
      }),
    async stop(graceMs = 3_000) {
      stopping = true;
      if (!running) return;
      signalChild(child, 'SIGTERM');
      const force = setTimeout(() => signalChild(child, 'SIGKILL'), graceMs);
      await ended;
      clearTimeout(force);
    },
  };
}

function signalChild(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}

/** The process' own last words are the best account of why it did not start. */
function neverReady(name: string, how: string, complaints: readonly string[]): Fault {
  const words = complaints.findLast((line) => line.startsWith('capstan: '))?.slice('capstan: '.length);
  const last = complaints.at(-1);
  const account = last ? `: ${last}` : '';
  return new Fault(
    words ? `${name} did not start: ${words}` : `${name} ${how} before it was ready${account}`,
    {
      code: 'app.child.start',
      blame: 'operator',
    },
  );
}
