import { execFileSync } from 'node:child_process';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Row, readArchive, type SumSeal, writeArchive } from './archive.ts';
import { tarEnd, tarFile } from './tar.ts';

const seal: SumSeal = {
  seal: (sums) => Buffer.concat([Buffer.from('sealed:'), sums]),
  matches: (sums, sealed) => sealed.equals(Buffer.concat([Buffer.from('sealed:'), sums])),
};

async function* pagesOf<T>(pages: readonly T[]): AsyncGenerator<T> {
  yield* pages;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}

async function written(pages: readonly (readonly Row[])[]): Promise<Buffer> {
  return Buffer.concat(await collect(writeArchive(pagesOf(pages), { nowMs: 1_700_000_000_000, seal })));
}

const read = async (archive: Buffer, by: SumSeal | undefined = seal) =>
  (await collect(readArchive(pagesOf([archive]), by))).flat();
const rows = (count: number, size = 3) =>
  Array.from({ length: count }, (_, n) => ({ key: `k/${n}`, value: Buffer.alloc(size, n) }));

test('what was written is read back, however it is cut on its way', async () => {
  const row = fc.record({
    key: fc.string({ minLength: 1 }),
    value: fc.uint8Array().map((a) => Buffer.from(a)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(row)), fc.integer({ min: 1, max: 500 }), async (pages, size) => {
      const archive = await written(pages);
      const pieces = Array.from({ length: Math.ceil(archive.length / size) }, (_, n) =>
        archive.subarray(n * size, (n + 1) * size),
      );
      expect((await collect(readArchive(pagesOf(pieces), seal))).flat()).toEqual(pages.flat());
    }),
    { numRuns: 50 },
  );
});

test('large values go into several files, which tar lists', async () => {
  const archive = await written([rows(3, 700_000)]);
  const listed = execFileSync('tar', ['-tzf', '-'], { input: archive, encoding: 'utf8' });
  const files = ['meta.json', 'state/00000001.bin', 'state/00000002.bin', 'SHA256SUMS', 'SHA256SUMS.sealed'];
  expect(listed.trim().split('\n')).toEqual(files);
  const sums = execFileSync('tar', ['-xzOf', '-', 'SHA256SUMS'], { input: archive, encoding: 'utf8' });
  expect(sums).toMatch(/^([0-9a-f]{64} {2}\S+\n){3}$/);
  expect(await read(archive)).toEqual(rows(3, 700_000));
});

test('a snapshot that was broken off or altered anywhere is none', async () => {
  const broken = expect.objectContaining({ code: 'vault.snapshot' });
  const archive = await written([rows(5)]);
  const plain = gunzipSync(archive);
  for (let length = 0; length < plain.length - 1_024; length += 512) {
    await expect(read(gzipSync(plain.subarray(0, length)))).rejects.toEqual(broken);
  }
  await expect(read(archive.subarray(0, archive.length - 12))).rejects.toEqual(broken);
  await expect(read(Buffer.from('not gzip'))).rejects.toEqual(broken);
  await fc.assert(
    fc.asyncProperty(fc.nat(plain.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const altered = Buffer.from(plain);
      altered[at]! ^= flip;
      const outcome = await read(gzipSync(altered)).catch((error: unknown) => error);
      // What pads a file, and the words of a header that nobody reads, may be anything.
      if (Array.isArray(outcome)) expect(outcome).toEqual(rows(5));
      else
        expect(outcome).toEqual(expect.objectContaining({ code: expect.stringMatching(/^vault\.snapshot/) }));
    }),
  );
});

test('the seal of other keys is told apart, and need not be asked', async () => {
  const others: SumSeal = { seal: () => Buffer.from('other'), matches: () => false };
  const archive = await written([rows(2)]);
  await expect(read(archive, others)).rejects.toEqual(
    expect.objectContaining({ code: 'vault.snapshot.keys' }),
  );
  expect((await collect(readArchive(pagesOf([archive]), undefined))).flat()).toEqual(rows(2));
});

test.each([
  ['another program’s', [{ name: 'meta.json', body: '{"Version":1}' }], 'not made by Capstan'],
  [
    'a later format',
    [{ name: 'meta.json', body: '{"format":"capstan.snapshot","version":2}' }],
    'newer Capstan',
  ],
  ['no meta', [{ name: 'state.bin', body: 'x' }], 'not made by Capstan'],
  ['nothing', [], 'SHA256SUMS is missing'],
])('%s is refused', async (_, files, message) => {
  const tar = files.map(({ name, body }) => tarFile({ name, body: Buffer.from(body) }, 0));
  const archive = gzipSync(Buffer.concat([...tar, tarEnd()]));
  await expect(read(archive)).rejects.toThrow(message);
});
