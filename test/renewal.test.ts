import { expect, test } from 'vitest';
import type { StepReport } from '../src/app/step.ts';
import { run } from './support/capstan.ts';

test('on a fast clock the issuer and the leaves are renewed under traffic, and nothing fails', async () => {
  const args = ['--speed', '10000', '--vault-address', '127.0.0.1:0', '--api-address', '127.0.0.1:0'];
  const { status, stdout, stderr } = await run(['up', '--once', '--json', ...args]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const reports = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as StepReport);
  expect(reports.at(-1)).toMatchObject({
    step: 'renewal',
    state: 'done',
    details: { revision: 2, failed: 0, exchanged: expect.any(Number) },
  });
});
