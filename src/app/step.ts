import type { Clock } from '../base/clock.ts';
import { sleep, systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';

/** What a step found or did, in words for a person and in fields for a machine. */
export interface Outcome {
  /** `found`: it was so already and nothing was changed. */
  state: 'done' | 'found';
  /** One line: what was seen, not what was intended. */
  saw: string;
  /** Longer text worth showing (a certificate, a tree), printed below the line. */
  text?: string;
  /** For `--json`: facts, never secrets. */
  details?: Readonly<Record<string, unknown>>;
}

/**
 * One step of the main job. It looks first and then does only what is missing, so it may be run again at any time:
 * on the same data tomorrow, or after the process it talked to was killed in the middle.
 */
export interface Step<World> {
  id: string;
  /** What it does, as a person would say it, lower case, no full stop. */
  title: string;
  run(world: World): Promise<Outcome>;
}

export type StepReport = {
  step: string;
  title: string;
  tookMs: number;
} & (
  | { state: 'done' | 'found'; saw: string; text?: string; details?: Readonly<Record<string, unknown>> }
  | { state: 'failed'; error: string; code: string }
);

export interface StepListener {
  started(step: { id: string; title: string }): void;
  ended(report: StepReport): void;
}

/** How long a step may go on trying while what it talks to does not answer. */
const patienceMs = 30_000;
const retryAfterMs = 150;

/**
 * Runs `steps` in order; stops at the first that fails. A step is run again while the far end is unreachable or
 * starting (a killed process that is being restarted), for at most half a minute.
 *
 * @returns the id of the step that failed, undefined where all went well.
 */
export async function runSteps<World>(
  steps: readonly Step<World>[],
  world: World,
  listener: StepListener,
  { clock = systemClock, signal }: { clock?: Clock; signal: AbortSignal },
): Promise<string | undefined> {
  for (const step of steps) {
    if (signal.aborted) return undefined;
    listener.started(step);
    const startedMs = clock.now();
    const head = () => ({ step: step.id, title: step.title, tookMs: clock.now() - startedMs });
    try {
      const outcome = await persevere(() => step.run(world), clock, signal);
      listener.ended({ ...head(), ...outcome });
    } catch (error) {
      if (signal.aborted) return undefined;
      const fault = error instanceof Fault ? error : undefined;
      const message = error instanceof Error ? error.message : String(error);
      listener.ended({
        ...head(),
        state: 'failed',
        error: fault?.fix ? `${message}; ${fault.fix}` : message,
        code: fault?.code ?? 'capstan.bug',
      });
      return step.id;
    }
  }
  return undefined;
}

async function persevere<T>(act: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  const untilMs = clock.now() + patienceMs;
  for (;;) {
    try {
      return await unlessAborted(act(), signal);
    } catch (error) {
      if (!isPassing(error) || clock.now() >= untilMs || signal.aborted) throw error;
      await sleep(clock, retryAfterMs, signal);
    }
  }
}

/** A step that waits for what never comes must not keep a person's Ctrl-C waiting. */
function unlessAborted<T>(acted: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    acted.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Faults that a restart of the far end mends. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Fault)) return false;
  return error.code.startsWith('wire.request.') || passingCodes.has(error.code);
}

const passingCodes = new Set([
  'kube.service-unavailable',
  'kube.timeout',
  'kube.too-many-requests',
  'app.ca.unavailable',
]);
