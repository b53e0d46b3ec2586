import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { logFile } from './log-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('lines are appended, those of an earlier run kept, for the owner alone', () => {
  const path = join(folder, 'a.log');
  logFile(path)('one');
  const again = logFile(path);
  again('two');
  again('three');
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('it never takes more than twice its limit, and the newest lines are there', () => {
  const path = join(folder, 'b.log');
  const write = logFile(path, 100);
  for (let count = 0; count < 1_000; count++) write(`line ${count}`);
  expect(readdirSync(folder).filter((name) => name.startsWith('b.log'))).toEqual(['b.log', 'b.log.1']);
  expect(statSync(path).size + statSync(`${path}.1`).size).toBeLessThan(220);
  expect(readFileSync(path, 'utf8')).toContain('line 999\n');
});

test('where nothing can be written it goes on without', () => {
  expect(() => logFile('/etc/hostname/none.log')('lost')).not.toThrow();
});
