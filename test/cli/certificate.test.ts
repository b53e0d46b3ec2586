import { globSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/capstan.ts';
import { runTranscript } from '../support/transcript.ts';

const folder = join(root, 'test', 'cli', 'certificate');
const transcripts = globSync('*.txt', { cwd: folder }).toSorted();

test('there are transcripts', () => {
  expect(transcripts).toContain('convert.txt');
});

test.each(transcripts)('%s', { timeout: 120_000 }, async (name) => {
  await runTranscript(join(folder, name));
});
