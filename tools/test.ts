// npm test: the types, then every test. Arguments go to vitest: npm test -- src/x509
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const args = process.argv.slice(2);

const types = args.length > 0 ? 0 : runTool('typescript/bin/tsc', []);
const tests = runTool('vitest/vitest.mjs', ['run', ...args]);
process.exit(types || tests);

function runTool(file: string, toolArgs: string[]): number {
  const path = join(root, 'node_modules', file);
  return spawnSync(process.execPath, [path, ...toolArgs], { cwd: root, stdio: 'inherit' }).status ?? 1;
}
