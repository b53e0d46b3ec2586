// npm run fuzz: every test that draws its cases at random, again and again with other cases, until the time is over or
// one fails. The report of a failure holds the seed that brings it back. Minutes may follow: npm run fuzz -- 60
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, sources } from './sources.ts';

const minutes = Number(process.argv[2] ?? 10);
if (!(minutes > 0)) {
  console.error(`${process.argv[2]} is no number of minutes`);
  process.exit(2);
}

const drawing = /from 'fast-check'|support\/mutation\.ts/;
const files = ['src', 'test']
  .flatMap(sources)
  .filter(({ path, text }) => path.endsWith('.test.ts') && drawing.test(text))
  .map(({ path }) => path);
const endMs = Date.now() + minutes * 60_000;

for (let round = 1; Date.now() < endMs; round++) {
  console.log(`round ${round}: ${files.length} files`);
  const { status } = spawnSync(
    process.execPath,
    [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...files],
    { cwd: root, stdio: 'inherit' },
  );
  if (status !== 0) process.exit(status ?? 1);
}
