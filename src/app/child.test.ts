import { expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import { type ChildOptions, startChild } from './child.ts';

/** A process of Node's that runs `code`. */
const node = (code: string, more: Partial<ChildOptions> = {}) =>
  startChild({
    name: 'the thing',
    program: [process.execPath, '-e'],
    args: [code],
    env: process.env,
    ...more,
  });

test('answers the first line that is looked for', async () => {
  const child = node("console.log('starting'); console.log('at 8200'); setInterval(() => {}, 1000)");
  expect(await child.ready((line) => /^at (\d+)$/.exec(line)?.[1])).toBe('8200');
  expect(child.running).toBe(true);
  await child.stop();
  expect(child.running).toBe(false);
});

test('a process that ends before it is ready fails with its own last words', async () => {
  const child = node("console.error('noise'); console.error('capstan: the port is taken'); process.exit(1)");
  const failed = await child.ready(() => undefined).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(Fault);
  expect((failed as Fault).message).toBe('the thing did not start: the port is taken');
});

test('one that does not end when asked is made to', async () => {
  const child = node("process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)");
  await child.ready((line) => line);
  await child.stop(100);
  expect(child.running).toBe(false);
});

test('an unasked end is told, an asked one is not', async () => {
  const ends: string[] = [];
  const onUnexpectedEnd = (how: string) => void ends.push(how);
  const killed = node("console.log('up'); setInterval(() => {}, 1000)", { onUnexpectedEnd });
  await killed.ready((line) => line);
  process.kill(killed.pid, 'SIGKILL');
  await expect.poll(() => ends).toEqual(['was ended by SIGKILL']);
  const stopped = node("console.log('up'); setInterval(() => {}, 1000)", { onUnexpectedEnd });
  await stopped.ready((line) => line);
  await stopped.stop();
  expect(ends).toHaveLength(1);
});

test('a program that is not there fails clearly', async () => {
  const child = startChild({ name: 'it', program: ['/no/such/program'], args: [], env: {} });
  await expect(child.ready(() => undefined)).rejects.toThrow('ENOENT');
});
