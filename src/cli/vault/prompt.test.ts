import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import type { CommandContext } from '../command.ts';
import { askSecretly } from './prompt.ts';

function person(...typed: string[]) {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (raw: boolean) => void modes.push(raw),
  });
  for (const text of typed) stdin.write(text);
  let shown = '';
  const stderr = new Writable({
    write(chunk: Buffer, _encoding, done) {
      shown += chunk.toString();
      done();
    },
  });
  const stop = new AbortController();
  const context = { stdin, stderr, signal: stop.signal } as unknown as CommandContext;
  return { context, modes, shown: () => shown, stop: () => stop.abort() };
}

test('reads a line without showing it, and leaves the terminal as it was', async () => {
  const { context, modes, shown } = person('my-t', 'okem', '\u007fn\rrest');
  expect(await askSecretly(context, 'Token (will be hidden): ')).toBe('my-token');
  expect(shown()).toBe('Token (will be hidden): \n');
  expect(modes).toEqual([true, false]);
});

test('Ctrl-D ends the line; Ctrl-C is an interruption, with the terminal restored', async () => {
  expect(await askSecretly(person('ab\u0004').context, '')).toBe('ab');
  const { context, modes } = person('ab\u0003');
  await expect(askSecretly(context, '')).rejects.toMatchObject({ code: 'cli.interrupted' });
  expect(modes).toEqual([true, false]);
});

test('a program told to stop waits for nobody', async () => {
  const { context, modes, stop } = person('half');
  const asked = askSecretly(context, '');
  stop();
  await expect(asked).rejects.toMatchObject({ code: 'cli.interrupted' });
  expect(modes).toEqual([true, false]);
});

test('asks nobody where stdin is no terminal', async () => {
  const { context, modes } = person('secret\n');
  (context.stdin as { isTTY?: boolean }).isTTY = false;
  expect(await askSecretly(context, 'Token: ')).toBeUndefined();
  expect(modes).toEqual([]);
});
