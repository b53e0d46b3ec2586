import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generate } from './kube-kinds.ts';
import { root } from './sources.ts';

const published = process.env['CAPSTAN_KUBERNETES'] ?? join(root, '../shared/kubernetes');

test.skipIf(!existsSync(published))(
  `the tables of built-in kinds are what the generator makes (skipped where ${published} is absent)`,
  () => {
    const files = generate(published);
    expect(Object.keys(files)).toHaveLength(2);
    for (const [path, text] of Object.entries(files)) {
      expect(readFileSync(join(root, path), 'utf8') === text, `${path}: run node tools/kube-kinds.ts`).toBe(
        true,
      );
    }
  },
);

test('the tables are small, and hold no prose', () => {
  for (const path of ['schema/generated/kinds.json', 'decode/generated/protobuf.json']) {
    const text = readFileSync(join(root, 'src/apiserver', path), 'utf8');
    expect(text.length).toBeLessThan(150_000);
    expect(text).not.toMatch(/"description":"/);
  }
});
