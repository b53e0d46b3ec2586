import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemEntropy } from '../base/entropy.ts';
import { openSealedStore } from './sealed-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-sealed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what is kept is there again, and unreadable on the disk', async () => {
  const path = join(folder, 'a');
  const store = openSealedStore(path, systemEntropy);
  await store.commit({ puts: [{ key: 'k', value: Buffer.from('a well kept secret') }] });
  await store.close();
  expect(statSync(join(path, 'seal.key')).mode & 0o777).toBe(0o600);
  expect(statSync(join(path, 'store.db')).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(path, 'store.db')).includes('well kept')).toBe(false);
  const again = openSealedStore(path, systemEntropy);
  expect((await again.get('k'))?.value.toString()).toBe('a well kept secret');
  await again.close();
});

test('a database without its key file, or with a damaged one, is refused and left alone', async () => {
  const path = join(folder, 'b');
  await openSealedStore(path, systemEntropy).close();
  const key = readFileSync(join(path, 'seal.key'));
  rmSync(join(path, 'seal.key'));
  expect(() => openSealedStore(path, systemEntropy)).toThrow('is missing');
  writeFileSync(join(path, 'seal.key'), 'nonsense');
  expect(() => openSealedStore(path, systemEntropy)).toThrow('is damaged');
  writeFileSync(join(path, 'seal.key'), key);
  await openSealedStore(path, systemEntropy).close();
});

test('without a folder it is in memory', async () => {
  const store = openSealedStore(undefined, systemEntropy);
  expect(await store.revision()).toBe(0);
  await store.close();
});
