import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { progressTo } from './progress.ts';
import type { StepReport } from './step.ts';

function written(json: boolean, isTTY: boolean, colour = false): string {
  const out = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY, columns: 30 });
  const progress = progressTo({ out, json, colour });
  const step = { id: 'root', title: 'create the trust anchor, with a title longer than the terminal' };
  const common = { step: 'root', title: step.title, tookMs: 12 };
  const reports: StepReport[] = [
    { ...common, state: 'done', saw: 'CN=root', text: 'one\ntwo\n' },
    { ...common, state: 'found', saw: 'CN=root' },
    { ...common, state: 'failed', error: 'refused', code: 'app.ca.refused' },
  ];
  for (const report of reports) {
    progress.started(step);
    progress.ended(report);
  }
  progress.note('that was it', { really: true });
  return out.read() as string;
}

test('a pipe gets one plain line per step, text below it', () => {
  const title = 'create the trust anchor, with a title longer than the terminal';
  expect(written(false, false)).toBe(
    [
      `ok     ${title}: CN=root (12 ms)`,
      '    one',
      '    two',
      `found  ${title}: CN=root (12 ms)`,
      `FAILED ${title}: refused [step root] (12 ms)`,
      'that was it',
      '',
    ].join('\n'),
  );
});

test('a terminal gets a live line that fits its width and is replaced by the outcome', () => {
  const text = written(false, true);
  const live = text.split('\r\x1b[K')[1]!;
  expect(live).toBe('… create the trust anchor, wi');
  expect(live.length).toBeLessThanOrEqual(30);
  expect(text).toContain('\r\x1b[K✓ create the trust anchor');
  expect(text).toContain('[step root]');
  expect(written(false, true, true)).toContain('\x1b[32m✓\x1b[0m');
});

test('a machine gets one JSON document per step', () => {
  const documents = written(true, true)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as StepReport);
  expect(documents.map(({ state }) => state)).toEqual(['done', 'found', 'failed', undefined]);
  expect(documents[0]).toMatchObject({ step: 'root', saw: 'CN=root', tookMs: 12 });
});
