import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { embeddedStore } from './embedded.ts';

const writer = new URL('../../test/contract/store-writer.ts', import.meta.url).pathname;
const folder = () => mkdtempSync(join(tmpdir(), 'capstan-embedded-'));
const fault = (code: string) => expect.objectContaining({ code, fix: expect.any(String) });
const thrown = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

test('what was committed is there when it is opened again', async () => {
  const path = join(folder(), 'deep', 'store.db');
  const first = embeddedStore({ path });
  const revision = await first.commit({ puts: [{ key: 'a', value: Buffer.from('1') }] });
  await first.close();
  const second = embeddedStore({ path });
  expect(await second.get('a')).toEqual({ key: 'a', value: Buffer.from('1'), revision });
  expect(await second.commit({ deletes: ['a'] })).toBe(revision + 1);
  await second.close();
});

test('what a replacement left behind that was killed is removed, and had changed nothing', async () => {
  const path = join(folder(), 'store.db');
  const first = embeddedStore({ path });
  await first.commit({ puts: [{ key: 'a', value: Buffer.from('1') }] });
  const never = new Promise<void>(() => {});
  async function* endless() {
    yield [{ key: 'b', value: Buffer.from('2') }];
    await never;
  }
  void first.replace(endless());
  await first.get('a');
  const copies = () => readdirSync(dirname(path)).filter((name) => name.includes('.copy-'));
  expect(copies()).toHaveLength(1);
  await first.close();
  const second = embeddedStore({ path });
  expect(copies()).toEqual([]);
  expect((await second.list({ prefix: '' })).map(({ key }) => key)).toEqual(['a']);
  await second.close();
});

test('only its owner may read the file and its log', async () => {
  const path = join(folder(), 'store.db');
  writeFileSync(path, '', { mode: 0o644 });
  const store = embeddedStore({ path });
  await store.commit({ puts: [{ key: 'a', value: Buffer.from('1') }] });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
  await store.close();
});

test('a second opener is told that the file is in use', async () => {
  const path = join(folder(), 'store.db');
  const child = spawn(process.execPath, [writer, path, '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  expect(thrown(() => embeddedStore({ path }))).toEqual(fault('store.open.locked'));
  child.kill('SIGKILL');
  await once(child, 'exit');
  const store = embeddedStore({ path });
  expect(thrown(() => embeddedStore({ path }))).toEqual(fault('store.open.locked'));
  await store.close();
});

test.skipIf(process.getuid?.() === 0)('a folder that may not be written is named, with the mend', () => {
  const path = join(folder(), 'closed');
  mkdirSync(path);
  chmodSync(path, 0o500);
  expect(thrown(() => embeddedStore({ path: join(path, 'store.db') }))).toEqual(fault('store.open.denied'));
});

test('a path that cannot be a file is named, with the mend', () => {
  const base = folder();
  writeFileSync(join(base, 'file'), '');
  expect(thrown(() => embeddedStore({ path: join(base, 'file', 'store.db') }))).toEqual(
    fault('store.open.denied'),
  );
  expect(thrown(() => embeddedStore({ path: base }))).toEqual(fault('store.open.denied'));
});

test('a file that is no database, or a damaged one, is told from a good one', async () => {
  const path = join(folder(), 'store.db');
  writeFileSync(path, 'not a database '.repeat(100));
  expect(thrown(() => embeddedStore({ path }))).toEqual(fault('store.open.corrupt'));
  expect(readFileSync(path, 'utf8')).toMatch(/^not a database/);

  const damaged = join(folder(), 'store.db');
  const store = embeddedStore({ path: damaged });
  const value = Buffer.alloc(1_000, 1);
  await store.commit({ puts: Array.from({ length: 200 }, (_, n) => ({ key: `k${n}`, value })) });
  await store.close();
  const content = readFileSync(damaged);
  writeFileSync(damaged, content.fill(0xff, 8_192));
  const read = async () => {
    const again = embeddedStore({ path: damaged });
    try {
      return await again.list({ prefix: '' });
    } finally {
      await again.close();
    }
  };
  await expect(read()).rejects.toEqual(fault('store.open.corrupt'));
});

test('databases of other programs and of later formats are left alone', async () => {
  const foreign = join(folder(), 'store.db');
  const database = new DatabaseSync(foreign);
  database.exec('CREATE TABLE theirs (x)');
  database.close();
  expect(thrown(() => embeddedStore({ path: foreign }))).toEqual(fault('store.open.version'));

  const later = join(folder(), 'store.db');
  await embeddedStore({ path: later }).close();
  const newer = new DatabaseSync(later);
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  expect(thrown(() => embeddedStore({ path: later }))).toEqual(fault('store.open.version'));
});

test('batches of one turn share a transaction, and one that conflicts takes no other with it', async () => {
  const store = embeddedStore({ path: join(folder(), 'store.db') });
  const put = (key: string, expected?: number) => {
    const puts = [{ key, value: Buffer.from(key) }];
    return store.commit(expected === undefined ? { puts } : { expect: [{ key, revision: expected }], puts });
  };
  const results = await Promise.allSettled([put('a'), put('b', 5), put('c', 0), put('a', 1)]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect((await store.list({ prefix: '' })).map(({ key, revision }) => [key, revision])).toEqual([
    ['a', 3],
    ['c', 2],
  ]);
  await store.close();
});

test('a batch that is waiting when the store closes is written first', async () => {
  const path = join(folder(), 'store.db');
  const store = embeddedStore({ path });
  const written = store.commit({ puts: [{ key: 'a', value: Buffer.from('1') }] });
  await store.close();
  expect(await written).toBe(1);
  const again = embeddedStore({ path });
  expect(await again.get('a')).toBeDefined();
  await again.close();
});

test('kill -9 loses nothing that was acknowledged, and leaves no half batch', async () => {
  for (let round = 0; round < 3; round++) {
    const path = join(folder(), 'store.db');
    const child = spawn(process.execPath, [writer, path, '8'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      output += text;
      if (output.length > 2_000 * (round + 1)) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const acknowledged = output.split('\n').slice(0, -1);
    expect(acknowledged.length).toBeGreaterThan(100);
    const store = embeddedStore({ path });
    const first = (await store.list({ prefix: 'first/' })).map(({ key }) => key.slice('first/'.length));
    const second = (await store.list({ prefix: 'second/' })).map(({ key }) => key.slice('second/'.length));
    expect(second).toEqual(first);
    expect(acknowledged.filter((name) => !first.includes(name))).toEqual([]);
    await store.close();
  }
});

test('a disk that is full fails commits, and loses nothing that was acknowledged', async () => {
  const path = join(folder(), 'store.db');
  // A limit on the size of files stands in for the disk's: the write fails in the same place.
  const limited = `trap '' XFSZ; ulimit -f 4000; exec "$0" "$@"`;
  const child = spawn('sh', ['-c', limited, process.execPath, writer, path, '4'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const [status] = (await once(child, 'close')) as [number];
  expect(status).toBe(1);
  expect(errors).toContain("code: 'store.unavailable'");
  const acknowledged = output.split('\n').slice(0, -1);
  expect(acknowledged.length).toBeGreaterThan(50);
  const store = embeddedStore({ path });
  const kept = new Set((await store.list({ prefix: 'first/' })).map(({ key }) => key.slice('first/'.length)));
  expect(acknowledged.filter((name) => !kept.has(name))).toEqual([]);
  await store.commit({ puts: [{ key: 'goes on', value: Buffer.from('') }] });
  await store.close();
});
