import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonLines } from './json-lines.ts';

async function read(chunks: readonly Uint8Array[], limitBytes = 1_000): Promise<unknown[]> {
  const found: unknown[] = [];
  const body = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  })();
  for await (const document of jsonLines(body, limitBytes)) found.push(document);
  return found;
}

test('documents come back whatever they hold and wherever the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue(), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      async (documents, sizes) => {
        const bytes = Buffer.from(documents.map((document) => `${JSON.stringify(document)}\n`).join(''));
        const chunks: Buffer[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length]!;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(await read(chunks, bytes.length + 1)).toEqual(
          documents.map((d) => JSON.parse(JSON.stringify(d))),
        );
      },
    ),
  );
});

test('a line past the limit is refused before it is whole', async () => {
  const endless = Array.from({ length: 20 }, () => Buffer.alloc(100, 'x'));
  await expect(read(endless, 1_000)).rejects.toMatchObject({ code: 'kube.watch.large' });
});
