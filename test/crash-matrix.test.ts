import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from './support/capstan.ts';
import { losses, nothingYet, prepareCa, startCa, work } from './support/crashing-ca.ts';
import { canTrace } from './support/written-bytes.ts';

/** As many requests as make the CA rotate CRLs, revoke, and use its counted token up. */
const rounds = 14;
/** How many moments of each kind a run looks at, drawn anew each time from as many parts of the work. */
const samples = 4;

/** The calls by which bytes reach the disk: the store's pages, their order, and the audit log's lines. */
const calls = ['pwrite64', 'fsync', 'write'] as const;
type DiskCall = (typeof calls)[number];

const { path: folder, remove } = temporaryFolder();
const template = join(folder, 'template');
let rehearsed: Record<DiskCall, number>;
let copies = 0;
/** What was answered before something failed, over all tests. */
let answered = 0;

beforeAll(async () => {
  if (!canTrace()) return;
  await prepareCa(template);
  rehearsed = await rehearse();
});

afterAll(remove);

function copy(): string {
  const path = join(folder, String(copies++));
  mkdirSync(path);
  cpSync(template, path, { recursive: true });
  return path;
}

/** How often each call is made from start to end where nothing fails. */
async function rehearse(): Promise<Record<DiskCall, number>> {
  const counts = join(folder, 'counts');
  const data = copy();
  const under = ['strace', '-f', '-qq', '-e', `trace=${calls.join()}`, '-e', 'signal=none', '-o', counts];
  const ca = await startCa(data, under);
  const known = nothingYet();
  await work(ca, rounds, known);
  await ca.end('SIGTERM');
  expect(known.certificates.size).toBe(rounds);
  expect(await losses(data, known)).toEqual([]);
  const text = readFileSync(counts, 'utf8');
  return Object.fromEntries(
    calls.map((call) => [call, text.match(new RegExp(`\\b${call}\\(`, 'g'))?.length ?? 0]),
  ) as Record<DiskCall, number>;
}

/** Lets the CA work while `injection` happens to it, then looks for what it has lost. */
async function disturbed(call: DiskCall, injection: string): Promise<string[]> {
  const data = copy();
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:${injection}`, '-e', 'signal=none'];
  const under = ['strace', '-f', '-qq', '-o', join(folder, 'trace'), ...inject];
  const known = nothingYet();
  // It may well end before it listens.
  const ca = await startCa(data, under).catch(() => undefined);
  if (ca) {
    await work(ca, rounds, known);
    await ca.end('SIGKILL');
  }
  answered += known.requestIds.length;
  return losses(data, known);
}

function moments(call: DiskCall, count = samples): number[] {
  const part = rehearsed[call] / count;
  return Array.from({ length: count }, (_, at) => {
    const range = { min: Math.floor(at * part) + 1, max: Math.floor((at + 1) * part) };
    return fc.sample(fc.integer(range), 1)[0]!;
  });
}

describe.runIf(canTrace())('nothing that was answered is lost', () => {
  test.each(calls)('when it is killed at a %s', async (call) => {
    for (const at of moments(call))
      expect([at, await disturbed(call, `signal=SIGKILL:when=${at}`)]).toEqual([at, []]);
  });

  test.each([
    ['pwrite64', 'ENOSPC'],
    ['write', 'ENOSPC'],
    ['pwrite64', 'EIO'],
    ['fsync', 'EIO'],
  ] as const)('when every %s fails with %s from some moment on', async (call, error) => {
    for (const at of moments(call, samples / 2))
      expect([at, await disturbed(call, `error=${error}:when=${at}+`)]).toEqual([at, []]);
  });

  test('when one fsync fails, and the next works', async () => {
    for (const at of moments('fsync', samples / 2))
      expect([at, await disturbed('fsync', `error=EIO:when=${at}`)]).toEqual([at, []]);
  });

  test('much of which was answered before', () => {
    expect(answered).toBeGreaterThan(samples * calls.length);
  });
});
