import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, sources } from './sources.ts';
import { deadFiles, untidy } from './tidy.ts';

const everything = ['src', 'test', 'tools', 'bench'].flatMap(sources);

test('the house is tidy', () => {
  expect(everything.length).toBeGreaterThan(20);
  expect(untidy(everything)).toEqual([]);
});

test('every source file is reached from the program or a package export', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports?: Record<string, { types: string } | string>;
  };
  const exported = Object.values(manifest.exports ?? {})
    .flatMap((target) => (typeof target === 'string' ? [] : [target.types]))
    .map((path) => path.replace('./dist/', 'src/').replace('.d.ts', '.ts'));
  // A clock and a seed for simulations are part of base's interface though only tests use them today.
  const forTests = ['src/base/manual-clock.ts'];
  expect(deadFiles(sources('src'), ['src/cli/main.ts', ...exported, ...forTests])).toEqual([]);
});

test('untidiness is found and named', () => {
  const file = (path: string, text: string) => untidy([{ path, text }]);
  expect(file('src/vault/a.ts', 'const t = Date.now();')[0]).toContain('time is an argument');
  expect(file('src/base/a.ts', 'const t = Date.now();')).toEqual([]);
  expect(file('src/vault/utils.ts', '')[0]).toContain('name what it holds');
  expect(file('src/vault/a.ts', '\n'.repeat(501))[0]).toContain('500 at most');
  expect(file('src/vault/a.ts', `function f() {\n${'  x();\n'.repeat(71)}}\n`)[0]).toContain(
    'f has 72 lines',
  );
  expect(deadFiles([{ path: 'src/a/b.ts', text: '' }], [])).toEqual(['src/a/b.ts: nothing imports it']);
});
