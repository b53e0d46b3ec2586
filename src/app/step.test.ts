import { expect, test } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { runSteps, type Step, type StepReport } from './step.ts';

const signal = new AbortController().signal;

function collecting() {
  const started: string[] = [];
  const reports: StepReport[] = [];
  const listener = {
    started: ({ id }: { id: string }) => void started.push(id),
    ended: (report: StepReport) => void reports.push(report),
  };
  return { started, reports, listener };
}

/** A clock that moves by itself whenever something waits. */
function hastyClock(): Clock {
  const clock = new ManualClock(0);
  return {
    now: () => clock.now(),
    after(delayMs, act) {
      const cancel = clock.after(delayMs, act);
      setImmediate(() => void clock.advance(delayMs));
      return cancel;
    },
  };
}

const step = (id: string, run: Step<object>['run']): Step<object> => ({ id, title: `do ${id}`, run });
const refused = () => new Fault('nothing listens', { code: 'wire.request.refused', blame: 'peer' });

test('steps run in order and tell what they found or did', async () => {
  const { started, reports, listener } = collecting();
  const steps = [
    step('a', async () => ({ state: 'done', saw: 'made' })),
    step('b', async () => ({ state: 'found', saw: 'there already' })),
  ];
  expect(await runSteps(steps, {}, listener, { clock: hastyClock(), signal })).toBeUndefined();
  expect(started).toEqual(['a', 'b']);
  expect(reports).toMatchObject([
    { step: 'a', state: 'done', saw: 'made' },
    { step: 'b', state: 'found', saw: 'there already' },
  ]);
});

test('the first failure ends it, named with its mend', async () => {
  const { started, reports, listener } = collecting();
  const steps = [
    step('a', () => Promise.reject(new Fault('no', { code: 'app.no', blame: 'operator', fix: 'do this' }))),
    step('b', async () => ({ state: 'done', saw: '' })),
  ];
  expect(await runSteps(steps, {}, listener, { clock: hastyClock(), signal })).toBe('a');
  expect(started).toEqual(['a']);
  expect(reports).toMatchObject([{ step: 'a', state: 'failed', error: 'no; do this', code: 'app.no' }]);
});

test('a step whose far end is being restarted is run again until it answers', async () => {
  const { reports, listener } = collecting();
  let tries = 0;
  const steps = [
    step('a', async () => {
      if (++tries < 4) throw refused();
      return { state: 'done', saw: `try ${tries}` };
    }),
  ];
  expect(await runSteps(steps, {}, listener, { clock: hastyClock(), signal })).toBeUndefined();
  expect(reports).toMatchObject([{ saw: 'try 4' }]);
});

test('a far end that stays away fails the step after half a minute', async () => {
  const { reports, listener } = collecting();
  const steps = [step('a', () => Promise.reject(refused()))];
  expect(await runSteps(steps, {}, listener, { clock: hastyClock(), signal })).toBe('a');
  expect(reports[0]!.tookMs).toBeGreaterThanOrEqual(30_000);
  expect(reports[0]!.tookMs).toBeLessThan(31_000);
});

test('being told to stop ends a step that never would', async () => {
  const { reports, listener } = collecting();
  const stop = new AbortController();
  const steps = [step('a', () => new Promise(() => setImmediate(() => stop.abort())))];
  expect(await runSteps(steps, {}, listener, { clock: hastyClock(), signal: stop.signal })).toBeUndefined();
  expect(reports).toEqual([]);
});

test('being told to stop is no failure', async () => {
  const { reports, listener } = collecting();
  const stop = new AbortController();
  const steps = [
    step('a', () => {
      stop.abort();
      return Promise.reject(refused());
    }),
  ];
  expect(await runSteps(steps, {}, listener, { clock: hastyClock(), signal: stop.signal })).toBeUndefined();
  expect(reports).toEqual([]);
});
